"""Small architectures of every kind that surgery has to cope with, each with a batch of inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

Specimen = tuple[nn.Module, Callable[[nn.Module], Any]]


def feed(*inputs: Tensor) -> Callable[[nn.Module], Any]:
    return lambda model: model(*inputs)


class Plain(nn.Module):
    """Attributes, and functions between them."""

    def __init__(self, act=torch.tanh, drop=0.2):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.fc1 = nn.Linear(6 * 4 * 4, 16)
        self.fc2 = nn.Linear(16, 16)
        self.out = nn.Linear(16, 5)
        self.f = act
        self.drop = drop

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        x = torch.flatten(x, 1)
        x = F.dropout(torch.sigmoid(self.fc1(x)), self.drop, training=self.training)
        return self.out(self.fc2(x).tanh())


class Attribute(nn.Module):
    def __init__(self, act=torch.tanh):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 12), nn.Linear(12, 12), nn.Linear(12, 3)
        self.act = act

    def forward(self, x):
        return self.c(self.act(self.b(self.act(self.a(x)))))


class Branching(nn.Module):
    """Cannot be traced symbolically."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 12), nn.Linear(12, 3)

    def forward(self, x):
        h = torch.sigmoid(self.a(x))
        return self.b(h if h.sum() > -1 else -h)


class Block(nn.Module):
    def __init__(self, c, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c, 3, padding=1)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1)
        self.norm = nn.BatchNorm2d(c) if norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.norm(self.conv2(self.relu(self.conv1(x))))
        y += x
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self, c=4, blocks=2, norm=True, classes=5):
        super().__init__()
        self.stem = nn.Conv2d(1, c, 3, padding=1)
        self.blocks = nn.Sequential(*[Block(c, norm) for _ in range(blocks)])
        self.fc = nn.Linear(c, classes)

    def forward(self, x):
        return self.fc(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class Held(nn.Module):
    """Blocks of equal width in a ModuleList."""

    def __init__(self, depth=4, width=12, act=nn.Tanh):
        super().__init__()
        self.first = nn.Linear(8, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.act = act()
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = self.act(self.first(x))
        for block in self.blocks:
            x = self.act(block(x))
        return self.head(x)


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM, bidirectional=False, last="sequence", layers=1):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.rnn = kind(6, 10, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(10 * (1 + bidirectional), 4)
        self.last = last

    def forward(self, x):
        out, state = self.rnn(self.embed(x))
        if self.last == "sequence":
            return self.head(out[:, -1])
        if self.last == "mean":
            return self.head(out.mean(1))
        h = state[0] if isinstance(state, tuple) else state
        return self.head(torch.cat((h[-2], h[-1]), 1) if self.rnn.bidirectional else h[-1])


class Transformer(nn.Module):
    def __init__(self, norm_first=False, activation="relu", layers=2):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.position = nn.Parameter(torch.randn(1, 5, 8) * 0.1)
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, activation, norm_first=norm_first, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x) + self.position).mean(1))


class Shared(nn.Module):
    """One layer and one activation called several times, the activation also at the end."""

    def __init__(self, final=True):
        super().__init__()
        self.enter, self.again, self.leave = nn.Linear(8, 12), nn.Linear(12, 12), nn.Linear(12, 3)
        self.act = nn.Sigmoid()
        self.final = final

    def forward(self, x):
        x = self.act(self.enter(x))
        x = self.act(self.again(x))
        x = self.leave(self.act(self.again(x)))
        return self.act(x) if self.final else x


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 11)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(torch.relu(self.mix(self.embed(x).mean(1))))


class Gated(nn.Module):
    """Squeeze-and-excitation, and two branches joined."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.side = nn.Conv2d(1, 4, 3, padding=1)
        self.down, self.up = nn.Linear(8, 4), nn.Linear(4, 8)
        self.relu, self.gate = nn.ReLU(), nn.Sigmoid()
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        h = self.relu(self.conv(x))
        s = self.gate(self.up(self.relu(self.down(h.mean((2, 3))))))
        h = self.depthwise(h * s[:, :, None, None])
        return self.head(torch.cat((self.relu(h), self.relu(self.side(x))), dim=1).amax((2, 3)))


class HandMade(nn.Module):
    """Weights that belong to no layer."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(8, 6) * 0.3)
        self.b = nn.Parameter(torch.zeros(6))
        self.v = nn.Parameter(torch.randn(6, 3) * 0.3)

    def forward(self, x):
        return torch.relu(x @ self.w + self.b) @ self.v


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Reshaping(nn.Module):
    """The size of the hidden layer is written out in the forward pass."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 12), nn.Linear(6, 3)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)).view(-1, 2, 6).mean(1))


class UsesWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 3)

    def forward(self, x):
        return self.b(self.act(F.linear(x, self.a.weight, self.a.bias)))


class Answer(nn.Module):
    """Structured inputs and outputs."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 12), nn.Sigmoid())
        self.one, self.two = nn.Linear(12, 3), nn.Linear(12, 1)

    def forward(self, batch):
        h = self.body(batch["x"])
        return {"logits": self.one(h), "value": (self.two(h),)}


