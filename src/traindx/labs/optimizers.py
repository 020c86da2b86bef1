"""Update rules in one view, rate times direction over scale: momentum, Adagrad, RMSProp, Adam and their kin (claims 21 and 25)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from traindx.labs import valley
from traindx.labs.base import Context, Seen, thinned
from traindx.records import Check, Plot

UPDATES, EXACT = 100, 1e-12
# The comparison in the valley: updates, and the rates that each rule has to choose from.
COMPARED, RATES = 5_000, np.geomspace(1e-8, 10, 37)
# Rules that scale each parameter by itself leave at most this share of what plain descent leaves.
AHEAD = 0.1
# The lowest excess that the figure shows.
FLOOR = 1e-6
Array = np.ndarray


class Update(NamedTuple):
    """One update: ``theta <- (1 - rate shrink) theta - rate direction / scale``."""

    rate: Array | float
    direction: Array
    scale: Array | float = 1.0
    shrink: float = 0.0

    def of(self, theta: Array) -> Array:
        """The parameters after it."""
        return np.asarray((1 - self.rate * self.shrink) * theta - self.rate * self.direction / self.scale)


class Rule:
    """An update rule with its state; called with the number of the update, from 0, and the gradient."""

    def __init__(self, rate: Array | float) -> None:
        self.rate = rate

    def __call__(self, t: int, g: Array) -> Update:
        """Plain gradient descent."""
        return Update(self.rate, g)


class Momentum(Rule):
    """A moving sum of gradients: m <- keep m + g; the lecture's m is -rate times this one."""

    def __init__(self, rate: Array | float, keep: float = 0.9) -> None:
        super().__init__(rate)
        self.keep, self.m = keep, np.zeros(())

    def __call__(self, t: int, g: Array) -> Update:
        """The direction is the sum."""
        self.m = self.keep * self.m + g
        return Update(self.rate, self.m)


class Nesterov(Momentum):
    """The same, seen one update ahead."""

    def __call__(self, t: int, g: Array) -> Update:
        """The direction is what the sum will be if the gradient stays."""
        super().__call__(t, g)
        return Update(self.rate, g + self.keep * self.m)


class Adagrad(Rule):
    """Scaled by the root of the sum of squares (Duchi et al. 2011)."""

    def __init__(self, rate: Array | float) -> None:
        super().__init__(rate)
        self.squares = np.zeros(())

    def __call__(self, t: int, g: Array) -> Update:
        """The scale only grows."""
        self.squares = self.squares + g * g
        return Update(self.rate, g, np.sqrt(self.squares) + 1e-10)


class MeanAdagrad(Adagrad):
    """The lecture's form: scaled by the root of their mean, so that nothing decays."""

    def __call__(self, t: int, g: Array) -> Update:
        """The first step is the rate itself."""
        super().__call__(t, g)
        return Update(self.rate, g, np.sqrt(self.squares / (t + 1)) + 1e-10)


class RMSProp(Rule):
    """Scaled by the root of a moving average of squares that starts at zero, as torch's does, or at the first square, as the lecture's."""

    def __init__(self, rate: Array | float, keep: float = 0.99, from_first: bool = False) -> None:
        super().__init__(rate)
        self.keep, self.from_first, self.average = keep, from_first, np.zeros(())

    def __call__(self, t: int, g: Array) -> Update:
        """Old gradients are forgotten."""
        fresh = 1.0 if t == 0 and self.from_first else 1 - self.keep
        self.average = (1 - fresh) * self.average + fresh * g * g
        return Update(self.rate, g, np.sqrt(self.average) + 1e-8)


class Adam(Rule):
    """Algorithm 1 of Kingma and Ba 2015; with ``decay``, AdamW (Loshchilov and Hutter 2019)."""

    def __init__(self, rate: Array | float, first: float = 0.9, second: float = 0.999, decay: float = 0.0) -> None:
        super().__init__(rate)
        self.first, self.second, self.decay = first, second, decay
        self.m, self.v = np.zeros(()), np.zeros(())

    def __call__(self, t: int, g: Array) -> Update:
        """Both averages, freed from their start at zero."""
        m, v = self._averages(t, g)
        return Update(self.rate, m, np.sqrt(v) + 1e-8, self.decay)

    def _averages(self, t: int, g: Array) -> tuple[Array, Array]:
        self.m = self.first * self.m + (1 - self.first) * g
        self.v = self.second * self.v + (1 - self.second) * g * g
        return self.m / (1 - self.first ** (t + 1)), self.v / (1 - self.second ** (t + 1))


