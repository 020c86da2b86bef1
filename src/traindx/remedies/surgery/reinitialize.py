"""Fresh weights by He's or Glorot's rule."""

from __future__ import annotations

import math
import re
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from traindx.records import InputError, NotApplicable
from traindx.remedies.surgery.edit import is_reparametrized, surgery
from traindx.remedies.surgery.layers import NORMS, following_activation
from traindx.remedies.surgery.trace import WEIGHTED, Probe, trace

Scheme = Literal["he", "glorot", "auto", "torch"]

_BIAS = re.compile(r"(^|\.)(b\d*|bias\d*|b(iase)?s\.\d+)$")
"""Names of biases among parameters made by hand: ``b``, ``b1``, ``bias``, ``biases.0``."""
RECTIFIERS = frozenset(
    ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardswish", "prelu", "rrelu"]
)
"""Activations that pass about half of a centred signal: He's factor 2 applies."""


@surgery
def reinitialize(model: nn.Module, probe: Probe, scheme: Scheme = "auto") -> nn.Module:
    """Draw all weights anew from the current random state, by the activation that follows each layer; zero biases, norms at one and zero.

    ``he`` is N(0, 2 / fan_in) before rectifiers and N(0, 1 / fan_in) elsewhere (He et al. 2015, arXiv:1502.01852); ``glorot`` is
    U(+-sqrt(6 / (fan_in + fan_out))) (Glorot and Bengio 2010); ``auto`` is he before rectifiers, glorot elsewhere; ``torch`` is what each
    layer draws by itself, U(+-sqrt(1 / fan_in)), small enough for blocks that add up without normalization. Recurrent weights are orthogonal for each gate and forget gates start open (Jozefowicz et al. 2015); embeddings and attention take torch's own rule.
    Parameters that belong to no layer of torch keep their values, unless no other has any weights: then matrices are drawn by Glorot's rule,
    which does not ask which side is the input's, and biases are zero.
    """
    if scheme not in get_args(Scheme):
        raise InputError("scheme", f"found {scheme!r}", f"use one of {', '.join(get_args(Scheme))}")
    seen = trace(model, probe)
    following = {n.module: following_activation(seen, n.outputs[0]) for n in reversed(seen.nodes) if n.weighted and n.module is not None}
    drawn = [m for m in model.modules() if isinstance(m, WEIGHTED) and initialize(m, following.get(m), scheme)]
    if not drawn and not _by_hand(model):
        raise NotApplicable("neither a layer of torch nor a matrix of weights that could be drawn anew")
    for module in model.modules():
        if isinstance(module, (*NORMS, nn.PReLU)) and callable(reset := getattr(module, "reset_parameters", None)):
            reset()
    return model


def initialize(module: nn.Module, activation: str | None, scheme: Scheme = "auto") -> bool:
    """Draw one layer's weights by the activation that follows it. False when they are computed from other parameters."""
    if is_reparametrized(module):
        return False
    with torch.no_grad():
        if scheme == "torch":
            return _by_itself(module)
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            _recurrent(module)
        elif isinstance(module, nn.MultiheadAttention):
            module._reset_parameters()
            nn.init.xavier_uniform_(module.out_proj.weight)
        elif isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            module.reset_parameters()
        elif isinstance(module, (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)):
            _mixing(module.weight, _fans(module), activation, scheme)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            return False
    return True


def _by_hand(model: nn.Module) -> bool:
    """Draw the matrices among the parameters that the user's own modules hold. False where there are none."""
    own = {f"{name}.{n}": p for name, m in model.named_modules() if _is_own(m) for n, p in m.named_parameters(recurse=False)}
    matrices = [p for p in own.values() if p.ndim == 2]
    with torch.no_grad():
        for matrix in matrices:
            nn.init.xavier_uniform_(matrix)
        for name, parameter in own.items():
            if matrices and parameter.ndim < 2 and _BIAS.search(name):
                nn.init.zeros_(parameter)
    return bool(matrices)


def _is_own(module: nn.Module) -> bool:
    return isinstance(module, (nn.ParameterList, nn.ParameterDict)) or not type(module).__module__.startswith("torch.")


def _by_itself(module: nn.Module) -> bool:
    reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    if callable(reset):
        reset()
    return callable(reset)


def _fans(module: nn.Linear | nn.Bilinear | nn.modules.conv._ConvNd) -> tuple[float, float]:
    if isinstance(module, nn.modules.conv._ConvNd):
        taps = math.prod(module.kernel_size)
        return taps * module.in_channels / module.groups, taps * module.out_channels / module.groups
    if isinstance(module, nn.Bilinear):
        return module.in1_features * module.in2_features, module.out_features
    return module.in_features, module.out_features


def _mixing(weight: Tensor, fans: tuple[float, float], activation: str | None, scheme: Scheme) -> None:
    fan_in, fan_out = fans
    if fan_in + fan_out == 0:
        return
    if scheme == "he" or (scheme == "auto" and activation in RECTIFIERS):
        nn.init.normal_(weight, std=math.sqrt((2.0 if activation in RECTIFIERS else 1.0) / max(fan_in, 1.0)))
    else:
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        nn.init.uniform_(weight, -bound, bound)


def _recurrent(module: nn.RNNBase | nn.RNNCellBase) -> None:
    hidden = module.hidden_size
    lstm = isinstance(module, (nn.LSTM, nn.LSTMCell))
    for name, parameter in module.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
            if lstm and name.startswith("bias_ih"):
                nn.init.ones_(parameter[hidden : 2 * hidden])  # gates are stored in the order input, forget, cell, output
            continue
        square = name.startswith("weight_hh")
        for gate in torch.split(parameter, hidden if parameter.shape[0] % hidden == 0 else parameter.shape[0]):
            nn.init.orthogonal_(gate) if square else nn.init.xavier_uniform_(gate)
