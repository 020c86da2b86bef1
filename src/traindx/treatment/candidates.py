"""What may help on a branch of the guide beyond what a diagnosis confirms, and the few numbers that matter there.

A candidate is kept only where it lowers the validation loss by more than chance, so the lists may be generous: what does harm here costs a
training and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from traindx.records import Branch, RemedyRef
from traindx.remedies import (
    AddDropout,
    AddWeightDecay,
    Augment,
    AugmentSignals,
    Deepen,
    Ensemble,
    Erase,
    InputNoise,
    InsertNormalization,
    LabelSmoothing,
    MixUp,
    MoreEpochs,
    Narrow,
    Remedy,
    ScaleRate,
    SetOptimizer,
    SetSchedule,
    ShareParameters,
    StandardizeTargets,
    StopEarly,
    WarmUp,
    Widen,
)

# Remedies that go together are one candidate.
Candidate = tuple[Remedy, ...]


def _alone(*remedies: Remedy) -> tuple[Candidate, ...]:
    return tuple((remedy,) for remedy in remedies)


# A network that is trained well before it is judged: an adaptive rate that begins high and falls to zero, targets on the scale of the outputs.
_WELL: tuple[Candidate, ...] = (
    (StandardizeTargets(), SetOptimizer("adam", 1e-2), SetSchedule("cosine")),
    (SetOptimizer("adam", 1e-2), SetSchedule("cosine")),
)
# A rate that falls to zero shows what a longer, a faster or a normalized training is worth: at a constant rate, the noise of the last updates
# hides it. The longer training is first: later, what it costs might not be left.
_FALLING: tuple[Candidate, ...] = (
    (MoreEpochs(3.0), SetSchedule("cosine")),
    (ScaleRate(3.0), SetSchedule("cosine")),
    (InsertNormalization(), SetSchedule("cosine")),
    (SetSchedule("cosine"),),
)
_LONGER: Candidate = (MoreEpochs(3.0), StopEarly(5))
# Convolutions as one would set them up, and alone.
_GRID: tuple[Candidate, ...] = ((ShareParameters(), InsertNormalization(), SetSchedule("cosine")), (ShareParameters(),))
_CONSTRAINTS = (
    *_GRID,
    *_alone(StopEarly(5), Augment(2, mirror=True), Augment(2), AugmentSignals()),
    *_WELL,
    (AddDropout(0.1), SetSchedule("cosine")),
    *_FALLING[1:3],
    *_alone(LabelSmoothing(0.1), MixUp(0.2), AddDropout(0.3)),
    _FALLING[0],
    *_alone(AddWeightDecay(0.3), InputNoise(0.1), Erase(0.4), Narrow(4)),
)
_STEPS = _alone(SetOptimizer("adam", 1e-3), ScaleRate(3.0), ScaleRate(1 / 3), StandardizeTargets(), InsertNormalization(), WarmUp(0.1))
_DESCENT = (*_WELL, *_FALLING, _LONGER, *_STEPS)
_CAPACITY = (*_alone(Widen(4), Deepen(64)), *_WELL, *_FALLING, _LONGER, *_alone(InsertNormalization()))
_ANY = tuple(dict.fromkeys((*_GRID, (StopEarly(5),), *_WELL, *_FALLING, *_CONSTRAINTS, *_STEPS)))
# On these branches validation rows cannot say what helps, or nothing is known that could be tried.
CANDIDATES: dict[Branch, tuple[Candidate, ...]] = {
    Branch.OVERFITTING: _CONSTRAINTS,
    Branch.OPTIMIZATION: _DESCENT,
    Branch.MODEL_BIAS: _CAPACITY,
    Branch.HEALTHY: _ANY,
    Branch.DEFECT: _ANY,
    Branch.DATA: _ANY,
    Branch.UNDECIDED: _ANY,
    Branch.MISMATCH: (),
}


_INNERMOST = (ShareParameters.id,)
_OUTERMOST = (Augment.id, AugmentSignals.id, Erase.id, InputNoise.id)
_AROUND_ALL = (Ensemble.id,)


def in_order(remedies: Sequence[RemedyRef]) -> tuple[RemedyRef, ...]:
    """Another network first, what changes its inputs last, and several of all that around it: operations on layers come between."""
    return tuple(sorted(remedies, key=lambda r: (r.id in _AROUND_ALL, r.id not in _INNERMOST, r.id in _OUTERMOST)))


def on_top(chosen: Sequence[RemedyRef], refs: Sequence[RemedyRef]) -> tuple[RemedyRef, ...]:
    """Both, without what would be there twice; a factor on the rate is none on that of another optimizer."""
    there = {ref.id for ref in chosen}
    fresh = [ref for ref in refs if ref.id not in there]
    replaced = {ScaleRate.id} if any(ref.id == SetOptimizer.id for ref in fresh) else set()
    return in_order((*(ref for ref in chosen if ref.id not in replaced), *fresh))


@dataclass(frozen=True)
class Number:
    """A parameter of a remedy to search over, on a logarithmic scale, from ``low`` to ``high``.

    Where ``relative``, these are factors on the value that is chosen already, 1 where none is.
    """

    remedy: str
    parameter: str
    low: float
    high: float
    relative: bool = False

    def within(self, chosen: Sequence[RemedyRef]) -> tuple[float, float]:
        """The bounds, around what is chosen."""
        known = self._chosen(chosen, 1.0) if self.relative else 1.0
        return self.low * known, self.high * known

    def nearest(self, chosen: Sequence[RemedyRef]) -> float:
        """The value within the bounds that changes least: the one that is chosen; where none is, the middle of factors, or the least."""
        low, high = self.within(chosen)
        return min(max(self._chosen(chosen, 1.0 if self.relative else low), low), high)

    def _chosen(self, chosen: Sequence[RemedyRef], otherwise: float) -> float:
        return next((float(r.params[self.parameter]) for r in chosen if r.id == self.remedy), otherwise)

    def ref(self, value: float) -> RemedyRef:
        """The remedy with this value."""
        return RemedyRef(id=self.remedy, params={self.parameter: float(f"{value:.4g}")})


_RATE = Number(ScaleRate.id, "factor", 1 / 30, 30.0, relative=True)
_DECAY = Number(AddWeightDecay.id, "strength", 0.01, 10.0)
_DROPOUT = Number(AddDropout.id, "p", 0.05, 0.6)
_BATCH = Number("scale-batch", "factor", 0.25, 4.0, relative=True)
_WIDTH = Number(InputNoise.id, "scale", 0.02, 0.5)

NUMBERS: dict[Branch, tuple[Number, ...]] = {
    Branch.OVERFITTING: (_RATE, _DECAY, _DROPOUT, _WIDTH),
    Branch.OPTIMIZATION: (_RATE, _BATCH),
    Branch.MODEL_BIAS: (_RATE, _DECAY),
    Branch.HEALTHY: (_RATE, _DECAY, _BATCH),
    Branch.DEFECT: (_RATE, _DECAY, _BATCH),
    Branch.DATA: (_RATE, _DECAY, _BATCH),
    Branch.UNDECIDED: (_RATE, _DECAY, _BATCH),
    Branch.MISMATCH: (),
}
