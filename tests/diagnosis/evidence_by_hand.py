"""Evidence by hand: what the experiments show of a healthy training, to be changed in one point at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from traindx.diagnosis import Reading
from traindx.diagnosis.rules import RULES, Rule
from traindx.diagnosis.rules.base import CONFIRMING_SEEDS
from traindx.records import Evidence, Finding, RemedyRef

Name = tuple[str, str, str]

CONSTANT, REACHABLE, NOISE = 2.3, 0.2, 0.01
"""What the constant predictor pays, the best reference's loss out of fold, and the half-width of every interval."""

LOSSES = {"train_loss": 0.15, "validation_loss": 0.2}
BASELINE = {
    "train_metric": 0.96,
    "validation_metric": 0.95,
    "initial_loss": 2.32,
    "initial_metric": 0.1,
    "lowest_train_loss": 0.15,
    "lowest_validation_loss": 0.2,
    "lowest_validation_step": 4000.0,
    "highest_batch_loss": 2.4,
    "last_quarter_fall": 0.001,
    "last_half_fall": 0.002,
    "validation_last_half_fall": 0.001,
    "batch_loss_noise": 0.02,
    "median_update_ratio": 1e-3,
    "median_gradient_cosine": 0.1,
    "late_gradient_cosine": 0.0,
    "updates": 4000.0,
    "epochs": 40.0,
    "updates_per_epoch": 100.0,
    "weight_layers": 4.0,
    "first_last_gradient_ratio": 0.9,
    "gradient_decay_per_layer": 1.0,
    "late_jumps": 0.001,
    "plateau_share": 0.01,
    "gradient_spread": 5.0,
    "activation_scale_ratio": 0.8,
    "median_gradient_norm": 1.0,
    "highest_gradient_norm": 5.0,
    "mean_learning_rate": 0.05,
    "initial_zero_share": 0.2,
    "initial_pinned_share": 0.0,
    "final_zero_share": 0.3,
    "final_pinned_share": 0.0,
}
AUDIT = {
    "rows": 6400.0,
    "pretrained": 0.0,
    "parameters": 3000.0,
    "frozen_share": 0.0,
    "weight_layers": 4.0,
    "tables": 0.0,
    "feature_scale_largest": 1.0,
    "feature_scale_median": 1.0,
    "feature_scale_spread": 1.2,
    "feature_offset": 0.1,
    "validation_given": 0.0,
    "learnable": 3000.0,
    "frozen_drawn_share": 0.0,
    "unused_share": 0.0,
    "smallest_gain": 0.6,
    "largest_gain": 1.4,
    "unit_spread": 1.0,
    "bias_offset": 0.01,
    "dead_share": 0.0,
    "pinned_share": 0.0,
    "dropout": 0.0,
    "norm_layers": 0.0,
    "planned_updates": 4000.0,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "planned_warmup": 0.0,
    "spent_share": 0.14,
    "shuffled": 1.0,
    "row_order": 0.0,
    "output_width": 10.0,
    "outputs_are_probabilities": 0.0,
    "loss_growth_with_rows": 1.0,
}
REFERENCES = {"constant": (CONSTANT, 0.1), "linear": (0.3, 0.92), "nearest-neighbours": (0.4, 0.9), "gradient-boosting": (REACHABLE, 0.95)}
LABEL_NOISE = {"contradicted_among_surest": 0.001, "agreement": 0.85, "concentration": 1.05, "paired": 0.0, "suspect_share": 0.01}
TWO_SAMPLE = {
    "auc": 0.5,
    "shifted_features": 0.0,
    "auc_within_classes": 0.5,
    "test_loss": 0.2,
    "test_metric": 0.95,
    "reweighted_test_loss": 0.2,
}


