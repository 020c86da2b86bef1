"""Scripts on sequences and signals."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from zoo.scripts.base import Draw, Training, initialized, script, settings

# -- who speaks --------------------------------------------------------------------------------------------------------------------------


@cache
def voices() -> tuple[np.ndarray, np.ndarray]:
    """(3000, 32, 16) bands over time, file by file, and one of six speakers."""
    x, y = data.speakers()
    return np.ascontiguousarray(x.transpose(0, 2, 1)), y


class VoiceNet(nn.Module):
    """Convolutions over time."""

    def __init__(self, channels: int, depth: int, norm: bool, outputs: int, last: type[nn.Module] | None) -> None:
        super().__init__()
        sizes = [32, *([channels] * depth)]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Conv1d(a, b, 3, padding=1), *([nn.BatchNorm1d(b)] if norm else []), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveMaxPool1d(2), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(2 * channels, outputs), *([last()] if last else []))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 32, 16) -> (N, outputs)."""
        return self.head(self.body(x))


@script("speaker-conv")
def speaker_conv(
    draw: Draw,
    *,
    rows: int = 1600,
    in_file_order: bool = False,
    depth: int = 2,
    norm: bool = True,
    outputs: int = 6,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Who of six says a digit."""
    x, y = voices()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if in_file_order:
        order = np.argsort(y, kind="stable")
        x, y = x[order], y[order]
    channels = draw.units(24)
    mine = {"optimizer": "adamw", "lr": draw.near(5e-3), "batch_size": 32, "epochs": 8, "schedule": "cosine"}
    model = lambda: VoiceNet(channels, depth, norm, outputs, last)  # noqa: E731
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=6)


# -- the adding problem ------------------------------------------------------------------------------------------------------------------


@cache
def additions(length: int, noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """(6000, length, 2) numbers in 0..1 with two of them marked, and their sum (Hochreiter and Schmidhuber 1997), measured with noise."""
    rng = np.random.default_rng(2)
    x = np.zeros((6000, length, 2), np.float32)
    x[..., 0] = rng.uniform(0, 1, (6000, length))
    marked = rng.random((6000, length)).argsort(1)[:, :2]
    x[np.arange(6000)[:, None], marked, 1] = 1
    return x, ((x.prod(2).sum(1) - 1) / 0.41 + noise * rng.normal(0, 1, 6000)).astype(np.float32)


class Adder(nn.Module):
    """A recurrent network that is asked at the end."""

    def __init__(self, kind: str, width: int, outputs: int) -> None:
        super().__init__()
        self.rnn: nn.Module = {"gru": nn.GRU, "tanh": nn.RNN}[kind](2, width, batch_first=True)
        self.readout = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, 2) -> (N, outputs)."""
        states, _ = self.rnn(x)
        return self.readout(states[:, -1])


@script("adding-gru")
def adding_gru(
    draw: Draw,
    *,
    rows: int = 2500,
    length: int = 8,
    width: int = 24,
    kind: str = "gru",
    unit: float = 1.0,
    offset: float = 0.0,
    flat: bool = False,
    outputs: int = 1,
    gain: float = 1.0,
    frozen: str = "",
    **recipe: Any,
) -> Training:
    """The sum of the two numbers that are marked."""
    (x, y), (u, v) = draw.rows(*additions(length), rows)
    y, v = y * unit + offset, v * unit + offset
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = Adder(kind, width, outputs)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if "weight_hh" in name:
                    parameter.mul_(gain)
                if frozen and frozen in name:
                    parameter.requires_grad_(False)
        return net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(1e-2), "batch_size": 64, "epochs": 20, "schedule": "cosine", "clip_norm": 1.0}
    return Training(model, nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))


# -- which token is most frequent --------------------------------------------------------------------------------------------------------


@cache
def majorities() -> tuple[np.ndarray, np.ndarray]:
    """(8000, 12) tokens out of twelve, in four families; the label is the family seen most often, where one is."""
    rng = np.random.default_rng(3)
    weights = rng.dirichlet(np.full(4, 0.8), 14_000)
    families = (rng.random((14_000, 12, 1)) > weights.cumsum(1)[:, None, :-1]).sum(2)
    x = (families * 3 + rng.integers(0, 3, families.shape)).astype(np.int64)
    counts = (families[..., None] == np.arange(4)).sum(1)
    top = np.sort(counts, 1)
    single = np.flatnonzero(top[:, -1] > top[:, -2])[:8000]
    return x[single], counts.argmax(1)[single]


