"""Noise of small batches leaves a shallow valley (claim 17)."""

from __future__ import annotations

import numpy as np

from traindx.labs.base import Context, Seen
from traindx.records import Check, Plot

RUNS, ROWS, UPDATES, RATE = 200, 64, 2_000, 0.02
# The potential (x^2 - 1)^2 + TILT x has a shallow valley at SHALLOW and a deep one on the other side; single rows pull it by so much.
TILT, SHALLOW, PULL = 0.5, 0.93, 6.0


class Noise:
    """Small batches leave a shallow valley."""

    name, claims = "noise", (17,)
    question = "Does the noise of small batches help?"
    claim = "Where the gradient of one batch's loss is zero, that of another need not be: noisy updates escape where full batches stick."
    source = "Lee, Machine Learning 2021, batch and momentum"

    def run(self, context: Context) -> Seen:
        """A double well whose rows pull to either side: runs from the shallow one that end in the deep one, by batch size."""
        draws = np.random.default_rng(context.seeds[0])
        pulls = draws.normal(scale=PULL, size=ROWS)
        pulls -= pulls.mean()
        escaped, paths = {}, {}
        for size in (ROWS, 16, 4, 1):
            x = np.full(RUNS, SHALLOW)
            way = [x[0]]
            for _ in range(UPDATES):
                rows = np.argsort(draws.random((RUNS, ROWS)), axis=1)[:, :size]
                x = np.clip(x - RATE * (4 * x * (x * x - 1) + TILT + pulls[rows].mean(1)), -3, 3)
                way.append(x[0])
            escaped[size], paths[size] = float((x < 0).mean()), way
        checks = (
            Check(label="share that escapes, all rows", measured=escaped[ROWS], lecture="sticks", holds=escaped[ROWS] == 0),
            Check(label="share that escapes, single rows", measured=escaped[1], lecture="escapes", holds=escaped[1] > 0.5),
            Check(
                label="share that escapes, single rows - batches of 4",
                measured=escaped[1] - escaped[4],
                lecture="more with smaller batches",
                holds=escaped[1] > escaped[4] >= escaped[16],
            ),
        )
        axis = tuple(map(float, range(0, UPDATES + 1, 10)))
        plot = Plot(
            title="Out of a shallow valley",
            caption=f"Two runs from the shallow minimum at {SHALLOW}; the deep one is on the other side.",
            x_label="updates",
            y_label="position",
            lines={f"batch {size}": (axis, tuple(paths[size][::10])) for size in (ROWS, 1)},
        )
        said = (
            f"With all rows {escaped[ROWS]:.0%} of the runs leave the shallow valley, with batches of 4 {escaped[4]:.0%},"
            f" with single rows {escaped[1]:.0%}."
        )
        return Seen(sentence=said, checks=checks, plots=(plot,))
