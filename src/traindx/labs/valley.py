"""The convex valley of ten rows of data (claims 23, 24 and 29)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from traindx.labs.base import Context, Seen, near, thinned
from traindx.records import Check, Plot

# The regression demo of the 2016/17 course: combat power before and after evolving.
X = np.array([338, 333, 328, 207, 226, 25, 179, 60, 208, 606.0])
Y = np.array([640, 633, 619, 393, 428, 27, 193, 66, 226, 1591.0])
START = np.array([-120.0, -4.0])
UPDATES = 100_000
# Farther than this from the optimum, after having been near it, is a burst; the decayed form never is.
BURST, NEAR = 1.0, 0.3
# Bursts grow from roundings: their updates are those of the lecture's data to this share.
ABOUT = 0.2


def hessian(x: np.ndarray = X) -> np.ndarray:
    """Second derivatives of sum (y - b - w x)^2 by (b, w)."""
    return 2 * np.array([[len(x), x.sum()], [x.sum(), (x * x).sum()]])


def optimum(x: np.ndarray = X) -> np.ndarray:
    """The least-squares solution (b, w)."""
    return np.linalg.solve(hessian(x), 2 * np.array([Y.sum(), (x * Y).sum()]))


def loss(point: np.ndarray, x: np.ndarray = X) -> float:
    """The sum of squared errors."""
    return float(((Y - point[0] - point[1] * x) ** 2).sum())


def descend(step: Callable[[int, np.ndarray], np.ndarray], updates: int, x: np.ndarray = X, start: np.ndarray = START) -> np.ndarray:
    """(updates + 1, 2): the way of ``theta -= step(t, gradient)``."""
    matrix, point = hessian(x), start.copy()
    bias = 2 * np.array([Y.sum(), (x * Y).sum()])
    way = np.empty((updates + 1, 2))
    way[0] = point
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(updates):
            point = point - step(t, matrix @ point - bias)
            way[t + 1] = point
    return way


class Adagrad:
    """The lecture's form: the rate over the root of the *mean* of squared gradients, with or without the decay 1 / sqrt(t + 1)."""

    def __init__(self, rate: float, decayed: bool) -> None:
        self.rate, self.decayed, self.total = rate, decayed, np.zeros(2)

    def __call__(self, t: int, gradient: np.ndarray) -> np.ndarray:
        """The step of update ``t``."""
        self.total = self.total + gradient * gradient
        rate = self.rate / np.sqrt(t + 1) if self.decayed else self.rate
        return np.asarray(rate * gradient / np.sqrt(self.total / (t + 1)))


class Valley:
    """Gradient descent in a valley of condition 3e5."""

    name, claims = "valley", (23,)
    question = "Why does gradient descent stop half-way in a convex valley, although no gradient is zero?"
    claim = (
        "From (-120, -4), a rate of 1e-7 takes 100,000 updates to about (-124, 2.5); the optimum is near (-188, 2.7). Larger rates bounce."
    )
    source = "Lee, Machine Learning 2021, error surface is rugged; data of the 2016/17 regression demo"

    def run(self, context: Context) -> Seen:
        """The way at three rates, and the eigenvalues that bound the rate."""
        context.progress("100,000 updates at three rates")
        eigenvalues = np.linalg.eigvalsh(hessian())
        stable = 2 / eigenvalues[-1]
        ways = {rate: descend(lambda t, g, r=rate: r * g, UPDATES) for rate in (1e-7, 1e-6)}  # type: ignore[misc]
        bounced = descend(lambda t, g: 1e-5 * g, 6)
        end = ways[1e-7][-1]
        checks = (
            near("b after 1e5 updates at 1e-7", end[0], -123.69, 0.005),
            near("w after 1e5 updates at 1e-7", end[1], 2.483, 0.0005),
            near("b of the optimum", optimum()[0], -188.433, 0.001),
            Check(label="largest stable rate", measured=stable, lecture="1.1449e-06", holds=abs(stable - 1.1449e-6) < 1e-10),
            Check(
                label="condition number",
                measured=eigenvalues[-1] / eigenvalues[0],
                lecture="3.1e5",
                holds=abs(eigenvalues[-1] / eigenvalues[0] / 3.1e5 - 1) < 0.02,
            ),
            Check(
                label="|w| at update 6 with rate 1e-5", measured=abs(bounced[-1][1]), lecture="above 1e8", holds=abs(bounced[-1][1]) > 1e8
            ),
        )
        shown = thinned(ways[1e-7])
        plot = Plot(
            title="Excess loss in the valley",
            caption="The loss above its least value. The wall is left behind in some updates, the floor of the valley takes forever.",
            x_label="updates",
            log_x=True,
            y_label="loss - least loss",
            lines={
                f"rate {rate:g}": (tuple(map(float, shown[1:])), tuple(loss(way[i]) - loss(optimum()) for i in shown[1:]))
                for rate, way in ways.items()
            },
            log=True,
        )
        said = f"No rate that the steep wall allows (below {stable:.3g}) gets along the flat floor: after 100,000 updates at 1e-7 it stands at ({end[0]:.2f}, {end[1]:.3f})."
        return Seen(sentence=said, checks=checks, plots=(plot,))


