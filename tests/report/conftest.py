"""Hand-made records of every kind, by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import records_by_hand

from traindx.records import Diagnosis, Run, Treatment

MAKERS: dict[str, Callable[[], Run | Diagnosis | Treatment]] = {
    "healthy": records_by_hand.healthy,
    "optimization": records_by_hand.optimization,
    "mismatch": records_by_hand.mismatch,
    "not_a_number": records_by_hand.not_a_number,
    "treatment": records_by_hand.treatment,
    "run": records_by_hand.run,
}


@pytest.fixture(params=sorted(MAKERS))
def record(request: pytest.FixtureRequest) -> Run | Diagnosis | Treatment:
    return MAKERS[request.param]()
