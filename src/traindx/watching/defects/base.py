"""A defect is recognised by what a loop really does; one file a defect.

A detector is told of every moment in the loop. It counts its sightings: a suspicion holds once the same was seen ``needed`` times in a row.
What a detector keeps between moments are numbers and references, so that a moment without a sighting costs well under a microsecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Branch
from traindx.watching.loop import Loop
from traindx.watching.places import Place, users_line

# Confidence in a plain fact: the loop was seen doing it. What remains is whether it was meant.
PLAIN = 0.95
# Confidence in what has an innocent explanation that is rare.
LIKELY = 0.8


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen, at which report, and where in the user's files."""

    text: str
    step: int
    place: Place | None
    subject: str = ""
    value: float = 1.0


class Detector:
    """Base of all detectors: sees nothing at any moment."""

    cause: ClassVar[str]
    branch: ClassVar[Branch] = Branch.DEFECT
    needed: ClassVar[int] = 3
    """Sightings in a row that make a suspicion."""
    lasting: ClassVar[bool] = False
    """Whether it may begin at any time; others are there from the first update on."""
    in_rows: ClassVar[bool] = False
    """Whether a few later updates in a row are followed for it, where there is a reason to."""
    patient: ClassVar[bool] = False
    """Whether one report in a few is enough for it, as long as all numbers are finite."""
    confidence: ClassVar[float] = PLAIN
    shows_in_training: ClassVar[bool] = True
    """Whether the training loss is higher for it."""
    of_the_loop: ClassVar[bool] = True
    """Whether it is in the loop alone; what is in the model or the data is also there when another loop trains them."""
    settles: ClassVar[str]
    """The change of the loop that would settle it."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self.held: Sighting | None = None
        """The first sighting of those that made the suspicion hold."""
        self._first: Sighting | None = None

    # -- the moments ---------------------------------------------------------------------------------------------------------------

    def started(self, loop: Loop) -> None:
        """The watch begins."""

    def forwarded(self, loop: Loop) -> None:
        """The model has computed outputs: ``loop.forward``."""

    def accumulated(self, loop: Loop) -> None:
        """A gradient was added to ``loop.witness.grad``."""

    def updating(self, loop: Loop) -> None:
        """An optimizer is about to step."""

    def updated(self, loop: Loop) -> None:
        """An optimizer has stepped."""

    def reported(self, loop: Loop) -> None:
        """The user has called ``Watch.step``."""

    def validated(self, loop: Loop) -> None:
        """The user has called ``Watch.validate``."""

    def ended(self, loop: Loop) -> None:
        """The watch ends; the last losses have been read."""

    # -- what was seen -------------------------------------------------------------------------------------------------------------

    def saw(self, loop: Loop, text: str, subject: str = "", value: float = 1.0, place: Place | None = None) -> None:
        """One more sighting in a row."""
        self.in_a_row += 1
        if self._first is None:
            self._first = Sighting(text, loop.step + 1, place or users_line() or loop.place, subject, value)
        if self.in_a_row >= self.needed and self.held is None:
            self.held, loop.news = self._first, True

    def saw_nothing(self) -> None:
        """The row is broken."""
        self.in_a_row, self._first = 0, None
