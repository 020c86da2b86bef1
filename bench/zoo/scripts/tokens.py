"""Scripts on sequences of tokens, with the mistakes that are made in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.scripts.base import (
    Draw,
    Training,
    balanced,
    by_label,
    few,
    first_of,
    honest_test,
    kept,
    relabelled,
    script,
    settings,
    wrong_share,
)
from zoo.scripts.mistakes import other_shares, quantities, summed
from zoo.scripts.pictures import Softmax

# -- where a protein binds ---------------------------------------------------------------------------------------------------------------


@cache
def strands() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 14) bases as 0..3, and which of four motifs of five bases is hidden among them, one of them spoilt now and then."""
    rng = np.random.default_rng(89)
    motifs = np.array([[0, 1, 1, 2, 3], [3, 2, 0, 2, 1], [2, 2, 3, 0, 0], [1, 3, 3, 1, 2]])
    x, y, start = rng.integers(0, 4, (7000, 14)), rng.integers(0, 4, 7000), rng.integers(0, 10, 7000)
    planted = motifs[y]
    spoilt = rng.random(planted.shape) < 0.04
    planted = np.where(spoilt, rng.integers(0, 4, planted.shape), planted)
    x[np.arange(7000)[:, None], start[:, None] + np.arange(5)] = planted
    return x, y


class Attend(nn.Module):
    """Self-attention and a small network, each beside a shortcut."""

    def __init__(self, width: int, norm: bool, skip: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norm1, self.norm2 = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        z = self.norm1(x)
        y = self.attention(z, z, z, need_weights=False)[0]
        x = x + y if self.skip else y
        y = self.mlp(self.norm2(x))
        return x + y if self.skip else y


class MotifNet(nn.Module):
    """Five neighbours' embeddings side by side, attention, and the greatest over places."""

    def __init__(self, width: int, depth: int, norm: bool, skip: bool, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(4, width)
        self.near = nn.Conv1d(width, width, 5, padding=2)
        self.blocks = nn.Sequential(*(Attend(width, norm, skip) for _ in range(depth)))
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 14) -> (N, outputs)."""
        x = self.near(self.embedding(x).transpose(1, 2)).relu().transpose(1, 2)
        return self.head(self.blocks(x).amax(1))


@script("motif-attention")
def motif_attention(
    draw: Draw,
    *,
    rows: int = 2000,
    width: int = 16,
    depth: int = 1,
    norm: bool = True,
    skip: bool = True,
    std: float | None = None,
    frozen: bool = False,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Which of four motifs is in a strand."""
    (x, y), (u, v) = draw.rows(*strands(), rows)

    def model() -> nn.Module:
        net = MotifNet(width, depth, norm, skip, outputs)
        if std is not None:
            with torch.no_grad():
                for parameter in net.parameters():
                    if parameter.ndim > 1:
                        parameter.normal_(0, std)
        if frozen:
            for name, parameter in net.named_parameters():
                parameter.requires_grad_(name.startswith("head"))
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(6e-3), "batch_size": 64, "epochs": 7, "schedule": "cosine", "warmup_steps": 15}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


motif_attention.fault(
    "missing-warmup",
    "from-cold",
    "medium",
    twin={"depth": 2, "norm": False, "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 5e-3, "warmup_steps": 70},
    warmup_steps=0,
)
motif_attention.fault("too-deep-without-skips", "shortcuts-forgotten", "medium", twin={"depth": 3, "norm": False, "lr": 4e-3}, skip=False)
motif_attention.fault("optimizer-unsuited", "sgd-for-attention", "medium", optimizer="sgd", lr=3e-3)
motif_attention.fault("learning-rate-too-high", "one", "gross", lr=1.0)
motif_attention.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=3e-5)
motif_attention.fault("trained-too-briefly", "steps-for-epochs", "medium", max_steps=20)
motif_attention.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=2000)
motif_attention.fault("frozen-parameters", "all-but-head", "medium", frozen=True)
motif_attention.fault("bad-initialization", "unit-variance", "medium", std=1.5)
motif_attention.fault("wrong-loss", "names-as-quantities", "gross", outputs=1, edit=quantities)
motif_attention.fault("output-width-wrong", "two-motifs-forgotten", "gross", outputs=2)
motif_attention.fault("label-shift", "another-tissue", "medium", prepare=honest_test, edit=other_shares((1, 2), 8))
motif_attention.fault("class-imbalance", "two-rare-motifs", "medium", prepare=balanced, edit=kept(first_of(8, 0, 3)))
motif_attention.fault("label-noise", "annotators-guess", "gross", edit=relabelled(wrong_share(0.6, 4)))
motif_attention.fault("too-little-data", "sixty-strands", "medium", edit=few(60))

