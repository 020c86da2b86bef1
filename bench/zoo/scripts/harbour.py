"""Scripts of a harbour's office, with the mistakes that are made in them."""

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
    copied,
    few,
    first_of,
    freeze_below_out,
    given_validation,
    honest_test,
    initialized,
    judged_by_validation,
    kept,
    redraw,
    relabelled,
    scaled,
    script,
    settings,
    test_inputs,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.mistakes import beyond, flattered, missing, missing_targets, other_shares, quantities, summed
from zoo.scripts.pictures import Softmax

# -- hours before a berth is free --------------------------------------------------------------------------------------------------------

TERMINALS, KINDS, AGENTS = 6, 8, 14
CODES = (TERMINALS, KINDS, AGENTS)


@cache
def arrivals() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 11) terminal, kind of ship, agent, length, draught, containers, tide, wind, ships before, hour as sine and cosine; (7000,) hours
    of waiting."""
    rng = np.random.default_rng(211)
    n = 7000
    terminal, kind = (
        rng.choice(TERMINALS, n, p=[0.3, 0.22, 0.18, 0.14, 0.1, 0.06]),
        rng.choice(KINDS, n, p=rng.dirichlet(np.full(KINDS, 5.0))),
    )
    agent, hour = rng.integers(0, AGENTS, n), rng.uniform(0, 24, n)
    length = np.clip(rng.gamma(9, 21, n), 60, 400)
    draught = 3 + 0.035 * length + 1.2 * rng.normal(0, 1, n)
    containers, wind = rng.lognormal(5.5, 0.8, n), rng.gamma(2.5, 3.6, n)
    tide, before = 2 * np.sin(rng.uniform(0, 2 * np.pi, n)), rng.poisson(3.0, n)
    speed, depth = rng.uniform(0.5, 1.5, TERMINALS), rng.uniform(8.0, 13.0, TERMINALS)
    hours = 2.0 + 0.9 * before * speed[terminal] * (0.6 + 0.8 * rng.random(KINDS)[kind])
    hours += 1.3 * np.maximum(draught - depth[terminal] - 0.6 * tide, 0) + 0.12 * np.maximum(wind - 9, 0) ** 1.3 * length / 180
    hours += 1.2 * rng.normal(0, 1, AGENTS)[agent] + 0.8 * np.cos(2 * np.pi * (hour - 3) / 24) + 0.004 * np.minimum(containers, 900)
    hours += 0.9 * rng.normal(0, 1, n)
    numbers = [length, draught, containers, tide, wind, before, np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24)]
    return np.stack([terminal, kind, agent, *numbers], 1).astype(np.float32), hours.astype(np.float32)


class Block(nn.Module):
    """A layer beside a shortcut."""

    def __init__(self, width: int, act: type[nn.Module], norm: bool, skip: bool, drop: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.layer, self.act, self.drop, self.skip = nn.Linear(width, width), act(), nn.Dropout(drop), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) -> (N, width)."""
        y = self.drop(self.act(self.layer(self.norm(x))))
        return x + y if self.skip else y


