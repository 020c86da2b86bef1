"""Words under other numbers: counted from one, or by a dictionary that is longer at its head.

Any other dictionary is not looked for: pairing words by frequency and company also undoes a true shift to other words of the same use.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Tokens with values below this are compared.
MAX_TOKENS = 4096
# Offsets that are tried, either way.
LARGEST_OFFSET = 32
# The shares of tokens must come so much nearer, in total variation.
DISTANCE_LEFT = 0.5


@dataclass(frozen=True)
class Relabelled:
    """Token i becomes table[i]; what the table does not reach becomes its last entry; picklable."""

    table: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Integer inputs of any shape."""
        return self.table.to(inputs.device)[inputs.long().clamp(0, len(self.table) - 1)].to(inputs.dtype)


def offset(train: Tensor, test: Tensor) -> Relabelled | None:
    """Every token moved by the same number, where that brings the shares of tokens much nearer. Token 0 moves too, or stays, as padding does.

    Tokens that training cannot have become the nearest that it can.
    """
    if not _are_tokens(train, test):
        return None
    words = max(int(side.max()) for side in (train, test)) + 1
    here, there = (_counts(side, words) for side in (train, test))
    tables = {(by, first): _moved(words, by, first, int(train.max())) for by in _offsets(words) for first in (0, 1)}
    distance = {key: _distance(here, there, table) for key, table in tables.items()}
    best = min(distance, key=lambda key: (distance[key], abs(key[0])))
    return Relabelled(tables[best]) if distance[best] <= DISTANCE_LEFT * _distance(here, there, torch.arange(words)) else None


def _are_tokens(train: Tensor, test: Tensor) -> bool:
    counted = all(not t.is_floating_point() and t.dtype != torch.bool and t.numel() for t in (train, test))
    return counted and all(int(t.min()) >= 0 and int(t.max()) < MAX_TOKENS for t in (train, test))


def _counts(inputs: Tensor, words: int) -> Tensor:
    return torch.bincount(inputs.flatten().long().cpu(), minlength=words).double()


def _offsets(words: int) -> list[int]:
    most = min(LARGEST_OFFSET, words - 1)
    return [by for by in range(-most, most + 1) if by]


def _moved(words: int, by: int, first: int, last: int) -> Tensor:
    """The table of this offset for all tokens from the first."""
    table = torch.arange(words)
    return torch.where(table >= first, (table + by).clamp(first, last), table)


def _distance(here: Tensor, there: Tensor, table: Tensor) -> float:
    """Total variation between the shares of tokens on one side and those on the other after this table."""
    moved = torch.zeros_like(there).scatter_add_(0, table, there)
    return 0.5 * float((here / here.sum() - moved / moved.sum()).abs().sum())
