"""What losses expect and models hand out: the last thing done to an output, as far as the script shows it."""

from __future__ import annotations

import ast
from enum import Enum, auto

from traindx.check.script import Script, keyword

LOSSES = {
    "torch.nn.CrossEntropyLoss": "cross-entropy",
    "torch.nn.functional.cross_entropy": "cross-entropy",
    "torch.nn.NLLLoss": "negative log-likelihood",
    "torch.nn.functional.nll_loss": "negative log-likelihood",
    "torch.nn.BCELoss": "binary cross-entropy",
    "torch.nn.functional.binary_cross_entropy": "binary cross-entropy",
    "torch.nn.BCEWithLogitsLoss": "binary cross-entropy of logits",
    "torch.nn.functional.binary_cross_entropy_with_logits": "binary cross-entropy of logits",
    "torch.nn.MSELoss": "squared error",
    "torch.nn.functional.mse_loss": "squared error",
    "torch.nn.L1Loss": "absolute error",
    "torch.nn.functional.l1_loss": "absolute error",
    "torch.nn.SmoothL1Loss": "Huber loss",
    "torch.nn.functional.smooth_l1_loss": "Huber loss",
    "torch.nn.HuberLoss": "Huber loss",
    "torch.nn.functional.huber_loss": "Huber loss",
    "torch.nn.MultiMarginLoss": "margin loss",
    "torch.nn.KLDivLoss": "divergence",
    "torch.nn.functional.kl_div": "divergence",
}
"""PyTorch's losses of an input and a target, in that order."""


class Last(Enum):
    """The last thing done to a value."""

    SOFTMAX = auto()
    LOG_SOFTMAX = auto()
    SIGMOID = auto()
    LOG_SIGMOID = auto()
    RELU = auto()
    TANH = auto()
    LINEAR = auto()
    UNKNOWN = auto()


LAST = {
    "torch.softmax": Last.SOFTMAX,
    "torch.nn.functional.softmax": Last.SOFTMAX,
    "torch.nn.Softmax": Last.SOFTMAX,
    "torch.nn.Softmax2d": Last.SOFTMAX,
    "torch.log_softmax": Last.LOG_SOFTMAX,
    "torch.nn.functional.log_softmax": Last.LOG_SOFTMAX,
    "torch.nn.LogSoftmax": Last.LOG_SOFTMAX,
    "torch.sigmoid": Last.SIGMOID,
    "torch.nn.functional.sigmoid": Last.SIGMOID,
    "torch.nn.Sigmoid": Last.SIGMOID,
    "torch.nn.functional.logsigmoid": Last.LOG_SIGMOID,
    "torch.nn.LogSigmoid": Last.LOG_SIGMOID,
    "torch.relu": Last.RELU,
    "torch.nn.functional.relu": Last.RELU,
    "torch.nn.ReLU": Last.RELU,
    "torch.tanh": Last.TANH,
    "torch.nn.functional.tanh": Last.TANH,
    "torch.nn.Tanh": Last.TANH,
    "torch.nn.Linear": Last.LINEAR,
}
METHODS = {"softmax": Last.SOFTMAX, "log_softmax": Last.LOG_SOFTMAX, "sigmoid": Last.SIGMOID, "relu": Last.RELU, "tanh": Last.TANH}
RESHAPING = frozenset(["squeeze", "unsqueeze", "view", "view_as", "reshape", "flatten", "permute", "transpose"])
"""Methods that leave the values as they are."""
RESHAPING_LAYERS = frozenset({"torch.nn.Flatten", "torch.nn.Unflatten", "torch.nn.Identity"})


def loss_of(script: Script, call: ast.Call) -> str:
    """Which of PyTorch's losses a call computes; empty where it is none or not certain."""
    name = script.dotted(call.func)
    if name.startswith("torch.nn.functional."):
        return LOSSES.get(name, "")
    names = {LOSSES.get(script.called(origin), "") for origin in script.origins(call.func)}
    return names.pop() if len(names) == 1 else ""


def made_loss(script: Script, call: ast.Call) -> list[ast.Call]:
    """The calls that make the loss: ``nn.CrossEntropyLoss(...)``, or the functional's own."""
    if script.dotted(call.func).startswith("torch.nn.functional."):
        return [call]
    return [origin for origin in script.origins(call.func) if isinstance(origin, ast.Call)]


def losses(script: Script) -> list[tuple[ast.Call, str]]:
    """The calls that compute one of PyTorch's losses, each with its name in words."""
    return [(node, loss) for node in script.nodes if isinstance(node, ast.Call) and (loss := loss_of(script, node))]