class RAdam(Adam):
    """No scale until enough gradients are known to estimate one, then a warm-up that is computed (Liu et al. 2020)."""

    def __call__(self, t: int, g: Array) -> Update:
        """``known`` is the length of a simple average that is as sure as the moving one."""
        m, v = self._averages(t, g)
        longest, kept = 2 / (1 - self.second) - 1, self.second ** (t + 1)
        known = longest - 2 * (t + 1) * kept / (1 - kept)
        if known <= 5:
            return Update(self.rate, m)
        sure = (known - 4) * (known - 2) * longest / ((longest - 4) * (longest - 2) * known)
        return Update(self.rate * np.sqrt(sure), m, np.sqrt(v) + 1e-8 / np.sqrt(1 - kept))


class Pair(NamedTuple):
    """A rule and torch's optimizer of the same kind, by rate."""

    ours: Callable[[Array | float], Rule]
    torchs: Callable[[list[torch.Tensor], float], torch.optim.Optimizer] | None


def _sgd(**options: Any) -> Callable[[list[torch.Tensor], float], torch.optim.Optimizer]:
    return lambda p, rate: torch.optim.SGD(p, lr=rate, **options)


RULES: dict[str, Pair] = {
    "gradient descent": Pair(Rule, _sgd()),
    "momentum": Pair(Momentum, _sgd(momentum=0.9)),
    "Nesterov": Pair(Nesterov, _sgd(momentum=0.9, nesterov=True)),
    "Adagrad": Pair(Adagrad, lambda p, rate: torch.optim.Adagrad(p, lr=rate)),
    "Adagrad, mean": Pair(MeanAdagrad, None),
    "RMSProp": Pair(RMSProp, lambda p, rate: torch.optim.RMSprop(p, lr=rate)),
    "Adam": Pair(Adam, lambda p, rate: torch.optim.Adam(p, lr=rate)),
    "AdamW": Pair(lambda rate: Adam(rate, decay=0.01), lambda p, rate: torch.optim.AdamW(p, lr=rate, weight_decay=0.01)),
    "RAdam": Pair(RAdam, lambda p, rate: torch.optim.RAdam(p, lr=rate)),
}
"""All by one view; the lecture's form of Adagrad is not in torch."""
SHOWN = ("gradient descent", "momentum", "Adagrad", "RMSProp", "Adam", "RAdam")


def follow(rule: Rule, gradients: Array, start: float = 0.0) -> Array:
    """(T, P): the parameters after each update, by gradients (T, P) that do not depend on them."""
    theta, way = np.full(gradients.shape[1], start), []
    for t, g in enumerate(gradients):
        theta = rule(t, g).of(theta)
        way.append(theta)
    return np.array(way)


def by_torch(gradients: Array, make: Callable[[list[torch.Tensor], float], torch.optim.Optimizer], rate: float, start: float) -> Array:
    """(T, P): the way of torch's own optimizer on the same gradients."""
    theta = torch.full((gradients.shape[1],), start, dtype=torch.float64, requires_grad=True)
    optimizer, way = make([theta], rate), []
    for g in gradients:
        theta.grad = torch.tensor(g)
        optimizer.step()
        way.append(theta.detach().numpy().copy())
    return np.array(way)


def difference(one: Array, other: Array) -> float:
    """The largest difference, in shares of the largest entry of the same parameter."""
    return float((np.abs(one - other).max(0) / np.abs(other).max(0)).max())


def excess(make: Callable[[Array | float], Rule], rates: Array = RATES, updates: int = COMPARED) -> Array:
    """(updates + 1, rates): loss above the least, in the valley of ten rows, at all rates at once; infinite once it has diverged."""
    rule, theta = make(rates[:, None]), np.tile(valley.START, (len(rates), 1))
    matrix, low = valley.hessian(), valley.optimum()
    found = np.empty((updates + 1, len(rates)))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(updates + 1):
            away = theta - low
            found[t] = 0.5 * np.einsum("ri,ij,rj->r", away, matrix, away)
            theta = rule(t, away @ matrix).of(theta)
    return np.where(np.isfinite(found), found, np.inf)


def hill(keep: float) -> Array:
    """The way over a shallow minimum at 0 and a small hill behind it, towards a deeper one."""
    rule, x, way = Momentum(0.03, keep), np.array(-2.0), [-2.0]
    for t in range(400):
        slope = 0.4 * x * x * x - 1.5 * x * x + 0.9 * x if x > -0.5 else 0.9 * x
        x = rule(t, slope).of(x)
        way.append(float(x))
    return np.array(way)


