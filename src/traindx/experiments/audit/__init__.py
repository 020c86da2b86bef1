"""The audit: what can be seen in data, model, recipe and shapes without any training."""

from __future__ import annotations

from collections.abc import Sequence

from traindx.experiments.audit.activity import activity_evidence
from traindx.experiments.audit.data import data_evidence
from traindx.experiments.audit.model import model_evidence
from traindx.experiments.audit.recipe import recipe_evidence
from traindx.experiments.audit.shapes import shape_evidence
from traindx.experiments.base import Lab
from traindx.records import Evidence, Question


class Audit:
    """Looks at the rows, at fresh models, at the recipe, and at one batch on its way to the loss."""

    name, title, version, reads_test = "audit", "audit of data, model and recipe", 3, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """One piece of evidence a number."""
        return [*data_evidence(lab), *model_evidence(lab), *activity_evidence(lab), *recipe_evidence(lab), *shape_evidence(lab)]