def prediction(call: ast.Call) -> ast.expr | None:
    """The first argument of a loss: what the model hands out."""
    return keyword(call, "input", 0)


def target(call: ast.Call) -> ast.expr | None:
    """The second argument of a loss."""
    return keyword(call, "target", 1)


class Outputs:
    """Follows outputs back through reshapes, layers and the models of the script to the last thing done to their values."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._under_way: set[ast.AST] = set()

    def last(self, value: ast.AST) -> Last:
        """The last thing done to a value, where every origin agrees."""
        if value in self._under_way:
            return Last.UNKNOWN
        self._under_way.add(value)
        try:
            found = {self._last(origin) for origin in self.script.origins(value)}
        finally:
            self._under_way.discard(value)
        return found.pop() if len(found) == 1 else Last.UNKNOWN

    def _last(self, origin: ast.AST) -> Last:
        name = self.script.called(origin)
        match origin:
            case ast.Subscript(value=inner):
                return self.last(inner) if isinstance(origin.slice, ast.Slice | ast.Tuple) else Last.UNKNOWN
            case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in RESHAPING and not name:
                return self.last(inner)
            case ast.Call() if name in LAST:
                # A layer's class is no value; its object is called below.
                return Last.UNKNOWN if name.startswith("torch.nn.") and name.rpartition(".")[2][0].isupper() else LAST[name]
            case ast.Call() if name in ("torch.squeeze", "torch.flatten", "torch.reshape") and origin.args:
                return self.last(origin.args[0])
            case ast.Call(func=ast.Attribute(attr=method)) if method in METHODS and not name:
                return METHODS[method]
            case ast.Call() if not name:
                return self._called(origin.func)
        return Last.UNKNOWN

    def _called(self, model: ast.expr) -> Last:
        if isinstance(model, ast.Name) and model.id == "self" and (own := self.script.class_of(model)):
            return self._forward(own)
        found = {self.layer(origin) for origin in self.script.origins(model)}
        return found.pop() if len(found) == 1 else Last.UNKNOWN

    def layer(self, made: ast.AST) -> Last:
        """The last thing that a layer or model does, by the expression that makes it."""
        name = self.script.called(made)
        if not isinstance(made, ast.Call):
            return Last.UNKNOWN
        if name in LAST:
            return LAST[name]
        if name == "torch.nn.Sequential":
            return self._sequence(made)
        own = self.script.made_by(made)
        return self._forward(own) if own else Last.UNKNOWN

    def _forward(self, model: ast.ClassDef) -> Last:
        forward = self.script.method(model, "forward")
        if forward is None:
            return Last.UNKNOWN
        found = {self.last(value) for value in self.script.returned(forward)}
        return found.pop() if len(found) == 1 else Last.UNKNOWN

    def _sequence(self, made: ast.Call) -> Last:
        for layer in reversed(steps_of(self.script, made)):
            origins = self.script.origins(layer)
            if len(origins) != 1:
                return Last.UNKNOWN
            if self.script.called(origins[0]) not in RESHAPING_LAYERS:
                return self.layer(origins[0])
        return Last.UNKNOWN


def steps_of(script: Script, sequential: ast.Call) -> list[ast.expr]:
    """The layers of an ``nn.Sequential`` as they are written; ``OrderedDict([(name, layer), ...])`` is taken apart."""
    match sequential.args:
        case [ast.Call(args=[ast.List(elts=pairs)]) as only] if script.called(only) == "collections.OrderedDict":
            return [pair.elts[1] for pair in pairs if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    return list(sequential.args)


def models_called(script: Script, value: ast.AST) -> list[ast.Call]:
    """The calls of objects, as ``model(x)`` is one, that a value comes from; empty unless every origin is such a call."""
    calls = [origin for origin in script.origins(value) if isinstance(origin, ast.Call) and is_model(script, origin.func)]
    return calls if len(calls) == len(script.origins(value)) else []


def is_model(script: Script, node: ast.AST) -> bool:
    """Whether a value is an `nn.Module` that the script or PyTorch's own libraries make."""
    return all(makes_model(script, origin) for origin in script.origins(node))


def makes_model(script: Script, made: ast.AST) -> bool:
    """Whether an expression makes an `nn.Module` that hands out predictions, no loss."""
    own = script.made_by(made)
    if own is not None:
        return script.is_module(own)
    name = script.called(made)
    module, _, last = name.rpartition(".")
    if module == "torch.nn":
        return last[:1].isupper() and not last.endswith("Loss") and last not in ("Parameter", "ParameterList", "ParameterDict")
    return name.startswith("torchvision.models.") and name.count(".") <= 4 and last[:1].islower()
