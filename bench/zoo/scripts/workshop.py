"""Scripts of a factory's engineers, with the mistakes that are made in them."""

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
    initialized,
    kept,
    relabelled,
    script,
    settings,
    wrong_share,
)
from zoo.scripts.mistakes import missing, missing_targets, moving, noisy, other_shares, quantities, still, summed

# -- the flaw of a weld ------------------------------------------------------------------------------------------------------------------


@cache
def welds() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 1, 12, 12) a warm seam in a thermal picture, and what is wrong with it: nothing, a pore, a crack or a burn."""
    rng = np.random.default_rng(113)
    n = 6000
    y = rng.integers(0, 4, n)
    row, column = np.mgrid[:12, :12][:, None]
    lie, slope, width = rng.uniform(4.5, 6.5, (n, 1, 1)), rng.uniform(-0.15, 0.15, (n, 1, 1)), rng.uniform(1.6, 2.4, (n, 1, 1))
    centre = lie + slope * (column - 5.5)
    x = 0.9 * np.exp(-(((row - centre) / width) ** 2))
    at = rng.uniform(2.5, 8.5, (n, 1, 1))
    here = lie + slope * (at - 5.5) + rng.uniform(-0.8, 0.8, (n, 1, 1))
    strength = rng.uniform(0.8, 1.3, (n, 1, 1))
    round_ = np.exp(-((row - here) ** 2 + (column - at) ** 2) / 1.6)
    line = np.exp(-(((column - at - 0.3 * (row - here)) / 0.6) ** 2) - ((row - here) / 3.5) ** 2)
    x = x + strength * np.stack([0 * round_, -round_, -0.8 * line, round_])[y, np.arange(n)] + 0.13 * rng.normal(0, 1, (n, 12, 12))
    return (280 + 60 * x[:, None]).astype(np.float32), y


class Layer(nn.Module):
    """Attention and a small network, each beside a shortcut, with norms before or after."""

    def __init__(self, width: int, norm: str, skip: bool, drop: float, act: type[nn.Module]) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), act(), nn.Dropout(drop), nn.Linear(2 * width, width), nn.Dropout(drop))
        self.norm1, self.norm2 = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))
        self.before, self.skip = norm != "after", skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        z = self.norm1(x) if self.before else x
        y = self.attention(z, z, z, need_weights=False)[0]
        x = x + y if self.skip else y
        x = x if self.before else self.norm1(x)
        y = self.mlp(self.norm2(x) if self.before else x)
        x = x + y if self.skip else y
        return x if self.before else self.norm2(x)


class PatchNet(nn.Module):
    """A picture as sixteen patches that attend to one another."""

    def __init__(self, width: int, patch: int, depth: int, norm: str, skip: bool, drop: float, act: type[nn.Module], outputs: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, patch, 5, stride=3, padding=1)
        self.into = nn.Linear(patch, width)
        self.places = nn.Parameter(0.02 * torch.randn(1, 16, width))
        self.layers = nn.Sequential(*(Layer(width, norm, skip, drop, act) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 12, 12) -> (N, outputs)."""
        x = self.into(self.patches(x).flatten(2).transpose(1, 2)) + self.places
        return self.head(self.norm(self.layers(x)).mean(1))