class Facts:
    """A set of evidence, looked up and changed by name. A change makes a new set."""

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        self._items: dict[Name, Evidence] = {(e.experiment, e.measure, e.subject): e for e in evidence}

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(self._items.values())

    @property
    def reading(self) -> Reading:
        return Reading(self.evidence)

    def put(self, experiment: str, measure: str, value: float, subject: str = "", **fields: Any) -> Facts:
        """This evidence, with an interval of NOISE unless another is given."""
        known = self._items.get((experiment, measure, subject))
        bounds = {"low": value - NOISE, "high": value + NOISE} if math.isfinite(value) else {}
        details = {**(known.details if known else {}), **fields.pop("details", {})}
        new = Evidence(experiment=experiment, measure=measure, value=value, subject=subject, details=details, **{**bounds, **fields})
        return Facts({**self._items, (experiment, measure, subject): new}.values())

    def baseline(self, **values: float) -> Facts:
        """Numbers of the baseline run."""
        facts = self
        for measure, value in values.items():
            facts = facts.put("baseline", measure, value)
        return facts

    def audit(self, **values: float | str) -> Facts:
        """Numbers of the audit, or what it says in words."""
        facts = self
        for measure, value in values.items():
            text = value if isinstance(value, str) else ""
            facts = facts.put("audit", measure, 1.0 if isinstance(value, str) else value, text=text)
        return facts

    def batches_of(self, rows: float) -> Facts:
        """The recipe's batch holds this many rows."""
        return self.put("audit", "batch_share", rows / self.reading.value("audit", "rows"), details={"batch_size": rows})

    def without(self, experiment: str, *measures: str) -> Facts:
        """All but this experiment's evidence, or but these measures of it."""
        return Facts(e for e in self.evidence if e.experiment != experiment or (measures and e.measure not in measures))

    def refused(self, experiment: str, text: str) -> Facts:
        """The experiment was asked and could not be done."""
        return self.without(experiment).put(experiment, "not-applicable", math.nan, text=text)

    # -- races ---------------------------------------------------------------------------------------------------------------------

    def raced(self, remedy: RemedyRef, recovered: float, quantity: str = "train_loss", **fields: Any) -> Facts:
        """The race showed that the remedy closes this share of the gap, on enough seeds unless others are given."""
        reading = self.reading
        before = {"train_loss": reading.train, "validation_loss": reading.validation, "validation_error": 0.3}[quantity]
        goal = {"train_loss": reading.reachable, "validation_loss": reading.reachable, "validation_error": 0.1}[quantity]
        after = before - recovered * (before - goal) if math.isfinite(recovered) else math.inf
        details = {
            "quantity": quantity,
            "before": before,
            "after": after,
            "reachable": goal,
            "share_of_training": 1.0,
            "prior": 1.0,
            "score": min(recovered, 1.0),
            **fields.pop("details", {}),
        }
        chosen = {"low": recovered - 0.1, "high": recovered + 0.1, "seeds": tuple(range(CONFIRMING_SEEDS)), **fields}
        return self.put("intervention", "recovered", recovered, str(remedy), remedy=remedy, details=details, **chosen)

    def race_refused(self, remedies: Iterable[RemedyRef], text: str, measure: str = "not-applicable") -> Facts:
        """The race could not try these remedies."""
        facts = self
        for remedy in remedies:
            facts = facts.put("intervention", measure, math.nan, str(remedy), remedy=remedy, text=text)
        return facts

    def remedies(self, cause: str) -> tuple[RemedyRef, ...]:
        """What the rule of this cause would try."""
        return rule(cause).remedies(self.reading)

    def judged(self, cause: str) -> Finding:
        """What the rule of this cause says."""
        return rule(cause).judge(self.reading)

    # -- troubles ------------------------------------------------------------------------------------------------------------------

    def underfitted(self, loss: float = 1.8) -> Facts:
        """Training and validation loss stay far above what is reachable."""
        return self.baseline(train_loss=loss, validation_loss=loss, lowest_train_loss=loss, lowest_validation_loss=loss)

    def overfitted(self, loss: float = 1.5) -> Facts:
        """Training goes to nothing while validation rises from its lowest point."""
        return self.baseline(train_loss=0.01, lowest_train_loss=0.01, validation_loss=loss, lowest_validation_loss=0.3)

    def contradicted(self, share: float, concentration: float = 1.1, errors: float = 20.0, **fields: Any) -> Facts:
        """Held-out predictions contradict this share of the labels where they are surest, and agree more often than by chance by so many errors.

        ``concentration``: how many times as often the surest fifth agrees. Nobody predicts the wrong ones.
        """
        facts = self.put("label_noise", "contradicted_among_surest", share, **fields)
        facts = facts.put("label_noise", "agreement", 0.4, low=0.4 * (1 - 1.96 / errors), high=0.4 * (1 + 1.96 / errors))
        facts = facts.put("label_noise", "concentration", concentration, low=concentration - 0.1, high=concentration + 0.1)
        reached = 1 - share - 0.05
        for name in set(REFERENCES) - {"constant"}:
            facts = facts.put("references", "out_of_fold_metric", reached, name)
        return facts.baseline(validation_metric=reached)

    def diverged(self) -> Facts:
        """The baseline run diverged."""
        facts = self.put("baseline", "outcome", 0.0, details={"outcome": "diverged"})
        return facts.baseline(train_loss=math.inf, validation_loss=math.inf, train_metric=math.nan, validation_metric=math.nan)

    def mismatched(self, test_loss: float = 2.0) -> Facts:
        """The test set is another world: a classifier tells it from training, and it costs more."""
        facts = self.put("two_sample", "auc", 0.95, "inputs").put("two_sample", "auc_within_classes", 0.95, "inputs")
        return facts.put("two_sample", "test_loss", test_loss).put("two_sample", "reweighted_test_loss", test_loss)