class TokenTransformer(nn.Module):
    """Embeddings, encoder layers, an average."""

    def __init__(self, width: int, depth: int, drop: float, first: bool, norm: bool, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, width)
        self.place = nn.Parameter(0.02 * torch.randn(12, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, drop, batch_first=True, norm_first=first)
        if not norm:
            layer.norm1, layer.norm2 = nn.Identity(), nn.Identity()  # type: ignore[assignment]
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 12) -> (N, outputs)."""
        return self.head(self.encoder(self.embedding(x) + self.place).mean(1))


@script("majority-transformer")
def majority_transformer(
    draw: Draw,
    *,
    rows: int = 2500,
    width: int = 16,
    depth: int = 1,
    drop: float = 0.0,
    first: bool = True,
    norm: bool = True,
    outputs: int = 4,
    std: float | None = None,
    frozen: bool = False,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The family of tokens that is seen most often in a sequence of twelve."""
    (x, y), (u, v) = draw.rows(*majorities(), rows)

    def model() -> nn.Module:
        net = TokenTransformer(width, depth, drop, first, norm, outputs)
        if std is not None:
            with torch.no_grad():
                for parameter in net.parameters():
                    if parameter.ndim > 1:
                        parameter.normal_(0, std)
        if frozen:
            for name, parameter in net.named_parameters():
                parameter.requires_grad_(name.startswith("head"))
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adamw", "lr": draw.near(4e-3), "batch_size": 64, "epochs": 8, "schedule": "cosine", "warmup_steps": 20}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


# -- the next move of a chaotic system ---------------------------------------------------------------------------------------------------


@cache
def lorenz() -> tuple[np.ndarray, np.ndarray]:
    """(5000, 3, 16) windows of a noisy Lorenz system in the order of time, and how its third number changes in four steps."""
    state, path = np.array([1.0, 1.0, 20.0]), []
    for _ in range(5000 * 2 + 200):
        a, b, c = state
        state = state + 0.01 * np.array([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c])
        path.append(state)
    track = np.array(path[100:])[::2]
    track = (track - track.mean(0)) / track.std(0)
    seen = track + 0.05 * np.random.default_rng(4).normal(0, 1, track.shape)
    starts = np.arange(len(track) - 24)
    x = np.stack([seen[s : s + 16].T for s in starts])
    change = track[starts + 19, 2] - track[starts + 15, 2]
    return x.astype(np.float32), (change / change.std()).astype(np.float32)


class WaveBlock(nn.Module):
    """A dilated convolution beside a shortcut."""

    def __init__(self, channels: int, dilation: int, skip: bool, act: type[nn.Module]) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.act, self.skip = act(), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, L)."""
        y = self.mix(self.act(self.conv(x)))
        return x + y if self.skip else y


@script("lorenz-dilated")
def lorenz_dilated(
    draw: Draw,
    *,
    rows: int = 2000,
    blocks: int = 2,
    skip: bool = True,
    act: type[nn.Module] = nn.ReLU,
    last: type[nn.Module] | None = None,
    unit: float = 1.0,
    offset: float = 0.0,
    flat: bool = False,
    bias: float | None = None,
    gain: float = 1.0,
    **recipe: Any,
) -> Training:
    """How the third number of a Lorenz system moves, by sixteen noisy steps of all three."""
    (x, y), (u, v) = draw.rows(*lorenz(), rows)
    y, v = y * unit + offset, v * unit + offset

    def model() -> nn.Module:
        body = [WaveBlock(16, 2 ** (i % 3), skip, act) for i in range(blocks)]
        net = nn.Sequential(nn.Conv1d(3, 16, 1), *body, nn.Flatten(), nn.Linear(256, 1), *([last()] if last else []))
        return initialized(net, lambda w: w.mul_(gain), bias, last=False) if gain != 1 or bias is not None else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(3e-3), "batch_size": 64, "epochs": 12, "schedule": "cosine"}
    return Training(model, nn.HuberLoss(), (x, y), (u, v), settings(mine, recipe))


# -- lines in a spectrum -----------------------------------------------------------------------------------------------------------------


class Lines(nn.Module):
    """A sum of bell curves; places, widths and heights are learned."""

    def __init__(self, centres: tuple[float, ...], spread: float, width: float, fixed: bool) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.tensor(centres) + spread * torch.randn(len(centres)), requires_grad=not fixed)
        self.widths = nn.Parameter(torch.full((len(centres),), math.log(width)))
        self.heights = nn.Parameter(torch.ones(len(centres)))
        self.base = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1) -> (N, 1)."""
        return (self.heights * torch.exp(-(((x - self.centres) / self.widths.exp()) ** 2))).sum(1, keepdim=True) + self.base


@script("spectral-lines")
def spectral_lines(
    draw: Draw,
    *,
    rows: int = 1500,
    noise: float = 0.1,
    centres: tuple[float, ...] = (-2.5, 0.0, 2.5),
    spread: float = 0.2,
    width: float = 0.6,
    fixed: bool = False,
    **recipe: Any,
) -> Training:
    """Three lines of a spectrum, fitted by three bell curves."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-5, 5, (3000, 1)).astype(np.float32)
    true = [(1.2, -2.9, 0.5), (1.0, 0.3, 0.6), (1.5, 2.8, 0.4)]
    clean = sum(h * np.exp(-(((x - c) / w) ** 2)) for h, c, w in true)
    y = clean + noise * rng.normal(0, 1, x.shape)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    (x, y), (u, v) = draw.rows(x, y, rows)
    mine = {"optimizer": "adam", "lr": draw.near(6e-2), "batch_size": 64, "epochs": 15, "schedule": "cosine"}
    return Training(lambda: Lines(centres, spread, width, fixed), nn.MSELoss(), (x, y), (u, v), settings(mine, recipe))
