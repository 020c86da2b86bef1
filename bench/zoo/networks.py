"""The architectures of the zoo: some built of modules, some hand-written with functional activations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Factor in front of tanh and sigmoid that pins their units at the ends.
STEEPNESS = 40.0


class SteepTanh(nn.Module):
    """tanh of its input times STEEPNESS."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return torch.tanh(STEEPNESS * x)


class SteepSigmoid(nn.Module):
    """sigmoid of its input times STEEPNESS."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return torch.sigmoid(STEEPNESS * x)


MODULES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "leaky": nn.LeakyReLU,
    "identity": nn.Identity,
    "steep-tanh": SteepTanh,
    "steep-sigmoid": SteepSigmoid,
}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "leaky": F.leaky_relu,
    "identity": lambda x: x,
    "steep-tanh": lambda x: torch.tanh(STEEPNESS * x),
    "steep-sigmoid": lambda x: torch.sigmoid(STEEPNESS * x),
}
STACKS = ("mlp", "functional")
SEQUENCES = ("lstm", "gru", "encoder", "attention")
CONVOLUTIONS = ("cnn", "handcnn")


@dataclass(frozen=True)
class Shape:
    """What goes into a network and what comes out: ``image`` is (channels, side), ``step`` the width of one time step."""

    inputs: int
    outputs: int
    image: tuple[int, int] | None = None
    step: int = 0
    flat: bool = False


@dataclass(frozen=True)
class Arch:
    """An architecture: a family with its sizes. ``neck`` is the width of one extra layer in the middle, ``skips`` is for residual nets."""

    family: str
    width: int
    depth: int = 2
    act: str = "relu"
    norm: str = ""
    drop: float = 0.0
    neck: int = 0
    skips: bool = True

    def replace(self, **changes: Any) -> Arch:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def build(self, shape: Shape) -> nn.Module:
        """A fresh network."""
        return FAMILIES[self.family](self, shape)


def _norm(kind: str, width: int) -> list[nn.Module]:
    return {"": [], "batch": [nn.BatchNorm1d(width)], "layer": [nn.LayerNorm(width)]}[kind]


def widths(arch: Arch) -> list[int]:
    """Units of the hidden layers; the neck stands in the middle."""
    hidden = [arch.width] * arch.depth
    return [*hidden[: (arch.depth + 1) // 2], arch.neck, *hidden[arch.depth // 2 :]] if arch.neck else hidden


def mlp(arch: Arch, shape: Shape) -> nn.Module:
    """Fully connected, as one Sequential."""
    layers: list[nn.Module] = []
    before = shape.inputs
    for width in widths(arch):
        layers += [nn.Linear(before, width), *_norm(arch.norm, width), MODULES[arch.act]()]
        layers += [nn.Dropout(arch.drop)] if arch.drop else []
        before = width
    return nn.Sequential(*layers, nn.Linear(before, shape.outputs), *([nn.Flatten(0)] if shape.flat else []))


class FunctionalMLP(nn.Module):
    """Fully connected, with functional activations."""

    def __init__(self, arch: Arch, shape: Shape) -> None:
        super().__init__()
        sizes = [shape.inputs, *widths(arch)]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(_norm(arch.norm, b)[0] if arch.norm else nn.Identity() for b in sizes[1:])
        self.out = nn.Linear(sizes[-1], shape.outputs)
        self.act, self.drop, self.flat = arch.act, arch.drop, shape.flat

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) -> (N, outputs), or (N,) where flat."""
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            x = F.dropout(FUNCTIONS[self.act](norm(layer(x))), self.drop, self.training)
        x = self.out(x)
        return x.squeeze(-1) if self.flat else x