ACTS = st.sampled_from([nn.ReLU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.Hardtanh, nn.Softsign, nn.LogSigmoid, nn.GELU, nn.PReLU, Swish])


@st.composite
def mlps(draw: st.DrawFn) -> Specimen:
    act = draw(ACTS)
    widths = draw(st.lists(st.sampled_from([3, 8, 8, 12]), min_size=0, max_size=4))
    chain: list[nn.Module] = [nn.Flatten()] if draw(st.booleans()) else []
    before = 8
    for width in widths:
        part: list[nn.Module] = [nn.Linear(before, width, bias=draw(st.booleans()))]
        part += draw(st.sampled_from([[], [nn.BatchNorm1d(width)], [nn.LayerNorm(width)]]))
        part += [act()]
        part += draw(st.sampled_from([[], [nn.Dropout(0.2)], [nn.Dropout(0.0)]]))
        chain += [nn.Sequential(*part)] if draw(st.booleans()) else part
        before = width
    chain.append(nn.Linear(before, 3))
    chain += draw(st.sampled_from([[], [], [nn.Softmax(1)], [nn.Sigmoid()], [nn.ReLU()]]))
    return nn.Sequential(*chain), feed(torch.randn(6, 8))


@st.composite
def cnns(draw: st.DrawFn) -> Specimen:
    act = draw(ACTS)
    channels = draw(st.lists(st.sampled_from([4, 4, 8]), min_size=1, max_size=3))
    chain: list[nn.Module] = []
    before, side = 1, 8
    for c in channels:
        chain.append(nn.Conv2d(before, c, 3, padding=1))
        chain += draw(st.sampled_from([[], [nn.BatchNorm2d(c)], [nn.GroupNorm(2, c)]]))
        chain.append(act())
        if draw(st.booleans()):
            chain.append(nn.MaxPool2d(2))
            side //= 2
        chain += draw(st.sampled_from([[], [nn.Dropout2d(0.1)]]))
        before = c
    if draw(st.booleans()):
        chain += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    else:
        chain += [nn.Flatten()]
        before *= side * side
    if draw(st.booleans()):
        chain += [nn.Linear(before, 10), act()]
        before = 10
    chain.append(nn.Linear(before, 5))
    return nn.Sequential(*chain), feed(torch.randn(6, 1, 8, 8))


IMAGES = torch.linspace(-1, 1, 6 * 64).sin().reshape(6, 1, 8, 8)
ROWS = torch.arange(48.0).cos().reshape(6, 8)
TOKENS = torch.arange(30).reshape(6, 5) % 11


@st.composite
def others(draw: st.DrawFn) -> Specimen:
    flag = draw(st.booleans())
    kind = draw(st.sampled_from([nn.LSTM, nn.GRU, nn.RNN]))
    last = draw(st.sampled_from(["sequence", "mean", "state"]))
    made: Callable[[], Specimen] = draw(
        st.sampled_from(
            [
                lambda: (Plain(), feed(IMAGES)),
                lambda: (Attribute(draw(st.sampled_from([torch.tanh, F.relu, torch.sigmoid]))), feed(ROWS)),
                lambda: (Branching(), feed(ROWS)),
                lambda: (ResNet(norm=flag), feed(IMAGES)),
                lambda: (Held(draw(st.integers(1, 4))), feed(ROWS)),
                lambda: (Recurrent(kind, flag, last, draw(st.integers(1, 2))), feed(TOKENS)),
                lambda: (Transformer(flag, draw(st.sampled_from(["relu", "gelu"]))), feed(TOKENS)),
                lambda: (Shared(flag), feed(ROWS)),
                lambda: (Tied(), feed(TOKENS)),
                lambda: (Gated(), feed(IMAGES)),
                lambda: (HandMade(), feed(ROWS)),
                lambda: (Reshaping(), feed(ROWS)),
                lambda: (UsesWeights(), feed(ROWS)),
                lambda: (Answer(), lambda model: model({"x": ROWS})),
                lambda: (nn.Linear(8, 3), feed(ROWS)),
                lambda: (nn.Sequential(nn.LazyLinear(7), nn.Tanh(), nn.LazyLinear(3)), feed(ROWS)),
                lambda: (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.Tanh(), nn.Linear(8, 3)), feed(ROWS)),
                lambda: (
                    nn.Sequential(nn.Conv1d(8, 6, 3), nn.BatchNorm1d(6), nn.Sigmoid(), nn.Flatten(), nn.Linear(18, 2)),
                    feed(ROWS[:, :, None].repeat(1, 1, 5)),
                ),
            ]
        )
    )
    return made()


@st.composite
def specimens(draw: st.DrawFn) -> Specimen:
    torch.manual_seed(draw(st.integers(0, 3)))
    model, probe = draw(st.one_of(mlps(), cnns(), others(), others()))
    model.train(draw(st.booleans()))
    return model, probe
