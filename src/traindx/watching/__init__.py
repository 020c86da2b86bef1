"""A watch looks at anyone's own training loop: defects of its code, and signs of the causes, at a cost that is measured and kept small."""

from __future__ import annotations

from traindx.watching.defects import DETECTORS
from traindx.watching.watcher import Watch, watch

__all__ = ["DETECTORS", "Watch", "watch"]