@script("weld-patches")
def weld_patches(
    draw: Draw,
    *,
    rows: int = 2500,
    kelvin: bool = False,
    width: int = 24,
    patch: int = 24,
    depth: int = 1,
    norm: str = "before",
    skip: bool = True,
    drop: float = 0.0,
    act: type[nn.Module] = nn.GELU,
    std: float | None = None,
    frozen: bool = False,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """What is wrong with a weld."""
    x, y = welds()
    x = x if kelvin else (x - 296) / 23
    (x, y), (u, v) = draw.rows(x, y, rows)

    def model() -> nn.Module:
        net: nn.Module = PatchNet(width, patch, depth, norm, skip, drop, act, outputs)
        if std is not None:
            with torch.no_grad():
                for parameter in net.parameters():
                    if parameter.ndim > 1:
                        parameter.normal_(0, std)
        if frozen:
            for name, parameter in net.named_parameters():
                parameter.requires_grad_(name.startswith("head"))
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adamw", "lr": draw.near(7e-3), "weight_decay": 0.02, "batch_size": 80, "epochs": 10, "schedule": "cosine"}
    mine |= {"warmup_steps": 30}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


COLD = {"depth": 2, "norm": "after", "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 1.2e-3, "warmup_steps": 90}

weld_patches.fault("missing-warmup", "post-norm-from-cold", "medium", twin={**COLD, "weight_decay": 0.0}, warmup_steps=0)
weld_patches.fault("optimizer-unsuited", "sgd-for-attention", "medium", optimizer="sgd", lr=5e-3)
weld_patches.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=2000)
weld_patches.fault("missing-normalization", "no-layer-norm", "medium", twin={"depth": 3, "lr": 9e-3, "epochs": 7}, norm="")
weld_patches.fault("too-deep-without-skips", "shortcuts-forgotten", "medium", twin={"depth": 3, "lr": 6e-3, "epochs": 8}, skip=False)
weld_patches.fault("bad-initialization", "unit-variance", "medium", std=1.5)
weld_patches.fault("frozen-parameters", "all-but-head", "medium", frozen=True)
weld_patches.fault("bottleneck", "narrow-patches", "mild", patch=1)
weld_patches.fault("wrong-loss", "names-as-quantities", "gross", outputs=1, edit=quantities)
weld_patches.fault("output-width-wrong", "sound-not-counted", "mild", outputs=3)
weld_patches.fault("data-not-shuffled", "flaw-by-flaw", "gross", prepare=by_label, shuffle=False)
weld_patches.fault("label-noise", "hasty-inspectors", "gross", edit=relabelled(wrong_share(0.6, 4)))
weld_patches.fault("class-imbalance", "few-cracks", "medium", prepare=balanced, edit=kept(first_of(10, 2)))
weld_patches.fault("label-shift", "a-worse-batch", "medium", prepare=honest_test, edit=other_shares((1, 2), 10))
weld_patches.fault("covariate-shift", "another-camera", "medium", prepare=honest_test, edit=noisy(0.7))
weld_patches.fault("too-little-data", "sixty-welds", "medium", edit=few(60))
weld_patches.fault("missing-augmentation", "never-moved", "medium", prepare=moving(200, 2, (2, 3), 10), edit=still(200, 10))
weld_patches.fault("missing-augmentation", "never-moved-along", "mild", prepare=moving(120, 3, (3,), 16), edit=still(120, 16))

# -- how long an engine will last --------------------------------------------------------------------------------------------------------


@cache
def engines() -> tuple[np.ndarray, np.ndarray]:
    """(6000, 10, 5) shaking in mm/s, exhaust gas in K, oil pressure in Pa, chips in the oil, load in %; (6000,) cycles left, 130 at most."""
    rng = np.random.default_rng(127)
    n, t = 6000, np.arange(10)
    left = rng.uniform(0, 170, (n, 1))
    pace = rng.uniform(0.02, 0.035, (n, 1))
    wear = np.exp(-pace * (left + 5.0 * (9 - t)))
    load = 70 + 15 * rng.normal(0, 1, (n, 1)) + 6 * rng.normal(0, 1, (n, 10))
    shaking = 1.5 + 4 * wear + 0.02 * load + 0.3 * rng.normal(0, 1, (n, 10))
    gas = 700 + 2.0 * load + 90 * wear + 8 * rng.normal(0, 1, (n, 10))
    oil = 4e5 - 1.2e5 * wear - 600 * load + 1.2e4 * rng.normal(0, 1, (n, 10))
    chips = rng.poisson(1 + 30 * wear**1.5)
    x = np.stack([shaking, gas, oil, chips, load], 2)
    return x.astype(np.float32), np.minimum(left[:, 0], 130).astype(np.float32)


class EngineNet(nn.Module):
    """A recurrence over cycles; a weighted mean of its states is read."""

    def __init__(self, kind: str, width: int, depth: int, drop: float, outputs: int, last: type[nn.Module] | None) -> None:
        super().__init__()
        if kind == "gru":
            self.cell: nn.Module = nn.GRU(5, width, depth, batch_first=True)
        else:
            self.cell = nn.RNN(5, width, depth, kind, batch_first=True)
        self.weight = nn.Linear(width, 1)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(drop), nn.Linear(width, outputs))
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 10, 5) -> (N, outputs)."""
        states = self.cell(x)[0]
        y = self.head((self.weight(states).softmax(1) * states).sum(1))
        return self.last(y) if self.last else y


@script("engine-life")
def engine_life(
    draw: Draw,
    *,
    rows: int = 2500,
    scale: bool = True,
    only: tuple[int, ...] = (),
    kind: str = "gru",
    width: int = 20,
    depth: int = 1,
    drop: float = 0.0,
    gain: float = 1.0,
    frozen: str = "",
    unit: float = 0.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """Cycles that are left to an engine, standardised."""
    x, y = engines()
    x = x.copy()
    y = y * np.float32(unit) if unit else (y - y.mean()) / y.std()
    if scale:
        x[:, :, 3] = np.log1p(x[:, :, 3])
        x = (x - x.mean((0, 1))) / x.std((0, 1))
    if only:
        x[:, :, [j for j in range(5) if j not in only]] = 0
    (x, y), (u, v) = draw.rows(x, y, rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = EngineNet(kind, width, depth, drop, outputs, last)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if "weight_hh" in name:
                    parameter.mul_(gain)
                if frozen and name.startswith(frozen):
                    parameter.requires_grad_(False)
        return net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(1.2e-2), "batch_size": 100, "epochs": 12, "schedule": "cosine", "clip_norm": 2.0}
    return Training(model, loss or nn.L1Loss(), (x, y), (u, v), settings(mine, recipe))


engine_life.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=3e-5)
engine_life.fault("learning-rate-decays-too-fast", "gamma-of-steps-for-epochs", "medium", schedule="exponential:0.2", lr=1e-3)
engine_life.fault("missing-decay", "schedule-forgotten", "mild", twin={"lr": 0.02, "batch_size": 8, "epochs": 4}, schedule="constant")
engine_life.fault("optimizer-unsuited", "adadelta-default", "medium", optimizer="adadelta", lr=3e-3)
engine_life.fault("batch-too-large", "all-rows", "medium", batch_size=2000)
engine_life.fault("trained-too-briefly", "steps-for-epochs", "medium", max_steps=20)
engine_life.fault("exploding-gradient", "recurrence-of-relu", "gross", twin={"kind": "relu", "lr": 3e-3}, gain=6.0, clip_norm=None)
engine_life.fault("frozen-parameters", "cell", "mild", frozen="cell")
engine_life.fault("unnormalized-input", "sensors-as-they-are", "gross", scale=False)
engine_life.fault("unnormalized-target", "minutes", "medium", unit=60.0)
engine_life.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
engine_life.fault("non-finite-data", "life-unknown", "gross", edit=missing_targets)
engine_life.fault("covariate-shift", "another-fleet", "medium", prepare=honest_test, edit=noisy(1.0))
engine_life.fault("labels-unrelated-to-inputs", "sorted-by-life", "gross", edit=relabelled(lambda y: np.sort(y, 0)))

# -- how long it takes to pick an order --------------------------------------------------------------------------------------------------


@cache
def orders() -> tuple[np.ndarray, np.ndarray]:
    """(7000, 8, 6) present, kg, litres, aisle, height in m and fragile for each item of an order; (7000,) seconds until it is picked."""
    rng = np.random.default_rng(131)
    n = 7000
    present = np.arange(8) < rng.integers(1, 9, (n, 1))
    kilos, litres = rng.lognormal(0.5, 0.9, (n, 8)), rng.lognormal(1.5, 0.8, (n, 8))
    aisle, height, fragile = rng.integers(0, 12, (n, 8)), rng.gamma(2.5, 0.7, (n, 8)), rng.random((n, 8)) < 0.2
    each = 7 + 9 * np.maximum(height - 2, 0) + 4 * np.maximum(0.5 - height, 0) + 0.9 * np.minimum(kilos, 15) * (1 + 0.6 * fragile)
    each += 6 * fragile + 3 * (litres > 10) * np.log(litres)
    walk = 6 * np.where(present, aisle, 0).max(1)
    seconds = 20 + (each * present).sum(1) + walk + 0.4 * np.maximum((litres * present).sum(1) - 40, 0)
    seconds += 7 * rng.normal(0, 1, n)
    x = np.stack([np.ones((n, 8)), kilos, litres, aisle, height, fragile], 2) * present[..., None]
    return x.astype(np.float32), seconds.astype(np.float32)


class Step(nn.Module):
    """A linear layer, a norm if there is one and what follows, beside a shortcut where it has one."""

    def __init__(self, width: int, act: type[nn.Module], skip: bool) -> None:
        super().__init__()
        self.linear, self.act, self.skip = nn.Linear(width, width), act(), skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, W) -> (N, W)."""
        y = self.act(self.linear(x))
        return x + y if self.skip else y