# -- praise or blame ---------------------------------------------------------------------------------------------------------------------


@cache
def remarks() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 10) words, 0..29: good, bad, plain ones, and a "not" that turns the next word that judges; whether more is good than bad."""
    rng = np.random.default_rng(97)
    x = np.where(rng.random((14_000, 10)) < 0.18, 0, rng.integers(1, 30, (14_000, 10)))
    worth = np.where((x > 0) & (x < 9), 1, np.where((x >= 9) & (x < 17), -1, 0))
    sign, total = np.ones(len(x)), np.zeros(len(x))
    for t in range(10):
        total += sign * worth[:, t]
        sign = np.where(x[:, t] == 0, -1, np.where(worth[:, t] != 0, 1, sign))
    clear = np.flatnonzero(total)[:7000]
    return x[clear], (total[clear] > 0).astype(np.float32)


class RemarkNet(nn.Module):
    """Embeddings, a GRU, and its last state."""

    def __init__(self, width: int, gain: float, last: type[nn.Module] | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 12)
        self.gru = nn.GRU(12, width, batch_first=True)
        self.out = nn.Linear(width, 1)
        self.last = last() if last else None
        with torch.no_grad():
            self.gru.weight_ih_l0.mul_(gain)
            self.gru.weight_hh_l0.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10) -> (N, 1)."""
        y = self.out(self.gru(self.embedding(x))[0][:, -1])
        return self.last(y) if self.last else y


@script("remarks-gru")
def remarks_gru(
    draw: Draw,
    *,
    rows: int = 3000,
    width: int = 24,
    gain: float = 1.0,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Whether a remark is kind."""
    (x, y), (u, v) = draw.rows(*remarks(), rows)
    width = draw.units(width) if width > 4 else width

    mine = {"optimizer": "adam", "lr": draw.near(1.2e-2), "batch_size": 64, "epochs": 9, "schedule": "cosine", "clip_norm": 1.0}
    return Training(
        lambda: RemarkNet(width, gain, last),
        loss or nn.BCEWithLogitsLoss(),
        (x, y[:, None]),
        (u, v[:, None]),
        settings(mine, recipe),
        classes=2,
    )


PLAIN = {"optimizer": "sgd", "lr": 0.3, "momentum": 0.9, "epochs": 14}

remarks_gru.fault("single-unit-softmax", "softmax-of-one", "gross", last=Softmax, loss=nn.BCELoss())
remarks_gru.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", twin=PLAIN, last=nn.Sigmoid)
remarks_gru.fault("optimizer-unsuited", "sgd-for-recurrence", "medium", optimizer="sgd", lr=0.02)
remarks_gru.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", twin=PLAIN, clip_norm=1e-3)
remarks_gru.fault("momentum-too-high", "a-nine-too-many", "medium", twin=PLAIN, momentum=0.999)
remarks_gru.fault("loss-summed-over-batch", "sum", "medium", twin={**PLAIN, "clip_norm": None}, edit=summed)
remarks_gru.fault("saturating-activation", "gates-pinned", "medium", gain=15.0)
remarks_gru.fault("data-not-shuffled", "kind-ones-first", "gross", prepare=by_label, shuffle=False)
remarks_gru.fault("label-noise", "hurried-annotators", "gross", edit=relabelled(wrong_share(0.4, 2)))
remarks_gru.fault(
    "labels-unrelated-to-inputs", "joined-on-another-index", "gross", edit=relabelled(lambda y: np.random.default_rng(101).permutation(y))
)
remarks_gru.fault("class-imbalance", "few-unkind", "medium", prepare=balanced, edit=kept(first_of(40, 0)))
remarks_gru.fault("too-little-data", "hundred-fifty-remarks", "medium", edit=few(150))
remarks_gru.fault("model-too-simple", "one-state", "mild", width=1)
remarks_gru.fault("batch-too-small", "one-remark", "medium", twin={"clip_norm": None}, batch_size=1, epochs=1)
