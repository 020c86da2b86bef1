"""Fresh weights by He's or Glorot's rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from traindx.records import Recipe
from traindx.remedies import surgery
from traindx.remedies.base import Remedy, operated, refuse_pretrained
from traindx.tasks import Task


@dataclass(frozen=True)
class Reinitialize(Remedy):
    """Draw all weights anew: by the activation that follows each layer (``auto``: He et al. 2015, Glorot and Bengio 2010), or as torch does."""

    id: ClassVar[str] = "reinitialize"
    size: ClassVar[float] = 1.0

    scheme: surgery.Scheme = "auto"

    def apply(self, task: Task, recipe: Recipe) -> tuple[Task, Recipe]:
        """A new task."""
        refuse_pretrained(task, "fresh ones")
        return operated(task, self, surgery.reinitialize, scheme=self.scheme), recipe

    def stronger(self) -> Remedy | None:
        """Torch's own draw, which is smaller: in a deep sum without normalization He's may be too large."""
        return Reinitialize("torch") if self.scheme == "auto" else None
