"""Tasks from what Lightning, Hugging Face and skorch train: one module a framework, loaded on use."""

from __future__ import annotations
