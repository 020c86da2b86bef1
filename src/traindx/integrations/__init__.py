"""Lightning, Hugging Face, skorch and Accelerate drive the same watch. Each adapter is a module of its own, imported only by name."""

from __future__ import annotations