class CrossNet(nn.Module):
    """Codes as vectors beside numbers, once crossed with themselves, then residual blocks."""

    def __init__(
        self, width: int, depth: int, act: type[nn.Module], norm: bool, skip: bool, drop: float, cross: bool, neck: int, outputs: int
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(codes, 3) for codes in CODES)
        self.cross = nn.Linear(17, 17) if cross else None
        self.entry = nn.Sequential(nn.Linear(17, neck), nn.Linear(neck, width)) if neck else nn.Linear(17, width)
        self.act = act()
        self.blocks = nn.Sequential(*(Block(width, act, norm, skip, drop) for _ in range(depth)))
        self.out = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 11) -> (N, outputs)."""
        x = torch.cat([*(table(x[:, i].long()) for i, table in enumerate(self.tables)), x[:, 3:]], 1)
        if self.cross is not None:
            x = x + x * self.cross(x)
        return self.out(self.blocks(self.act(self.entry(x))))


@script("berth-waits")
def berth_waits(
    draw: Draw,
    *,
    rows: int = 3000,
    scale: bool = True,
    only: tuple[int, ...] = (),
    width: int = 32,
    depth: int = 2,
    act: type[nn.Module] = nn.ReLU,
    norm: bool = True,
    skip: bool = True,
    drop: float = 0.0,
    cross: bool = True,
    neck: int = 0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    frozen: bool = False,
    unit: float = 1.0,
    centred: bool = True,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """How many hours a ship waits for its berth."""
    x, y = arrivals()
    y = ((y - 8.0) / 3.6 if centred else y / 3.6) * np.float32(unit)
    (x, y), (u, v) = draw.rows(x.copy(), y.astype(np.float32), rows)
    if scale:
        x[:, 5], u[:, 5] = np.log(x[:, 5]), np.log(u[:, 5])
        x[:, 3:], u[:, 3:] = scaled(x[:, 3:], u[:, 3:])
    if only:
        for table in (x, u):
            table[:, [j for j in range(11) if j not in only]] = 0
    width = draw.units(width) if width > 8 else width

    def model() -> nn.Module:
        net: nn.Module = CrossNet(width, depth, act, norm, skip, drop, cross, neck, outputs)
        redraw(net, std, gain, bias)
        if frozen:
            freeze_below_out(net)
        return nn.Sequential(net, last()) if last else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adamw", "lr": draw.near(2.5e-2), "weight_decay": 1e-2, "batch_size": 100, "epochs": 12, "schedule": "cosine"}
    return Training(model, nn.SmoothL1Loss(), (x, y), (u, v), settings(mine, recipe))


SGD = {"optimizer": "sgd", "lr": 0.15, "momentum": 0.9, "weight_decay": 1e-4, "epochs": 12}
BARE = {"norm": False, "skip": False, "lr": 6e-3, "epochs": 14}
FEW = {"rows": 250, "depth": 1, "width": 48, "batch_size": 16, "lr": 6e-3, "epochs": 12}
COLD = {
    "depth": 8,
    "norm": False,
    "optimizer": "rmsprop",
    "optimizer_options": {"alpha": 0.999},
    "lr": 4e-3,
    "weight_decay": 0.0,
    "warmup_steps": 70,
}


def deeper_ships(x: np.ndarray) -> np.ndarray:
    """Lengths in feet, draughts in feet, wind in knots, by a scaler for metres."""
    x = x.copy()
    x[:, [3, 4, 7]] = x[:, [3, 4, 7]] * 3.0 + np.array([4.5, 5.0, 1.5], np.float32)
    return x


berth_waits.fault("learning-rate-too-high", "decimal-slip", "medium", lr=0.6)
berth_waits.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=5e-5)
berth_waits.fault("learning-rate-decays-too-fast", "gamma-of-steps-for-epochs", "medium", schedule="exponential:0.1")
berth_waits.fault("missing-warmup", "long-memory-from-cold", "medium", twin=COLD, warmup_steps=0)
berth_waits.fault("optimizer-unsuited", "plain-gradient-descent", "medium", optimizer="sgd", lr=5e-3)
berth_waits.fault("batch-too-large", "all-rows", "medium", batch_size=2400)
berth_waits.fault("momentum-too-high", "a-nine-too-many", "medium", twin=SGD, momentum=0.998)
berth_waits.fault("trained-too-briefly", "twelve-updates", "medium", max_steps=12)
berth_waits.fault("vanishing-gradient", "sigmoid-everywhere", "medium", twin={**BARE, "depth": 6}, act=nn.Sigmoid)
berth_waits.fault("dead-units", "low-biases", "medium", twin=BARE, bias=-4.0)
berth_waits.fault("saturating-activation", "unit-variance-weights", "medium", twin={**BARE, "act": nn.Tanh, "cross": False}, std=2.0)
berth_waits.fault(
    "saddle-point",
    "around-the-origin",
    "medium",
    twin={**SGD, **BARE, "act": nn.Tanh, "cross": False, "depth": 3, "lr": 0.2},
    std=3e-3,
    bias=0.0,
)
berth_waits.fault("unnormalized-input", "metres-and-containers", "medium", twin={"norm": False}, scale=False)
berth_waits.fault("unnormalized-target", "minutes", "gross", twin=SGD, unit=60 * 3.6, centred=False)
berth_waits.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
berth_waits.fault("wrong-output-activation", "no-waits-below-zero", "medium", last=nn.ReLU)
berth_waits.fault("loss-summed-over-batch", "sum", "medium", twin={**SGD, "norm": False, "lr": 0.1}, edit=summed)
berth_waits.fault("bottleneck", "one-number-passes", "medium", twin={"cross": False, "neck": 16}, neck=1)
berth_waits.fault("features-insufficient", "agent-and-length", "gross", only=(2, 3))
berth_waits.fault("over-regularized", "decay-copied-from-l2", "medium", weight_decay=20.0)
berth_waits.fault("missing-nonlinearity", "activations-left-out", "mild", twin={"cross": False, "norm": False}, act=nn.Identity)
berth_waits.fault("too-little-data", "last-weekend", "medium", edit=few(80))
berth_waits.fault(
    "model-too-flexible",
    "four-wide-blocks",
    "medium",
    twin={"rows": 200, "depth": 0, "width": 12, "cross": False, "lr": 1e-2, "batch_size": 16, "epochs": 25},
    depth=4,
    width=256,
    cross=True,
    lr=2e-3,
)
berth_waits.fault("train-test-leakage", "upsampled-before-split", "medium", twin={**FEW, "epochs": 20}, prepare=flattered, edit=copied(5))
berth_waits.fault("covariate-shift", "storms-to-come", "medium", prepare=honest_test, edit=beyond(7, 0.4))
berth_waits.fault("preprocessing-mismatch", "feet-and-knots", "medium", prepare=honest_test, edit=test_inputs(deeper_ships))
berth_waits.fault("labels-unrelated-to-inputs", "next-ship", "gross", edit=relabelled(lambda y: np.roll(y, 1, 0)))
berth_waits.fault(
    "wrong-labels", "validation-in-days", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: y / 24 + 5)
)
berth_waits.fault("non-finite-data", "waits-not-recorded", "medium", edit=missing_targets)

# -- what a laser sees on the water ------------------------------------------------------------------------------------------------------

POINTS, SHAPES = 24, 5


@cache
def echoes() -> tuple[np.ndarray, np.ndarray]:
    """(4500, 24, 3) metres: points on barges, hulls, buoys, sails and floating containers, seen from any side; (4500,) which of them."""
    rng = np.random.default_rng(223)
    n = 4500
    y = rng.integers(0, SHAPES, n)
    a, h = rng.uniform(0, 2 * np.pi, (n, POINTS)), rng.uniform(0, 1, (n, POINTS))
    side = rng.integers(0, 4, (n, POINTS))
    along = rng.uniform(-1, 1, (n, POINTS))
    square = np.stack([np.where(side < 2, along, 2.0 * (side == 2) - 1), np.where(side < 2, 2.0 * (side == 0) - 1, along)], 2)
    ring = np.stack([np.cos(a), np.sin(a)], 2)
    flat = {
        0: np.concatenate([square * [1.6, 0.7], 0.3 * h[..., None]], 2),
        1: np.concatenate([ring * [1.6, 0.6] * (0.55 + 0.45 * h[..., None]), 0.7 * h[..., None]], 2),
        2: np.concatenate([0.7 * ring * (1 - 0.8 * h[..., None]), 1.3 * h[..., None]], 2),
        3: np.concatenate([(along * (1 - h))[..., None] * [1.0, 0.0], 1.5 * h[..., None]], 2),
        4: np.concatenate([square * [1.1, 0.6], 0.9 * h[..., None]], 2),
    }
    x = np.choose(y[:, None, None], [flat[k] for k in range(SHAPES)])
    x *= np.exp(0.15 * rng.normal(0, 1, (n, 1, 3)))
    turn = rng.uniform(0, 2 * np.pi, n)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x = np.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1], x[..., 2]], 2)
    x += 0.13 * rng.normal(0, 1, x.shape)
    return (4.0 * x + [35.0, -20.0, 2.0]).astype(np.float32), y


class PointNet(nn.Module):
    """The same layers for every point, the largest of what they say, and layers on that."""

    def __init__(
        self,
        widths: tuple[int, ...],
        head: tuple[int, ...],
        act: type[nn.Module],
        norm: bool,
        drop: float,
        outputs: int,
        last: type[nn.Module] | None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in zip((3, *widths), widths, strict=False):
            layers += [nn.Conv1d(a, b, 1), *([nn.BatchNorm1d(b)] if norm else []), act()]
        self.points = nn.Sequential(*layers)
        layers = []
        for a, b in zip((widths[-1], *head), head, strict=False):
            layers += [nn.Linear(a, b), act(), nn.Dropout(drop)]
        self.head = nn.Sequential(*layers, nn.Linear((widths[-1], *head)[-1], outputs))
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 24, 3) -> (N, outputs)."""
        y = self.head(self.points(x.transpose(1, 2)).amax(2))
        return self.last(y) if self.last else y


