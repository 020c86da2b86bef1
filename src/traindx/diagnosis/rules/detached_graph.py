"""The graph is cut inside the model: parameters on which the outputs depend receive no gradient (CAUSES: keep the graph)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import Rule, present
from traindx.records import Branch, Finding, Standing

# The share of the parameters that can be trained from which on a cut is worth telling.
CUT_SHARE = 0.1


class DetachedGraph(Rule):
    """Settled by passes of a fresh model, by moving what receives no gradient, and by a training that does not get where it could.

    Random features, or a part that is stopped on purpose, look alike and do no harm.
    """

    cause = "detached-graph"
    branch = Branch.DEFECT
    question = "audit"

    def judge(self, reading: Reading) -> Finding:
        """Confirmed where the training loss is large; else said, and not blamed."""
        cut = reading.find("audit", "cut_share")
        if cut is None:
            return self.finding(Standing.NOT_APPLICABLE, 0.0, "no backward pass could be looked at")
        if cut.value < CUT_SHARE:
            return self.finding(Standing.CLEARED, 0.9, "parameters on which the outputs depend receive a gradient")
        said = f"{cut.value:.0%} of the parameters that can be trained change the outputs and receive no gradient: the forward pass cuts the graph"
        evidence = present(cut.replace(threshold=CUT_SHARE), reading.find("baseline", "train_loss"), reading.best_reference)
        if not reading.training_is_large:
            return self.finding(Standing.CLEARED, 0.6, f"{said}, and training gets to what is reachable all the same", evidence)
        return self.finding(Standing.CONFIRMED, 0.9, said, evidence)
