"""Operations on a freshly built model: each returns it changed, or raises NotApplicable and leaves it as it was."""

from traindx.remedies.surgery.add_dropout import add_dropout
from traindx.remedies.surgery.add_skips import Residual, add_skips
from traindx.remedies.surgery.deepen import deepen
from traindx.remedies.surgery.insert_activations import insert_activations
from traindx.remedies.surgery.insert_normalization import insert_normalization
from traindx.remedies.surgery.layers import Layer, layers
from traindx.remedies.surgery.reinitialize import Scheme, reinitialize
from traindx.remedies.surgery.remove_output_activation import output_activation, remove_output_activation, replace_output_activation
from traindx.remedies.surgery.set_output_width import set_output_width
from traindx.remedies.surgery.swap_activations import swap_activations
from traindx.remedies.surgery.trace import Probe
from traindx.remedies.surgery.widen import narrow, widen

__all__ = [
    "Layer",
    "Probe",
    "Residual",
    "Scheme",
    "add_dropout",
    "add_skips",
    "deepen",
    "insert_activations",
    "insert_normalization",
    "layers",
    "narrow",
    "output_activation",
    "reinitialize",
    "remove_output_activation",
    "replace_output_activation",
    "set_output_width",
    "swap_activations",
    "widen",
]
