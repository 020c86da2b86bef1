"""The guide's flowchart: five trainings, five answers (claim 1)."""

from __future__ import annotations

from traindx import api
from traindx.labs.base import Context, Seen
from traindx.records import Branch, Check, Plot
from traindx.tasks.readers import read

WANTED = {
    "healthy-digits": Branch.HEALTHY,
    "linear-circles": Branch.MODEL_BIAS,
    "slow-digits": Branch.OPTIMIZATION,
    "wide-digits-100": Branch.OVERFITTING,
    "shifted-digits": Branch.MISMATCH,
}


class Flowchart:
    """The training loss first, then validation, then the test set."""

    name, claims = "flowchart", (1,)
    question = "A bad result: which of five things is it?"
    claim = "Look at the training loss first: model bias or optimization; then overfitting; then mismatch. A large test loss alone says nothing."
    source = "Lee, Machine Learning 2021, general guidance"

    def run(self, context: Context) -> Seen:
        """The built-in examples, each with its cause known, diagnosed."""
        found, bars = {}, {}
        for name, branch in WANTED.items():
            context.progress(f"diagnosing {name}")
            diagnosis = api.diagnose(*read(f"example:{name}"), store=context.store)
            found[name] = (branch, diagnosis)
            run = diagnosis.baseline
            bars[name] = (run.last("train_loss"), run.last("validation_loss")) if run else (0.0, 0.0)
        checks = tuple(
            Check(
                label=f"{name}: {diagnosis.branch.value}",
                measured=float(diagnosis.branch is branch),
                lecture=branch.value,
                holds=diagnosis.branch is branch,
            )
            for name, (branch, diagnosis) in found.items()
        )
        axis = tuple(map(float, range(1, len(bars) + 1)))
        plot = Plot(
            title="Losses of the five",
            caption=f"In order: {', '.join(bars)}. Validation losses alone do not tell them apart.",
            x_label="training",
            y_label="loss",
            lines={"training": (axis, tuple(b[0] for b in bars.values())), "validation": (axis, tuple(b[1] for b in bars.values()))},
        )
        right = sum(check.holds for check in checks)
        return Seen(sentence=f"{right} of {len(checks)} trainings are told right.", checks=checks, plots=(plot,))
