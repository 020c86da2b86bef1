"""Many critical points of one small network: their losses, and the signs of their eigenvalues (claim 14)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import least_squares, minimize
from scipy.stats import spearmanr
from torch import nn
from torch.nn.utils import vector_to_parameters

from traindx.curvature import Inertia, Objective, dense_hessian, inertia
from traindx.labs.base import Context, Seen
from traindx.labs.critical_points import kind
from traindx.records import Check, Plot

HIDDEN, POINTS = 4, 64
PARAMETERS = 3 * HIDDEN + 1
STARTS, STARTS_IN_FULL = 60, 240
# A start first descends by 1 to this many quasi-Newton updates, so that low critical points are met too.
LONGEST_DESCENT = 300
# Of the search, which is to end at rounding or at the bound of evaluations.
TOLERANCE, EVALUATIONS = 1e-15, 3_000
# |g| at most, at what counts as critical; where minimizing |g|^2 stops above, the point is flat for the gradient only (Frye et al. 2020).
CRITICAL = 1e-7
# Points with equal counts and losses nearer to one another than this are counted once: the same point, with its units in another order.
SAME = 1e-9
# What the lecture's figure has at most, read off, and the level of the tests of rank correlation.
HIGHEST_RATIO, LEVEL = 0.56, 0.05
# Different points that a correlation takes, and what differences of gradients may be off by.
ENOUGH, EXACT = 12, 1e-6

X = np.linspace(-1, 1, POINTS)
Y = np.sinc(3 * X)  # sin(3 pi x) / (3 pi x)


def network() -> nn.Module:
    """1-4-1 with tanh, in float64."""
    return nn.Sequential(nn.Linear(1, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1)).double()


def objective(theta: np.ndarray) -> Objective:
    """The mean squared error of the network with these parameters (P,), in torch's order."""
    model = network()
    vector_to_parameters(torch.tensor(theta), model.parameters())
    return Objective(model, nn.MSELoss(), [(torch.tensor(X)[:, None], torch.tensor(Y)[:, None])])