def rule(cause: str) -> Rule:
    """The rule of this cause."""
    return next(r for r in RULES if r.cause == cause)


def healthy() -> Facts:
    """Everything was measured, and nothing is wrong."""
    facts = Facts([]).put("baseline", "outcome", 1.0, details={"outcome": "finished"}).baseline(**LOSSES, **BASELINE).audit(**AUDIT)
    facts = facts.put("audit", "pure_error", 0.0, details={"repeated_rows": 0.0})
    copies = {"within": 0.0, "error": 0.01, "agreeing": 1.0, "most_in_a_class": 0.0}
    facts = facts.put("audit", "validation_given", 0.0).put(
        "audit", "copied_share", 0.0, "validation", text="0 % are copies", details=copies
    )
    facts = facts.put("audit", "narrowing", 1.0, "0", details={"width": 32, "inputs": 32, "after": 32})
    facts = facts.put("audit", "schedule", 1.0, text="cosine").put("audit", "optimizer", 1.0, text="sgd")
    facts = facts.put("audit", "batch_share", 0.01, details={"batch_size": 64})
    facts = facts.put("audit", "needed_width", 10.0, details={"smallest": 0.0, "distinct": 10.0})
    facts = facts.put("audit", "distance_from_affine", 0.3, details={"weight_layers": 4})
    for name, (loss, metric) in REFERENCES.items():
        facts = facts.put("references", "out_of_fold_loss", loss, name).put("references", "out_of_fold_metric", metric, name)
    facts = facts.put("relation", "explained", 0.8, details={"p_value": 0.001, "detectable": 0.01, "rows": 3000, "telling": 3000})
    facts = facts.put("relation", "explained_shifted", 0.0, details={"offset": 1, "p_value": 0.4})
    for measure, value in LABEL_NOISE.items():
        facts = facts.put("label_noise", measure, value)
    for measure, value in TWO_SAMPLE.items():
        facts = facts.put("two_sample", measure, value, "inputs" if measure in ("auc", "auc_within_classes", "shifted_features") else "")
    facts = facts.put("two_sample", "label_distance", 0.02, "labels", details={"p_value": 0.6, "unseen_share": 0.0})
    return facts.put("learning_curve", "gain_of_doubling", 0.01)
