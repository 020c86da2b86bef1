"""Losses that differ in an option alone are different losses."""

from __future__ import annotations

import pytest
from torch import nn

from traindx.tasks.fingerprint import digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)),
        (nn.HuberLoss(delta=1.0), nn.HuberLoss(delta=2.0)),
        (nn.MSELoss(), nn.MSELoss(reduction="sum")),
    ],
)
def test_options_of_a_loss_tell_it_apart(one: nn.Module, other: nn.Module) -> None:
    assert digest(one) != digest(other)


def test_the_mode_of_a_module_does_not() -> None:
    assert digest(nn.Dropout(0.5).train()) == digest(nn.Dropout(0.5).eval())
