"""What every rule that a race settles must do, said once. A test file gives the evidence in which its cause shows."""

from __future__ import annotations

from evidence_by_hand import Facts, rule

from traindx.diagnosis.rules.base import CLEARING_SHARE, CONFIRMING_SHARE, NOTICEABLE, STRONG_SIGN
from traindx.records import Branch, RemedyRef, Standing

ENOUGH = (1 + CONFIRMING_SHARE) / 2
"""A recovery that confirms."""


def sign(facts: Facts, cause: str) -> float:
    """How strongly the rule of this cause suspects it."""
    return rule(cause).sign(facts.reading)


def cure(facts: Facts, cause: str, remedy: str) -> RemedyRef:
    """The remedy of this id that the rule would try."""
    (found,) = [ref for ref in facts.remedies(cause) if ref.id == remedy]
    return found


def fires(facts: Facts, cause: str, *remedies: str, branch: Branch = Branch.OPTIMIZATION) -> None:
    """Strong signs, with their evidence; each remedy, these among them, confirms by a repeated recovery, and by one on a single seed only suspects."""
    assert sign(facts, cause) >= STRONG_SIGN
    assert rule(cause).signs(facts.reading)
    assert set(remedies) <= {ref.id for ref in facts.remedies(cause)}
    for ref in facts.remedies(cause):
        confirmed = facts.raced(ref, ENOUGH).judged(cause)
        assert (confirmed.standing, confirmed.branch, confirmed.remedies) == (Standing.CONFIRMED, branch, (ref,))
        assert len(confirmed.evidence) > 1
        once = facts.raced(ref, ENOUGH, seeds=(0,), low=None, high=None).judged(cause)
        assert (once.standing, once.remedies) == (Standing.SUSPECTED, (ref,))


def is_silent(facts: Facts, cause: str) -> None:
    """No sign, nothing to try, cleared."""
    assert sign(facts, cause) < NOTICEABLE
    assert not facts.remedies(cause)
    assert facts.judged(cause).standing is Standing.CLEARED


def declines(facts: Facts, cause: str) -> None:
    """A strong sign alone confirms nothing: not tried, not applicable, without effect, and partly effective are different answers."""
    refs = facts.remedies(cause)
    untried = facts.judged(cause)
    assert (untried.standing, untried.remedies) == (Standing.UNDECIDED, refs)
    assert "not run: the budget ended before it" in untried.summary
    refused = facts.race_refused(refs, "the model refuses").judged(cause)
    assert (refused.standing, refused.summary) == (Standing.NOT_APPLICABLE, "the model refuses")
    useless, partly = facts, facts
    for ref in refs:
        useless, partly = useless.raced(ref, CLEARING_SHARE / 2), partly.raced(ref, (CLEARING_SHARE + CONFIRMING_SHARE) / 2)
    assert useless.judged(cause).standing is Standing.CLEARED
    assert partly.judged(cause).standing is Standing.UNDECIDED
