"""Are part of the numbers those of other rows?

Targets that were exchanged between rows are drawn like all targets, and have nothing to do with their own row. So they are told from noise,
which lies around what is predicted whatever its tails: held-out predictions are fitted by a line with normal noise, from which a share of the
rows is exempt and drawn like the targets as a whole; and by a line with any noise that is symmetric with one peak (a mixture of normals of all
widths). Which of the two says more of the rows is Vuong's test (1989, equation 4.2); contamination of this kind is that of Aitkin and Wilson
(1980). Rows that answer in another way, and not at random, lie on a second line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

ROUNDS = 60
# Widths of the noise in the other model: half a robust standard deviation, and twice as much each.
WIDTHS = 7
# Exchanged are this share of the targets and more, or so many that the line is no longer theirs.
LEAST_SHARE, LARGEST_SHARE = 0.12, 0.65
# In standard errors, how much better exchange explains the rows than noise does.
LEAST_ERRORS = 4.0
# Predictions are right of the rest (correlation), and know nothing of what was exchanged: the slope of its own line, over that of the rest.
LEAST_INSIDE, MOST_OUTSIDE = 0.8, 0.25
# Exchanged targets flatten what is learned from them by their share: the line of the rest is steeper than 1 by at least this part of that. Out of
# 24 sound regressions of bench/zoo one is explained by exchange, of 0.13 (digits whose angle nobody predicts), and has half of the slope.
STEEPER = 0.6
# What was exchanged is drawn like all targets: largest distance between the two distribution functions. Of numbers that are often the same (no
# rain, none sold), what does not follow the inputs is not.
UNLIKE = 0.25
# Points at which the density of all targets is computed.
GRID = 512


@dataclass(frozen=True)
class Exchange:
    """What the fit says.

    The share; the slope of the rest; standard errors; the correlation of the rest, and the slope of a line through the suspects; how far
    suspects are from all targets in distribution; and the rows (N,) that are suspect.
    """

    share: float
    slope: float
    errors: float
    inside: float
    outside: float
    unlike: float
    suspects: np.ndarray

    @property
    def shown(self) -> bool:
        """Whether nothing else explains the rows as well."""
        steeper = self.slope - 1 >= STEEPER * self.share / (1 - self.share)
        known = self.inside >= LEAST_INSIDE and abs(self.outside) <= MOST_OUTSIDE and self.unlike <= UNLIKE
        return LEAST_SHARE <= self.share <= LARGEST_SHARE and self.errors >= LEAST_ERRORS and known and steeper


def exchange(targets: np.ndarray, predictions: Iterable[np.ndarray]) -> Exchange | None:
    """The fit to (N,) numbers of the held-out predictions that explain them best, either way; None of constant ones.

    Cost: a tenth of a second for each prediction of 3000 rows.
    """
    centre, spread = float(targets.mean()), float(targets.std())
    if spread == 0:
        return None
    y = (targets - centre) / spread
    others = _log_density(y)
    fitted = [_fit(y, (predicted - centre) / spread, others) for predicted in predictions if predicted.std() > 0]
    return max(fitted, key=lambda pair: pair[0], default=(0.0, None))[1]


def _fit(y: np.ndarray, f: np.ndarray, others: np.ndarray) -> tuple[float, Exchange]:
    """(log-likelihood of the better model, what it says)."""
    exchanged, share, slope, own = _line_and_others(y, f, others)
    noisy = _line_and_noise(y, f)
    gain = exchanged - noisy
    errors = float(gain.mean() / max(gain.std(), 1e-12) * np.sqrt(len(gain)))
    suspects = own < 0.5
    outside = _second_slope(y, f, own) / slope if slope else 0.0
    found = Exchange(share, slope, errors, _correlation(y[~suspects], f[~suspects]), outside, _distance(y[suspects], y), suspects)
    return float(max(exchanged.sum(), noisy.sum())), found


def _log_density(y: np.ndarray) -> np.ndarray:
    """(N,) of the targets as a whole, by a kernel estimate."""
    from scipy.stats import gaussian_kde

    grid = np.linspace(y.min(), y.max(), GRID)
    return np.asarray(np.log(np.maximum(np.interp(y, grid, gaussian_kde(y)(grid)), 1e-12)))


def _second_slope(y: np.ndarray, f: np.ndarray, own: np.ndarray) -> float:
    """The slope of the second of two lines with normal noise, begun at the rows that are not their ``own``."""
    belongs, slope = np.stack([own, 1 - own]), 1.0
    for _ in range(ROUNDS):
        parts = []
        for part in np.maximum(belongs, 1e-9):  # the second comes last
            offset, slope = _weighted_line(y, f, part)
            parts.append(np.log(part.mean()) + _log_normal(y - offset - slope * f, _width(y - offset - slope * f, part)))
        belongs = np.exp(parts - np.logaddexp.reduce(parts, axis=0))
    return slope


def _line_and_others(y: np.ndarray, f: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, float, float, np.ndarray]:
    """By expectation and maximization: (N,) log densities, the share of others, the slope, and (N,) how probably a row's target is its own."""
    offset, slope, width, share = float(np.median(y - f)), 1.0, _robust_width(y - f), 0.2
    own = np.ones(len(y))
    for _ in range(ROUNDS):
        line, rest = np.log(1 - share) + _log_normal(y - offset - slope * f, width), np.log(share) + others
        own = np.exp(line - np.logaddexp(line, rest))
        share = float(np.clip(1 - own.mean(), 1e-4, 0.95))
        offset, slope = _weighted_line(y, f, own)
        width = _width(y - offset - slope * f, own)
    density = np.logaddexp(np.log(1 - share) + _log_normal(y - offset - slope * f, width), np.log(share) + others)
    return density, share, slope, own