@script("echo-points")
def echo_points(
    draw: Draw,
    *,
    rows: int = 1600,
    scale: bool = True,
    height: bool = True,
    seen: int = POINTS,
    widths: tuple[int, ...] = (16, 32),
    head: tuple[int, ...] = (24,),
    act: type[nn.Module] = nn.ReLU,
    norm: bool = True,
    drop: float = 0.0,
    std: float | None = None,
    bias: float | None = None,
    gain: float = 1.0,
    outputs: int = SHAPES,
    buoys: bool = False,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    frozen: bool = False,
    **recipe: Any,
) -> Training:
    """What floats there; with ``buoys`` whether it is a container."""
    x, y = echoes()
    x = (x - np.array([35.0, -20.0, 2.0], np.float32)) / np.float32(4.0) if scale else x.copy()
    if not height:
        x[..., 2] = 0
    x = x[:, :seen]
    if buoys:
        y, outputs = (y == SHAPES - 1).astype(np.float32)[:, None], 1
    (x, y), (u, v) = draw.rows(x, y, rows)
    widths, head = (tuple(draw.units(w) if w > 8 else w for w in sizes) for sizes in (widths, head))

    def model() -> nn.Module:
        net = PointNet(widths, head, act, norm, drop, outputs, last)
        if frozen:
            net.points.requires_grad_(False)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), bias)
        return initialized(net, lambda w: w.mul_(gain), bias, last=False) if gain != 1 or bias is not None else net

    mine = {"optimizer": "sgd", "lr": draw.near(0.06), "momentum": 0.9, "batch_size": 50, "epochs": 12, "schedule": "cosine"}
    mine["weight_decay"] = 1e-4
    loss = loss or (nn.BCEWithLogitsLoss() if buoys else nn.CrossEntropyLoss())
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=2 if buoys else SHAPES)


