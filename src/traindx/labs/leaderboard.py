"""Public and private leaderboards: what selection by a small set does to its score (claim 8)."""

from __future__ import annotations

import numpy as np

from traindx.experiments.selection_bias import best_of, ladder, scores
from traindx.labs.base import Context, Seen
from traindx.records import Check, Plot

ROWS, SUBMISSIONS, TRIALS = 200, 10_000, 200
# The Ladder's step: a submission counts only if it beats the best by more than this many standard errors of a score.
STEP = 1.0
# Standard errors that a mean over the competitions may be off its expectation.
SURE = 3.0


class Leaderboard:
    """The best of many random predictors."""

    name, claims = "leaderboard", (8,)
    question = "What is the best public score worth after ten thousand submissions?"
    claim = "The best of many random predictors looks good on the public set and is random on the private one."
    source = "Lee, Machine Learning 2021, general guidance; Blum and Hardt 2015 for the Ladder"

    def run(self, context: Context) -> Seen:
        """The optimism of the best public score, the private score of the chosen one, a validation split, and the Ladder."""
        context.progress(f"{TRIALS} competitions of {SUBMISSIONS} submissions")
        draws = np.random.default_rng(context.seeds[0])
        public, private, validation = (scores(ROWS, SUBMISSIONS, TRIALS, draws) for _ in range(3))
        best = np.maximum.accumulate(public, axis=1)
        chosen = private[np.arange(TRIALS), public.argmax(1)]
        bound = 0.5 + np.sqrt(np.log(SUBMISSIONS) / (2 * ROWS))
        laddered = ladder(public, STEP * 0.5 / np.sqrt(ROWS))
        counts = np.unique(np.geomspace(1, SUBMISSIONS, 60).astype(int))
        low, high = np.quantile(best[:, -1], (0.025, 0.975))
        fair, fair_public = float(chosen.mean()), float(public[np.arange(TRIALS), validation.argmax(1)].mean())
        expected, deviation = best_of(SUBMISSIONS, ROWS)
        sure = SURE / np.sqrt(TRIALS)
        checks = (
            Check(
                label="best public accuracy",
                measured=float(best[:, -1].mean()),
                lecture=f"about {bound:.2f} (bound)",
                holds=bool(best[:, -1].mean() <= bound),
            ),
            Check(
                label="the same, off its exact expectation",
                measured=float(best[:, -1].mean() - expected),
                lecture=f"0 ({expected:.4f})",
                holds=bool(abs(best[:, -1].mean() - expected) < sure * deviation),
            ),
            Check(
                label="private accuracy of the chosen",
                measured=fair,
                lecture="0.5",
                holds=abs(fair - 0.5) < sure * 0.5 / np.sqrt(ROWS),
            ),
            Check(
                label="public accuracy of one chosen by a validation split",
                measured=fair_public,
                lecture="0.5: no optimism",
                holds=abs(fair_public - 0.5) < sure * 0.5 / np.sqrt(ROWS),
            ),
            Check(
                label="best score that the Ladder shows, over the private one",
                measured=float(laddered[:, -1].mean() - fair),
                lecture="less optimism",
                holds=bool(laddered[:, -1].mean() < best[:, -1].mean()),
            ),
        )
        plot = Plot(
            title="Optimism of the best public score",
            caption=f"Means over {TRIALS} competitions; after {SUBMISSIONS} submissions 95 of 100 best scores lie between {low:.3f} and {high:.3f}.",
            x_label="submissions",
            log_x=True,
            y_label="accuracy (share of rows)",
            lines={
                "best public score": (tuple(map(float, counts)), tuple(best[:, counts - 1].mean(0))),
                "what the Ladder shows": (tuple(map(float, counts)), tuple(laddered[:, counts - 1].mean(0))),
                "private score of the chosen": (
                    tuple(map(float, counts)),
                    tuple(float(private[np.arange(TRIALS), public[:, :n].argmax(1)].mean()) for n in counts),
                ),
            },
        )
        said = (
            f"The best public score is {best[:, -1].mean():.3f} on {ROWS} rows; the predictor that has it scores {fair:.3f} on fresh rows."
        )
        return Seen(sentence=said, checks=checks, plots=(plot,))