class Updates:
    """The formulas, momentum on a small hill, and all rules in one valley."""

    name, claims = "updates", (21, 25)
    question = "What do momentum and adaptive rates do, formula by formula?"
    claim = "Momentum keeps the direction of past gradients and passes small hills; the scale of Adam keeps only their sizes, so the two do not cancel."
    source = "Lee, Machine Learning 2021, error surface is rugged; Kingma and Ba 2015"

    def run(self, context: Context) -> Seen:
        """Each rule against torch's on random gradients; the hill with and without momentum; steady and turning gradients; the valley."""
        gradients = np.random.default_rng(context.seeds[0]).normal(size=(UPDATES, 3)) * np.array([1e-3, 1.0, 1e3])
        apart = {
            name: difference(follow(pair.ours(0.1), gradients, 1.0), by_torch(gradients, pair.torchs, 0.1, 1.0))
            for name, pair in RULES.items()
            if pair.torchs is not None
        }
        plain, rolling = hill(0.0), hill(0.9)
        context.progress(f"{len(RULES)} rules in the valley")
        left = {name: excess(pair.ours) for name, pair in RULES.items()}
        best = {name: int(found[-1].argmin()) for name, found in left.items()}
        ends = {name: float(found[-1, best[name]]) for name, found in left.items()}
        checks = (
            *(
                Check(label=f"{name}: off torch's, relative", measured=v, lecture="below 1e-12", holds=v < EXACT)
                for name, v in apart.items()
            ),
            *_formulas(gradients),
            Check(
                label="end without momentum (shallow minimum at 0)",
                measured=float(plain[-1]),
                lecture="stays",
                holds=bool(abs(plain[-1]) < 0.1),
            ),
            Check(label="end with momentum 0.9", measured=float(rolling[-1]), lecture="passes the hill", holds=bool(rolling[-1] > 1.5)),
            Check(
                label=f"excess loss in the valley after {COMPARED} updates, Adam over gradient descent",
                measured=ends["Adam"] / ends["gradient descent"],
                lecture="crosses it",
                holds=ends["Adam"] <= AHEAD * ends["gradient descent"],
            ),
        )
        said = (
            f"{len(apart)} rules agree with torch's to {max(apart.values()):.1g}; momentum ends at {rolling[-1]:.2f}, plain descent at "
            f"{plain[-1]:.2f}. In the valley, at their best rates, descent leaves an excess loss of {ends['gradient descent']:.3g}, "
            f"momentum {ends['momentum']:.3g}, Adagrad {ends['Adagrad']:.3g}, Adam {ends['Adam']:.3g}; RAdam, whose first updates have no scale yet, {ends['RAdam']:.3g}."
        )
        return Seen(sentence=said, checks=checks, plots=(_hill_plot(plain, rolling), _valley_plot(left, best)))


def _formulas(gradients: Array) -> tuple[Check, ...]:
    """What the lecture writes out: m2, the first step of a scaled rule, and that direction and scale do not cancel."""
    keep, rate = 0.9, 0.1
    two = follow(Momentum(rate, keep), gradients[:2])
    m2 = float(np.abs((two[1] - two[0]) / (-rate * (keep * gradients[0] + gradients[1])) - 1).max())
    scaled = (MeanAdagrad(rate), RMSProp(rate, from_first=True))
    off = max(float(np.abs(np.abs(follow(rule, gradients[:1, 1:])) / rate - 1).max()) for rule in scaled)
    steady, turning = np.ones((200, 1)), np.where(np.arange(200) % 2, -1.0, 1.0)[:, None]
    steps = [float(np.abs(np.diff(follow(Adam(rate), g), axis=0)[-1, 0])) / rate for g in (steady, turning)]
    return (
        Check(label="m2 against -rate (keep g0 + g1), relative", measured=m2, lecture="0", holds=m2 < EXACT),
        Check(label="first steps of Adagrad and RMSProp against the rate, relative", measured=off, lecture="0", holds=off < 1e-6),
        Check(label="Adam: step over rate, gradients that stay", measured=steps[0], lecture="1", holds=abs(steps[0] - 1) < 1e-6),
        Check(label="Adam: step over rate, gradients that turn each time", measured=steps[1], lecture="small", holds=steps[1] < 0.1),
    )


def _hill_plot(plain: Array, rolling: Array) -> Plot:
    steps = tuple(range(len(plain)))
    return Plot(
        title="A small hill",
        caption="Gradient descent stays in the shallow minimum at 0; with momentum 0.9 it passes the hill to the deeper one.",
        x_label="updates",
        y_label="position",
        lines={"gradient descent": (steps, tuple(plain)), "momentum 0.9": (steps, tuple(rolling))},
    )


def _valley_plot(left: dict[str, Array], best: dict[str, int]) -> Plot:
    rows = thinned(left["Adam"][:, 0])[1:]
    return Plot(
        title="Rules in the valley",
        caption=f"Ten rows of data, condition 3e5; each rule at the rate that is best after {COMPARED} updates ("
        + "; ".join(f"{name} {RATES[best[name]]:.2g}" for name in SHOWN)
        + f"). What is below {FLOOR:g} is drawn there.",
        x_label="updates",
        log_x=True,
        y_label="loss - least loss",
        lines={name: (tuple(map(float, rows)), tuple(np.maximum(left[name][rows, best[name]], FLOOR))) for name in SHOWN},
        log=True,
    )