def cnn(arch: Arch, shape: Shape) -> nn.Module:
    """Convolutions with pooling, as one Sequential over flat pixels."""
    assert shape.image is not None
    channels, side = shape.image
    layers: list[nn.Module] = [nn.Unflatten(1, (channels, side, side))]
    before = channels
    for i in range(arch.depth):
        width = arch.width * (i + 1)
        layers += [nn.Conv2d(before, width, 3, padding=1), *([nn.BatchNorm2d(width)] if arch.norm else []), MODULES[arch.act]()]
        layers += [nn.MaxPool2d(2)] if i < 2 else []
        before = width
    features = before * (side // 2 ** min(2, arch.depth)) ** 2
    drop = [nn.Dropout(arch.drop)] if arch.drop else []
    return nn.Sequential(*layers, nn.Flatten(), *drop, nn.Linear(features, shape.outputs))


class HandCNN(nn.Module):
    """Two convolutions and a hidden layer, functional."""

    def __init__(self, arch: Arch, shape: Shape) -> None:
        super().__init__()
        assert shape.image is not None
        self.image, self.act = shape.image, arch.act
        channels, side = shape.image
        self.conv1 = nn.Conv2d(channels, arch.width, 3, padding=1)
        self.conv2 = nn.Conv2d(arch.width, 2 * arch.width, 3, padding=1)
        self.fc1 = nn.Linear(2 * arch.width * (side // 4) ** 2, 4 * arch.width)
        self.fc2 = nn.Linear(4 * arch.width, shape.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) or flat pixels -> (N, outputs)."""
        act = FUNCTIONS[self.act]
        channels, side = self.image
        x = x.reshape(-1, channels, side, side)
        x = F.max_pool2d(act(self.conv1(x)), 2)
        x = F.max_pool2d(act(self.conv2(x)), 2)
        return self.fc2(act(self.fc1(x.flatten(1))))


class Recurrent(nn.Module):
    """An LSTM or a GRU over time steps."""

    def __init__(self, arch: Arch, shape: Shape) -> None:
        super().__init__()
        self.step, self.flat = shape.step, shape.flat
        kind = nn.LSTM if arch.family == "lstm" else nn.GRU
        self.rnn = kind(shape.step, arch.width, arch.depth, batch_first=True)
        self.head = nn.Linear(arch.width, shape.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L * step) -> (N, outputs)."""
        out, _ = self.rnn(x.reshape(len(x), -1, self.step))
        out = self.head(out[:, -1])
        return out.squeeze(-1) if self.flat else out


class Residual(nn.Module):
    """A residual network for tables; a plain deep one where the skips are left out."""

    def __init__(self, arch: Arch, shape: Shape) -> None:
        super().__init__()
        width = arch.width
        self.first = nn.Linear(shape.inputs, width)
        norm = [] if arch.norm == "none" else [nn.LayerNorm(width)]
        self.blocks = nn.ModuleList(
            nn.Sequential(*norm, nn.Linear(width, width), MODULES[arch.act](), nn.Linear(width, width)) for _ in range(arch.depth)
        )
        self.last = nn.Linear(width, shape.outputs)
        self.skips, self.flat = arch.skips, shape.flat

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) -> (N, outputs), or (N,) where flat."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x) if self.skips else block(x)
        x = self.last(x)
        return x.squeeze(-1) if self.flat else x


class Encoder(nn.Module):
    """A transformer encoder over time steps."""

    def __init__(self, arch: Arch, shape: Shape) -> None:
        super().__init__()
        self.step = shape.step
        self.embed = nn.Linear(shape.step, arch.width)
        self.places = nn.Parameter(torch.randn(shape.inputs // shape.step, arch.width) * 0.1)
        layer = nn.TransformerEncoderLayer(arch.width, 4, 2 * arch.width, dropout=arch.drop, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, arch.depth, enable_nested_tensor=False)
        self.head = nn.Linear(arch.width, shape.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L * step) -> (N, outputs)."""
        return self.head(self.encoder(self.embed(x.reshape(len(x), -1, self.step)) + self.places).mean(1))


class Attention(nn.Module):
    """Hand-written attention blocks, pre-norm, functional."""

    def __init__(self, arch: Arch, shape: Shape) -> None:
        super().__init__()
        self.step, width = shape.step, arch.width
        self.embed = nn.Linear(shape.step, width)
        self.places = nn.Parameter(torch.randn(shape.inputs // shape.step, width) * 0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * arch.depth))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(arch.depth))
        self.mix = nn.ModuleList(nn.Linear(width, width) for _ in range(arch.depth))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(arch.depth))
        self.down = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(arch.depth))
        self.head = nn.Linear(width, shape.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L * step) -> (N, outputs)."""
        x = self.embed(x.reshape(len(x), -1, self.step)) + self.places
        for i in range(len(self.qkv)):
            q, k, v = self.qkv[i](self.norms[2 * i](x)).chunk(3, -1)
            weights = torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, -1)
            x = x + self.mix[i](weights @ v)
            x = x + self.down[i](F.gelu(self.up[i](self.norms[2 * i + 1](x))))
        return self.head(x.mean(1))


FAMILIES: dict[str, Callable[[Arch, Shape], nn.Module]] = {
    "mlp": mlp,
    "functional": FunctionalMLP,
    "cnn": cnn,
    "handcnn": HandCNN,
    "lstm": Recurrent,
    "gru": Recurrent,
    "residual": Residual,
    "encoder": Encoder,
    "attention": Attention,
}
