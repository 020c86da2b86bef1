"""A plan is verified: before against after on fresh seeds and divisions, then once on the test set; or by looking for its cause again."""

from __future__ import annotations

from collections.abc import Sequence

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules import RULES
from traindx.experiments import EXPERIMENTS, Lab
from traindx.experiments.verification import MEAN_RECALL, compare_on_test, compare_on_validation, pairs
from traindx.records import Branch, Comparison, Diagnosis, NotApplicable, Question, Standing
from traindx.remedies import AlignValidationInputs, BalanceClasses, make_remedy
from traindx.treatment.choosing import FALLBACK_PAIRS, WORTH, Remedies


def compared(lab: Lab, diagnosis: Diagnosis, plans: Sequence[Remedies]) -> tuple[Remedies, list[Comparison]]:
    """The first plan that improves validation on fresh seeds, else the last; on the test set, too, then or when only that can show it.

    A plan that cannot be applied on other divisions of the rows does not improve anything there.
    """
    remedies, comparisons = Remedies(), list[Comparison]()
    for remedies, *others in (plans[i:] for i in range(len(plans))):
        try:
            paired = pairs(lab, remedies, sum(FALLBACK_PAIRS * lab.cost(lab.job(*other)) for other in others))
        except NotApplicable:
            comparisons = []
            continue
        comparisons = compare_on_validation(lab, paired)
        if decided_on_test(diagnosis) or improved(decisive(diagnosis, remedies, comparisons)):
            return remedies, comparisons + compare_on_test(lab, paired, remedies)
    return remedies, comparisons


def repaired(lab: Lab, diagnosis: Diagnosis, remedies: Remedies) -> bool:
    """Whether the causes that these remedies repair are found no more, by the experiments that found them."""
    treated = lab.job(*remedies)
    again = Lab(treated.task, treated.recipe, lab.executor, lab.memory, lab.callbacks, lambda stage, done: None)
    repairs = {r for r in remedies if make_remedy(r).repairs}
    findings = [f for f in diagnosis.findings if f.standing is Standing.CONFIRMED and repairs & set(f.remedies)]
    asked = sorted({e.experiment for f in findings for e in f.evidence})
    reading = Reading([e for name in asked for e in again.answer(Question(experiment=name), EXPERIMENTS[name])])
    return all(rule.judge(reading).standing is not Standing.CONFIRMED for rule in RULES for f in findings if rule.cause == f.cause)


def decisive(diagnosis: Diagnosis, remedies: Remedies, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """What the remedies are meant to change: the test set's figures of a mismatch, the mean recall of balanced classes; else all but that."""
    on_test = [c for c in comparisons if c.measure.startswith("test")]
    if _of_the_test_set(diagnosis) or (on_test and decided_on_test(diagnosis)):
        return on_test
    balancing = any(r.id == BalanceClasses.id for r in remedies)
    return [c for c in comparisons if (c.measure == MEAN_RECALL) == balancing]


def decided_on_test(diagnosis: Diagnosis) -> bool:
    """Whether validation rows cannot show what the remedy is worth: they come from elsewhere, or their labels are as wrong as the others."""
    return _of_the_test_set(diagnosis) or (diagnosis.top is not None and diagnosis.top.cause == "label-noise")


def _of_the_test_set(diagnosis: Diagnosis) -> bool:
    """Whether the mismatch is the test set's, and not one of validation rows that a map mends."""
    of_validation = diagnosis.top is not None and any(r.id == AlignValidationInputs.id for r in diagnosis.top.remedies)
    return diagnosis.branch is Branch.MISMATCH and not of_validation


def improved(comparisons: Sequence[Comparison]) -> bool:
    """Whether a measure is better for sure and by enough to be worth a change, and none is worse for sure."""
    return any(c.improved and _is_worth(c) for c in comparisons) and not any(c.high < 0 for c in comparisons)


def _is_worth(comparison: Comparison) -> bool:
    before = sum(map(abs, comparison.before)) / len(comparison.before)
    return not comparison.gain < WORTH * before  # of a training that gave no number before, anything is worth it
