"""Curvature of any loss: Hessian-vector products, spectra and certificates. Useful alone; imports nothing else of the project."""

from __future__ import annotations

from traindx.curvature.ggn import ggn
from traindx.curvature.hvp import hvp
from traindx.curvature.objective import Objective

__all__ = ["Objective", "ggn", "hvp"]
