"""A treatment handed over: a plain PyTorch script, its data, its recipe and its weights."""

from __future__ import annotations

from traindx.handover.changes import changes
from traindx.handover.export import Exported, destination, export

__all__ = ["Exported", "changes", "destination", "export"]