def derivatives(theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss, gradient (P,) and exact Hessian (P, P), in closed form: a hundred times as fast as products, which check it at the end."""
    w, b, v, c = np.split(theta, [HIDDEN, 2 * HIDDEN, 3 * HIDDEN])
    t = np.tanh(np.outer(X, w) + b)
    first = 1 - t * t
    second = -2 * t * first
    error = t @ v + c - Y
    slopes = np.hstack([first * v * X[:, None], first * v, t, np.ones((POINTS, 1))])
    hessian = slopes.T @ slopes
    ww, wb, bb = (np.diag(v * (error * power @ second)) for power in (X * X, X, np.ones(POINTS)))
    wv, bv = (np.diag(error * power @ first) for power in (X, np.ones(POINTS)))
    none = np.zeros((HIDDEN, HIDDEN))
    hessian[:-1, :-1] += np.block([[ww, wb, wv], [wb, bb, bv], [wv, bv, none]])
    return float(np.mean(error**2)), 2 / POINTS * slopes.T @ error, 2 / POINTS * hessian


@dataclass(frozen=True)
class Point:
    """Where minimizing |g|^2 ended."""

    theta: np.ndarray
    loss: float
    gradient: float
    """|g|."""

    @property
    def critical(self) -> bool:
        """Whether the gradient is zero there, not only flat."""
        return self.gradient <= CRITICAL


def search(draws: np.random.Generator) -> Point:
    """From a random start: some updates of descent, then the nearest root of the gradient, by Levenberg and Marquardt's method."""
    start = draws.normal(size=PARAMETERS) * np.r_[np.full(2 * HIDDEN, 2.0), np.full(HIDDEN + 1, 0.5)]
    updates = int(np.exp(draws.uniform(0, np.log(LONGEST_DESCENT))))
    lower = minimize(_loss, start, jac=_gradient, method="BFGS", options={"maxiter": updates}).x
    root = least_squares(
        _gradient,
        lower,
        jac=_hessian,
        method="lm",
        xtol=TOLERANCE,
        ftol=TOLERANCE,
        gtol=TOLERANCE,
        max_nfev=EVALUATIONS,
    ).x
    loss, gradient, _ = derivatives(root)
    return Point(root, loss, float(np.linalg.norm(gradient)))


def _loss(theta: np.ndarray) -> float:
    return derivatives(theta)[0]


def _gradient(theta: np.ndarray) -> np.ndarray:
    return derivatives(theta)[1]


def _hessian(theta: np.ndarray) -> np.ndarray:
    return derivatives(theta)[2]


@dataclass(frozen=True)
class Counted:
    """Critical points, and shares of their eigenvalues by sign: one entry a point, by rising loss."""

    points: tuple[Point, ...]
    losses: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    near_zero: np.ndarray

    @property
    def kinds(self) -> list[str]:
        """What each is, as far as signs tell."""
        return [kind(p, n, z) for p, n, z in zip(self.positive, self.negative, self.near_zero, strict=True)]


def counted(points: list[Point]) -> Counted:
    """The critical ones among these, each once, with exact counts."""
    kept: list[tuple[Point, Inertia]] = []
    for point in sorted((p for p in points if p.critical), key=lambda p: p.loss):
        signs = inertia(objective(point.theta))
        if not any(abs(point.loss - p.loss) <= SAME and _counts(signs) == _counts(s) for p, s in kept):
            kept.append((point, signs))
    shares = np.array([_counts(signs) for _, signs in kept]).reshape(-1, 3) / PARAMETERS
    return Counted(tuple(p for p, _ in kept), np.array([p.loss for p, _ in kept]), *shares.T)


def _counts(signs: Inertia) -> tuple[int, int, int]:
    return signs.positive, signs.negative, signs.near_zero


def off_by(theta: np.ndarray) -> float:
    """What the Hessian differs by from central differences of the gradient, as a share of its largest entry."""
    here, step = objective(theta), 1e-6
    exact = dense_hessian(here).numpy()
    columns = [(derivatives(theta + step * e)[1] - derivatives(theta - step * e)[1]) / (2 * step) for e in np.eye(len(theta))]
    return float(np.abs(exact - np.array(columns)).max() / np.abs(exact).max())


def rank_correlation(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Spearman's coefficient, and the level at which it is above zero."""
    found = spearmanr(one, other, alternative="greater")
    return float(found.statistic), float(found.pvalue)


class Census:
    """The lecture's plot of loss against minimum ratio, with exact Hessians at points that are critical."""

    name, claims = "census", (14,)
    question = "Where training stops at a critical point, is it a local minimum?"
    claim = (
        "Of a hundred critical points none has more than about 0.56 of its eigenvalues positive: local minima are hardly met. "
        "The lower the loss, the more directions point up."
    )
    source = "Lee, Machine Learning 2021, when gradient is small (an experiment of the lecture's own); Frye et al. 2020 on points that are flat only"

    def run(self, context: Context) -> Seen:
        """Roots of the gradient from many starts; exact counts of eigenvalues, near-zero ones apart."""
        draws = np.random.default_rng(context.seeds[0])
        starts = STARTS_IN_FULL if context.full else STARTS
        met = []
        for i in range(starts):
            if i % 10 == 0:
                context.progress(f"{starts} starts, {i} done")
            met.append(search(draws))
        found = counted(met)
        checks = _checks(found)
        differs = len(found.points) >= ENOUGH and all(check.holds for check in checks if check.label.startswith(ALONG_THE_LOSS))
        return Seen(sentence=_told(met, found), checks=checks, plots=(_by_loss(found),), differs=differs)


ALONG_THE_LOSS = "rank correlation"


def _checks(found: Counted) -> tuple[Check, ...]:
    up, up_level = rank_correlation(found.losses, found.negative)
    down, down_level = rank_correlation(-found.losses, found.positive)
    worst, off = max(p.gradient for p in found.points), off_by(found.points[0].theta)
    highest = float(found.positive.max())
    return (
        Check(label="different critical points", measured=len(found.points), lecture="about 100", holds=len(found.points) >= ENOUGH),
        Check(label="largest |g| at them", measured=worst, lecture="not told", holds=worst <= CRITICAL),
        Check(label="Hessian against differences of gradients, relative", measured=off, lecture="exact", holds=off < EXACT),
        Check(label="highest share of positive eigenvalues", measured=highest, lecture="0.56", holds=highest <= HIGHEST_RATIO),
        Check(
            label=f"{ALONG_THE_LOSS} of loss and negative share (p = {up_level:.1g})",
            measured=up,
            lecture="above 0",
            holds=up_level < LEVEL,
        ),
        Check(
            label=f"{ALONG_THE_LOSS} of loss and positive share, turned (p = {down_level:.1g})",
            measured=down,
            lecture="above 0",
            holds=down_level < LEVEL,
        ),
    )


def _told(met: list[Point], found: Counted) -> str:
    critical, kinds = sum(p.critical for p in met), found.kinds
    return (
        f"Of {len(met)} searches {critical} end at critical points and {len(met) - critical} where only |g| is flat. "
        f"Of {len(kinds)} different points {kinds.count('saddle')} are saddles, {kinds.count('minimum')} minima and "
        f"{kinds.count('degenerate')} undecided: no negative eigenvalue, but some near zero. "
        f"Those are {found.near_zero.mean():.0%} of all eigenvalues, so a low positive share does not mean negative ones."
    )


def _by_loss(found: Counted) -> Plot:
    axis = tuple(found.losses)
    return Plot(
        title="Signs of eigenvalues by loss",
        caption=f"{len(axis)} critical points of a network with {PARAMETERS} parameters: the shares of positive (the minimum ratio), negative and near-zero eigenvalues at each.",
        x_label="loss (mean squared error)",
        y_label="share of eigenvalues",
        lines={
            "positive": (axis, tuple(found.positive)),
            "negative": (axis, tuple(found.negative)),
            "near zero": (axis, tuple(found.near_zero)),
        },
        points=True,
    )
