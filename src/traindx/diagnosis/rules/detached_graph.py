"""The graph is cut inside the model: parameters on which the outputs depend receive no gradient (CAUSES: keep the graph)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import InspectedRule
from traindx.records import Branch, Evidence

# From this share of the parameters that can be trained on, a cut is no trick: fixed random features, or a part that is stopped on purpose, are declared so.
CUT_SHARE = 0.1


class DetachedGraph(InspectedRule):
    """Seen in one backward pass of a fresh model, and by moving what receives no gradient."""

    cause = "detached-graph"
    branch = Branch.DEFECT

    def seen(self, reading: Reading) -> Evidence | None:
        """A share of cut parameters; not of pretrained ones, which may be kept as they are in this way."""
        cut = reading.find("audit", "cut_share")
        if cut is None or cut.value < CUT_SHARE or reading.value("audit", "pretrained") == 1:
            return None
        said = f"{cut.value:.0%} of the parameters that can be trained change the outputs and receive no gradient: something in the forward pass cuts the graph"
        return cut.replace(text=said, threshold=CUT_SHARE)

    def unseen(self, reading: Reading) -> str:
        """What was looked at."""
        return "every parameter on which the outputs depend receives a gradient"
