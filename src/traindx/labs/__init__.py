"""Labs: every claim of the guide, put to the test. One file a claim or a close group; this list names them."""

from __future__ import annotations

from traindx.labs.base import Context, Lab, MissingData, conduct
from traindx.labs.batches import BatchSize, WarmUp
from traindx.labs.census import Census
from traindx.labs.critical_points import CriticalPoints
from traindx.labs.cures import Cures
from traindx.labs.depth import Depth, Normalization
from traindx.labs.flowchart import Flowchart
from traindx.labs.generalization import Mismatch, ModelBias, Overfitting, Validation
from traindx.labs.leaderboard import Leaderboard
from traindx.labs.losses import LossSurfaces, Softmax
from traindx.labs.noise import Noise
from traindx.labs.optimizers import Updates
from traindx.labs.rescaling import Rescaling
from traindx.labs.saddles import Saddles
from traindx.labs.sharp import LargeBatches, Smoothing, Walls
from traindx.labs.valley import AdagradBursts, Standardizing, Valley

_ALL: tuple[Lab, ...] = (
    Flowchart(),
    ModelBias(),
    Depth(),
    Overfitting(),
    Cures(),
    Leaderboard(),
    Validation(),
    Mismatch(),
    CriticalPoints(),
    Saddles(),
    Census(),
    BatchSize(),
    Noise(),
    LargeBatches(),
    Rescaling(),
    Updates(),
    Walls(),
    Valley(),
    AdagradBursts(),
    WarmUp(),
    Softmax(),
    LossSurfaces(),
    Standardizing(),
    Normalization(),
    Smoothing(),
)
LABS: dict[str, Lab] = {lab.name: lab for lab in _ALL}
"""In the order of the guide."""

__all__ = ["LABS", "Context", "Lab", "MissingData", "conduct"]
