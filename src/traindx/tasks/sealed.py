"""The sealed test set: it answers once for each question, and every opening is counted."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from traindx.tasks.fingerprint import rows_digest
from traindx.tasks.rows import Rows


class SealedTest:
    """Test rows that can only be had by stating a question.

    The mismatch question of a diagnosis looks at the inputs first and at the labels last; the final verification of a treatment looks once.
    A second look for the same question is the same opening. ``on_open(question)`` is told of each new one.
    """

    def __init__(self, rows: Rows, has_labels: bool) -> None:
        self._rows, self.has_labels = rows, has_labels
        self.questions: list[str] = []
        self.on_open: Callable[[str], object] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def openings(self) -> int:
        """How many questions it has answered."""
        return len(self.questions)

    @property
    def identity(self) -> str:
        """A content hash: says whether it is the same set, nothing of what is in it. Not an opening."""
        return rows_digest(self._rows)

    def inputs(self, question: str) -> Tensor | None:
        """The inputs alone, shape (N, ...); None where they are not array-like."""
        self._count(question)
        return self._rows.inputs

    def rows(self, question: str) -> Rows:
        """Inputs and labels."""
        self._count(question)
        return self._rows

    def map_inputs(self, function: Callable[[Tensor], Tensor]) -> SealedTest:
        """The same sealed set behind another pipeline; both count into one ledger."""
        return self._behind(self._rows.map_inputs(function))

    def map_targets(self, function: Callable[[Tensor], Tensor]) -> SealedTest:
        """The same sealed set with its labels mapped, where it has any."""
        return self._behind(self._rows.map_targets(function)) if self.has_labels else self

    def _behind(self, rows: Rows) -> SealedTest:
        mapped = SealedTest(rows, self.has_labels)
        mapped.questions, mapped.on_open = self.questions, self.on_open
        return mapped

    def _count(self, question: str) -> None:
        if question not in self.questions:
            self.questions.append(question)
            if self.on_open is not None:
                self.on_open(question)
