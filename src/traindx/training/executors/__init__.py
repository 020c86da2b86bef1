"""An executor runs jobs: in this process, or in processes of its own."""

from __future__ import annotations

from traindx.training.executors.base import CallbackFactory, Executor, no_callbacks
from traindx.training.executors.processes import Processes
from traindx.training.executors.serial import Serial

__all__ = ["CallbackFactory", "Executor", "Processes", "Serial", "no_callbacks"]
