"""The gradient is near zero at the start, and a step aside goes down (CAUSES: noise, momentum, a step along the negative curvature)."""

from __future__ import annotations

from traindx.diagnosis.reading import Reading
from traindx.diagnosis.rules.base import NOTICEABLE, SYMPTOM, DirectFitRule, log_ramp, present, ramp, ratio
from traindx.records import Evidence, RemedyRef

# Share of the training during which the loss stays where it began.
PLATEAU_NONE, PLATEAU_FULL = 0.15, 0.6
# The largest gradient norm over that of the first updates: a saddle is left at a growing pace.
GROWTH_NONE, GROWTH_FULL = 3.0, 30.0

# The sign of a training that ended on a saddle: measured, but a saddle that is left in time does no harm.
SHOWN = 0.9
# Units that differ by less than this share of their weights start on a saddle: they get one gradient.
EQUAL = 0.1


class SaddlePoint(DirectFitRule):
    """Settled by a start beside the saddle, or off it along negative curvature."""

    cause = "saddle-point"

    def cures(self, reading: Reading) -> tuple[RemedyRef, ...]:
        """Noise on the initial weights; a step along negative curvature, where that was measured."""
        noise = RemedyRef(id="perturb-start", params={"scale": 0.5, "draw": 0})
        return (noise, RemedyRef(id="escape-saddle")) if _shown(reading) else (noise,)

    def sign(self, reading: Reading) -> float:
        """A plateau at the start, with a gradient that is small there; a training that ended on a saddle."""
        if reading.broken or reading.value("audit", "pretrained") == 1:
            return 0.0
        if _shown(reading):
            return SHOWN
        plateau = ramp(reading.sign("plateau_share"), PLATEAU_NONE, PLATEAU_FULL)
        growth = log_ramp(ratio(reading.sign("highest_gradient_norm"), reading.sign("first_gradient_norm")), GROWTH_NONE, GROWTH_FULL)
        equal = reading.value("audit", "unit_spread") <= EQUAL
        return SYMPTOM * plateau * max(growth, 1.0 if equal else NOTICEABLE)

    def signs(self, reading: Reading) -> tuple[Evidence, ...]:
        """Plateau and gradient norms; the curvature where the training ended."""
        return present(
            *(reading.find("baseline", m) for m in ("plateau_share", "first_gradient_norm", "highest_gradient_norm")),
            *(reading.find("critical_point", m) for m in ("answer", "negative_curvature", "escape_fall_share")),
        )


def _shown(reading: Reading) -> bool:
    """Whether the training ended where the slope is spent and curvature goes down."""
    answer = reading.find("critical_point", "answer")
    return answer is not None and answer.details["answer"] == "saddle"