class OrderNet(nn.Module):
    """Every item by the same network; sums and greatest values over items go through another."""

    def __init__(
        self, width: int, code: int, depth: int, act: type[nn.Module], skip: bool, outputs: int, last: type[nn.Module] | None
    ) -> None:
        super().__init__()
        self.item = nn.Sequential(nn.Linear(6, width), act(), nn.Linear(width, code), act())
        self.into = nn.Sequential(nn.Linear(2 * code, width), act())
        self.steps = nn.Sequential(*(Step(width, act, skip) for _ in range(depth)))
        self.out = nn.Linear(width, outputs)
        self.last = last() if last else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8, 6) -> (N, outputs)."""
        codes = self.item(x) * (x[:, :, :1] > 0)
        y = self.out(self.steps(self.into(torch.cat([codes.mean(1), codes.amax(1)], 1))))
        return self.last(y) if self.last else y


@script("order-picking")
def order_picking(
    draw: Draw,
    *,
    rows: int = 3000,
    scale: bool = True,
    width: int = 32,
    code: int = 16,
    depth: int = 1,
    act: type[nn.Module] = nn.ReLU,
    skip: bool = False,
    std: float | None = None,
    gain: float = 1.0,
    unit: float = 0.0,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """Seconds to pick an order, standardised."""
    x, y = orders()
    if scale:
        x = x.copy()
        x[:, :, 1:3] = np.log1p(x[:, :, 1:3])
        present = x[:, :, 0] > 0
        mean, spread = x[present][:, 1:5].mean(0), x[present][:, 1:5].std(0)
        x[:, :, 1:5] = np.where(present[..., None], (x[:, :, 1:5] - mean) / spread, 0)
    y = y * np.float32(unit) if unit else (y - y.mean()) / y.std()
    (x, y), (u, v) = draw.rows(x, y, rows)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        net = OrderNet(width, code, depth, act, skip, outputs, last)
        if std is not None:
            return initialized(net, lambda w: nn.init.normal_(w, 0, std), 0.0)
        return initialized(net, lambda w: w.mul_(gain), last=False) if gain != 1 else net

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adam", "lr": draw.near(4e-3), "batch_size": 64, "epochs": 14, "schedule": "cosine"}
    return Training(model, nn.HuberLoss(), (x, y), (u, v), settings(mine, recipe))


order_picking.fault("learning-rate-too-high", "one", "gross", lr=1.0)
order_picking.fault("momentum-too-high", "a-nine-too-many", "medium", twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}, momentum=0.999)
order_picking.fault("learning-rate-decays-too-fast", "adagrad-default", "medium", optimizer="adagrad", lr=1e-3, schedule="constant")
order_picking.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.04, "batch_size": 8, "epochs": 6}, schedule="constant")
order_picking.fault(
    "saddle-point",
    "around-the-origin",
    "medium",
    twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "act": nn.Tanh, "epochs": 20},
    std=3e-3,
)
order_picking.fault("exploding-gradient", "doubled-gain", "medium", twin={"depth": 6, "lr": 2e-3}, gain=5.0)
order_picking.fault("too-deep-without-skips", "plain-net", "medium", twin={"depth": 14, "skip": True, "width": 20, "lr": 2e-3}, skip=False)
order_picking.fault("model-too-simple", "two-units", "medium", width=2, code=2)
order_picking.fault("bottleneck", "narrow-code", "medium", twin={"act": nn.GELU}, code=1)
order_picking.fault("unnormalized-target", "milliseconds", "gross", unit=1000.0)
order_picking.fault("wrong-output-activation", "tanh-of-standardised", "medium", last=nn.Tanh)
order_picking.fault("output-width-wrong", "one-output-an-item", "gross", outputs=8)
order_picking.fault("non-finite-data", "weight-unknown", "medium", edit=missing(0.003))
order_picking.fault("loss-summed-over-batch", "sum", "medium", twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}, edit=summed)
