"""Curvature of any loss: Hessian-vector products, spectra and certificates. Useful alone; imports nothing else of the project."""

from __future__ import annotations

from traindx.curvature.density import Density, density
from traindx.curvature.eigenpairs import Eigenpairs, eigenpairs
from traindx.curvature.ggn import ggn
from traindx.curvature.hvp import hvp
from traindx.curvature.inertia import Inertia, dense_hessian, inertia
from traindx.curvature.negative_curvature import Certificate, negative_curvature
from traindx.curvature.objective import Objective
from traindx.curvature.trace import Trace, trace

__all__ = [
    "Certificate",
    "Density",
    "Eigenpairs",
    "Inertia",
    "Objective",
    "Trace",
    "dense_hessian",
    "density",
    "eigenpairs",
    "ggn",
    "hvp",
    "inertia",
    "negative_curvature",
    "trace",
]
