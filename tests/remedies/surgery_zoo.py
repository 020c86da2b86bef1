"""Small architectures of every kind that surgery has to cope with, each with a batch of inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


class Attention(nn.Module):
    """Heads are split off by reshaping, without torch's own attention."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.heads = heads

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (layer(x).view(n, t, self.heads, c // self.heads).transpose(1, 2) for layer in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-2, -1) / (c // self.heads) ** 0.5).softmax(-1)
        return self.o((weights @ v).transpose(1, 2).reshape(n, t, c))


class GPT(nn.Module):
    def __init__(self, layers=2):
        super().__init__()
        self.token, self.place = nn.Embedding(11, 8), nn.Embedding(5, 8)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"norm1": nn.LayerNorm(8), "attention": Attention(), "norm2": nn.LayerNorm(8), "mlp": self._mlp()})
            for _ in range(layers)
        )
        self.head = nn.Linear(8, 11, bias=False)

    @staticmethod
    def _mlp():
        return nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, x):
        x = self.token(x) + self.place(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            x = x + block["attention"](block["norm1"](x))
            x = x + block["mlp"](block["norm2"](x))
        return self.head(x).transpose(1, 2)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.bottom = nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 1, 1)

    def forward(self, x):
        side = self.down(x)
        bottom = F.relu_(self.bottom(F.max_pool2d(side, 2)))
        return torch.sigmoid(self.out(torch.cat([side, self.up(bottom)], 1)))


class HandLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.enter, self.again, self.out = nn.Embedding(11, 6), nn.Linear(6, 16), nn.Linear(4, 16), nn.Linear(4, 2)

    def forward(self, x):
        x = self.embed(x)
        h = c = x.new_zeros(len(x), 4)
        for t in range(x.shape[1]):
            i, f, g, o = (self.enter(x[:, t]) + self.again(h)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.out(h)


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(8, 3)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 2)) for _ in range(3)])

    def forward(self, x):
        weights = F.softmax(self.gate(x), -1)
        return (torch.stack([e(x) for e in self.experts], 1) * weights[:, :, None]).sum(1)


@dataclass
class Result:
    logits: Tensor
    hidden: Tensor


class Returns(nn.Module):
    """A dataclass with a hidden state in it."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 6), nn.Linear(6, 2)

    def forward(self, x, mask=None):
        h = torch.relu(self.a(x))
        return Result(self.b(h), h)


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
                lambda: (GPT(), feed(TOKENS)),
                lambda: (UNet(), feed(IMAGES)),
                lambda: (HandLSTM(), feed(TOKENS)),
                lambda: (Experts(), feed(ROWS)),
                lambda: (Returns(), lambda model: model(x=ROWS)),
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