class AdagradBursts:
    """Adagrad crosses the valley, and bursts where gradients have been small for long."""

    name, claims = "adagrad", (24,)
    question = "Does an adaptive rate cross the valley, and why does it burst aside later?"
    claim = "With the root mean square of past gradients, 100,000 updates reach the optimum; then it bursts sideways, and a decayed rate cures that."
    source = "Lee, Machine Learning 2021, error surface is rugged; Duchi et al. 2011 for the decayed form"

    def run(self, context: Context) -> Seen:
        """Distances from the optimum, as they are and decayed."""
        rates, far, when, reached = (0.03, 0.1, 0.3, 1.0), {}, {}, {}
        lines = {}
        for rate in rates:
            for decayed in (False, True):
                context.progress(f"Adagrad, rate {rate:g}{', decayed' if decayed else ''}")
                way = descend(Adagrad(rate, decayed), UPDATES)
                distance = np.abs(way[:, 1] - optimum()[1])
                arrived = int(np.argmax(distance < 0.1)) if (distance < 0.1).any() else len(distance) - 1
                far[rate, decayed], reached[rate, decayed] = float(distance[arrived:].max()), way[-1]
                when[rate, decayed] = arrived + int(distance[arrived:].argmax())
                if rate == 1.0:
                    shown = thinned(distance, 1500)[1:]
                    lines["decayed" if decayed else "as it is"] = (tuple(map(float, shown)), tuple(distance[shown]))
        checks = (
            Check(
                label="largest |w - w*| after arrival, rate 0.3", measured=far[0.3, False], lecture="1.25", holds=far[0.3, False] > BURST
            ),
            Check(label="the same, rate 1", measured=far[1.0, False], lecture="4.05", holds=far[1.0, False] > BURST),
            *(
                Check(
                    label=f"update of that burst, rate {rate:g}",
                    measured=when[rate, False],
                    lecture=f"{update}",
                    holds=abs(when[rate, False] / update - 1) < ABOUT,
                )
                for rate, update in ((0.3, 20_711), (1.0, 726))
            ),
            Check(
                label="largest |w - w*| after arrival, rate 0.1",
                measured=far[0.1, False],
                lecture="no burst",
                holds=far[0.1, False] < BURST,
            ),
            Check(
                label="the same distance, decayed, any rate",
                measured=max(far[r, True] for r in rates),
                lecture="below 0.3",
                holds=max(far[r, True] for r in rates) < NEAR,
            ),
            near("b after 1e5 updates, rate 1, decayed", reached[1.0, True][0], -188.367, 0.01),
        )
        plot = Plot(
            title="Adagrad near the optimum",
            caption="Distance of w from the optimum at rate 1: as gradients stay small, the step grows until it bursts; a decayed rate never does.",
            x_label="updates",
            log_x=True,
            y_label="|w - w*|",
            lines=lines,
            log=True,
        )
        said = f"It bursts to {far[1.0, False]:.2f} at rate 1 and {far[0.3, False]:.2f} at 0.3; with the rate over sqrt(t + 1) it stays within {max(far[r, True] for r in rates):.2f}."
        return Seen(sentence=said, checks=checks, plots=(plot,))


class Standardizing:
    """Standardized inputs make the valley round."""

    name, claims = "standardizing", (29,)
    question = "What does scaling the inputs do to the error surface?"
    claim = "Inputs of different sizes make slopes of different steepness; standardized, one rate suits all directions."
    source = "Lee, Machine Learning 2021, batch normalization; algebra"

    def run(self, context: Context) -> Seen:
        """The condition number before and after, and updates to the optimum."""
        scaled = (X - X.mean()) / X.std()
        before, after = (np.linalg.cond(hessian(x)) for x in (X, scaled))
        rate = 0.9 / np.linalg.eigvalsh(hessian(scaled))[-1]
        way = descend(lambda t, g: rate * g, 100, scaled)
        excess = np.array([loss(point, scaled) - loss(optimum(scaled), scaled) for point in way])
        raw = descend(lambda t, g: 0.9 / np.linalg.eigvalsh(hessian())[-1] * g, 100)
        raw_excess = np.array([loss(point) - loss(optimum()) for point in raw])
        left = float(abs(raw[-1][0] - optimum()[0]) / abs(START[0] - optimum()[0]))
        needed = int(np.argmax(excess < 1e-3 * excess[0]))
        checks = (
            near("condition number, standardized", float(after), 1.0, 1e-6),
            Check(label="condition number as it is", measured=float(before), lecture="3.1e5", holds=bool(before > 1e5)),
            Check(label="updates to a thousandth of the excess loss", measured=needed, lecture="tens", holds=0 < needed <= 50),
            Check(
                label="share of the way to b* that is left after 100 updates, as it is",
                measured=left,
                lecture="nearly all",
                holds=left > 0.9,
            ),
        )
        plot = Plot(
            title="Excess loss, as it is and standardized",
            caption="Gradient descent at nine tenths of half the largest stable rate on either surface.",
            x_label="updates",
            y_label="loss - least loss",
            lines={
                "as it is": (tuple(range(101)), tuple(raw_excess)),
                "standardized": (tuple(range(41)), tuple(np.maximum(excess[:41], 1e-6))),
            },
            log=True,
        )
        return Seen(
            sentence=f"The condition number falls from {before:.3g} to {after:.3g}; {needed} updates do what 100,000 did not.",
            checks=checks,
            plots=(plot,),
        )
