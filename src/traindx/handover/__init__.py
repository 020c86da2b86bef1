"""A treatment handed over: a plain PyTorch script, its data, its recipe and its weights."""

from __future__ import annotations

from traindx.handover.changes import changes
from traindx.handover.export import Exported, export

__all__ = ["Exported", "changes", "export"]