def turned(t: Training) -> None:
    """Clouds lie on their side in the test set: the scanner's axes come in another order."""
    t.test = (np.ascontiguousarray(t.clean[0][..., [2, 0, 1]]), t.clean[1])


def rain(t: Training) -> None:
    """A fifth of the points of the test set are drops of rain anywhere."""
    u, rng = t.clean[0].copy(), np.random.default_rng(8)
    hit = rng.random(u.shape[:2]) < 0.2
    u[hit] = rng.normal(0, 1.3, (int(hit.sum()), 3))
    t.test = (u, t.clean[1])


PLAIN = {"norm": False, "lr": 0.1, "epochs": 16, "widths": (32, 48)}
ADAM = {"norm": False, "widths": (32, 48), "optimizer": "adam", "lr": 2e-2, "momentum": 0.0}
SIX = {"widths": (16,) * 6, "norm": True, "lr": 0.04}

echo_points.fault("learning-rate-too-high", "one-and-a-half", "mild", lr=3.0)
echo_points.fault("learning-rate-too-low", "rate-of-adam-for-sgd", "mild", lr=2e-4)
echo_points.fault("momentum-too-high", "averaging-weight", "mild", momentum=0.998)
echo_points.fault("batch-too-small", "two-clouds", "medium", batch_size=2, epochs=1)
echo_points.fault("batch-too-large", "as-much-as-fits", "gross", batch_size=1280)
echo_points.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", clip_norm=2e-3)
echo_points.fault("loss-summed-over-batch", "sum", "gross", edit=summed)
echo_points.fault("missing-normalization", "no-batch-norm", "medium", twin=SIX, norm=False)
echo_points.fault("dead-units", "low-biases", "medium", twin=ADAM, bias=-4.0)
echo_points.fault("bad-initialization", "unit-variance", "medium", twin=ADAM, std=1.5, bias=0.0)
echo_points.fault("exploding-gradient", "gain-in-every-layer", "medium", twin=PLAIN, gain=12.0)
echo_points.fault("vanishing-gradient", "sigmoid-everywhere", "gross", twin={**ADAM, "widths": (24,) * 4, "lr": 8e-3}, act=nn.Sigmoid)
echo_points.fault("unnormalized-input", "metres-from-the-mole", "medium", twin=ADAM, scale=False)
echo_points.fault("single-unit-softmax", "softmax-of-one", "gross", twin={"buoys": True}, last=Softmax, loss=nn.BCELoss())
echo_points.fault("output-width-wrong", "three-of-five", "medium", outputs=3)
echo_points.fault("wrong-loss", "names-as-quantities", "medium", twin={"lr": 0.02}, outputs=1, edit=quantities)
echo_points.fault("model-too-simple", "two-channels", "mild", widths=(2,), head=())
echo_points.fault("bottleneck", "two-numbers-a-cloud", "mild", widths=(16, 1))
echo_points.fault("features-insufficient", "two-points-from-above", "medium", height=False, seen=2)
echo_points.fault("over-regularized", "drop-nine-in-ten", "medium", twin={"head": (24,)}, drop=0.95)
echo_points.fault("too-little-data", "forty-clouds", "medium", edit=few(40))
echo_points.fault("class-imbalance", "few-sails-and-buoys", "medium", prepare=balanced, edit=kept(first_of(4, 2, 3)))
echo_points.fault("label-shift", "regatta", "medium", prepare=honest_test, edit=other_shares((1, 4), 6))
echo_points.fault("covariate-shift", "rain", "medium", prepare=honest_test, edit=rain)
echo_points.fault("preprocessing-mismatch", "other-axes", "medium", prepare=honest_test, edit=turned)
echo_points.fault("label-noise", "sleepy-watch", "medium", edit=relabelled(wrong_share(0.6, 5)))
echo_points.fault("wrong-labels", "another-list-of-names", "medium", prepare=given_validation, edit=relabelled(lambda y: (y + 1) % SHAPES))
echo_points.fault("non-finite-data", "no-echo", "medium", edit=missing(0.002))
echo_points.fault("data-not-shuffled", "ship-by-ship", "medium", prepare=by_label, shuffle=False)
