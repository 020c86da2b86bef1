from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable

import pytest

from traindx.check import RULES
from traindx.check.script import Script

PRELUDE = """
import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
"""

Broken = Callable[..., list[str]]


@pytest.fixture
def broken() -> Broken:
    """(rule's name, pieces of code) -> the lines where the rule is broken, without their indentation."""

    def lines(name: str, *pieces: str) -> list[str]:
        whole = "".join(map(textwrap.dedent, (PRELUDE, *pieces)))
        (rule,) = [rule for rule in RULES if rule.name == name]
        spots = rule.spots(Script(ast.parse(whole)))
        numbers = sorted({spot.node.lineno for spot in spots})
        return [whole.splitlines()[number - 1].strip() for number in numbers]

    return lines