def _line_and_noise(y: np.ndarray, f: np.ndarray) -> np.ndarray:
    """(N,) log densities of a line with noise of any symmetric shape with one peak."""
    widths = _robust_width(y - f) / 2 * 2.0 ** np.arange(WIDTHS)[:, None]
    offset, slope, shares = 0.0, 1.0, np.full((WIDTHS, 1), 1 / WIDTHS)
    density = np.zeros(len(y))
    for _ in range(ROUNDS):
        parts = np.log(shares + 1e-300) + _log_normal((y - offset - slope * f)[None], widths)
        density = np.logaddexp.reduce(parts, axis=0)
        belongs = np.exp(parts - density)
        shares = belongs.mean(1, keepdims=True)
        offset, slope = _weighted_line(y, f, (belongs / widths**2).sum(0))
    return density


def _weighted_line(y: np.ndarray, f: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    share = weights / weights.sum()
    centre_y, centre_f = float(share @ y), float(share @ f)
    slope = float(share @ ((f - centre_f) * (y - centre_y))) / max(float(share @ (f - centre_f) ** 2), 1e-12)
    return centre_y - slope * centre_f, slope


def _width(residuals: np.ndarray, weights: np.ndarray) -> float:
    return max(float(np.sqrt((weights * residuals**2).sum() / weights.sum())), 1e-4)


def _log_normal(residuals: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    return np.asarray(-0.5 * (residuals / width) ** 2 - np.log(width) - 0.5 * np.log(2 * np.pi))


def _robust_width(residuals: np.ndarray) -> float:
    return max(1.4826 * float(np.median(np.abs(residuals - np.median(residuals)))), 1e-4)


def _distance(part: np.ndarray, whole: np.ndarray) -> float:
    from scipy.stats import ks_2samp

    return float(ks_2samp(part, whole).statistic) if len(part) else 1.0


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of fewer than six rows, or constant ones, 0."""
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 5 and a.std() > 0 and b.std() > 0 else 0.0
