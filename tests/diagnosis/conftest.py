"""Healthy evidence, made anew for every test."""

from __future__ import annotations

import pytest
from evidence_by_hand import Facts, healthy


@pytest.fixture
def facts() -> Facts:
    """The evidence of a healthy training, from which each test departs in one point."""
    return healthy()
