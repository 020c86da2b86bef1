"""What losses expect and models hand out: the last thing done to an output, as far as the script shows it."""

from __future__ import annotations

import ast
import re
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
    """Follows outputs back through layers and the models of the script to the last thing done to their values.

    ``through_reshapes`` is for those who ask for the values alone: a reshape leaves them, and may change which of them stand in a row.
    """

    def __init__(self, script: Script, *, through_reshapes: bool = True) -> None:
        self.script, self.through_reshapes = script, through_reshapes
        self._under_way: set[ast.AST] = set()

    def last(self, value: ast.AST) -> Last:
        """The last thing done to a value, where every origin agrees."""
        found = {self.kind(end) for end in self.ends(value)}
        return found.pop() if len(found) == 1 else Last.UNKNOWN

    def kind(self, end: ast.AST) -> Last:
        """What an end does: ``F.softmax(x)``, ``x.softmax(1)`` and ``nn.Softmax()`` alike."""
        name = self.script.called(end)
        if not name and isinstance(end, ast.Call) and isinstance(end.func, ast.Attribute):
            return METHODS.get(end.func.attr, Last.UNKNOWN)
        return LAST.get(name, Last.UNKNOWN)

    def ends(self, value: ast.AST) -> list[ast.AST]:
        """The last operations on a value: a call of a function, or the call that makes the last layer."""
        if value in self._under_way:
            return [value]
        self._under_way.add(value)
        try:
            return [end for origin in self.script.origins(value) for end in self._ends(origin)]
        finally:
            self._under_way.discard(value)

    def _ends(self, origin: ast.AST) -> list[ast.AST]:
        name = self.script.called(origin)
        if self._reshapes(origin, name) and not self.through_reshapes:
            return [origin]
        match origin:
            case ast.Subscript(value=inner, slice=ast.Slice() | ast.Tuple()):
                return self.ends(inner)
            case ast.Call(func=ast.Attribute(value=inner)) if not name and self._reshapes(origin, name):
                return self.ends(inner)
            case ast.Call(args=[inner, *_]) if self._reshapes(origin, name):
                return self.ends(inner)
            case ast.Call(func=ast.Attribute(attr=method)) if method in METHODS and not name:
                return [origin]
            case ast.Call(func=model) if not name:
                return self._called(model)
        # A layer that is made here is no value; one that is called is.
        return [self.script.tree] if name.startswith("torch.nn.") and name.rpartition(".")[2][:1].isupper() else [origin]

    def _reshapes(self, origin: ast.AST, name: str) -> bool:
        match origin:
            case ast.Subscript():
                return True
            case ast.Call(func=ast.Attribute(attr=method)) if not name or name.startswith("torch."):
                return method in RESHAPING
        return False

    def _called(self, model: ast.expr) -> list[ast.AST]:
        if isinstance(model, ast.Name) and model.id == "self" and (own := self.script.class_of(model)):
            return self._forward(own)
        return [end for origin in self.script.origins(model) for end in self._layer(origin)]

    def _layer(self, made: ast.AST) -> list[ast.AST]:
        """The last things that a layer or a model does, by the expression that makes it."""
        if isinstance(made, ast.Call) and self.script.called(made) == "torch.nn.Sequential":
            return self._sequence(made)
        own = self.script.made_by(made)
        return self._forward(own) if own else [made]

    def _forward(self, model: ast.ClassDef) -> list[ast.AST]:
        forward = self.script.method(model, "forward")
        if forward is None:
            return [model]
        return [end for value in self.script.returned(forward) for end in self.ends(value)] or [model]

    def _sequence(self, made: ast.Call) -> list[ast.AST]:
        for layer in reversed(steps_of(self.script, made)):
            origins = self.script.origins(layer)
            if len(origins) != 1:
                return [made]
            if self.script.called(origins[0]) not in RESHAPING_LAYERS:
                return self._layer(origins[0])
        return [made]


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


NOTHING_TO_LEARN = re.compile(
    r".*(Dropout|ReLU\d?|ELU|GELU|SiLU|Mish|Sigmoid|Tanh|Softmax|Softmin|Softplus|Softsign|Hard\w+|Flatten|Unflatten|Identity|Pool\dd|Pad\dd|"
    r"Upsample|PixelShuffle|ModuleList|ModuleDict|Loss|Shrink|Fold|Unfold|GLU|ChannelShuffle|CosineSimilarity|PairwiseDistance|Threshold)"
)
"""Names of layers without parameters of their own; a container's are those of its members."""

MODES = re.compile(r"torch\.nn\.(\w*Dropout\w*|\w*BatchNorm\w*)")


def learns(script: Script, made: ast.AST) -> bool:
    """Whether an expression makes a layer that has parameters for certain."""
    if not isinstance(made, ast.Call):
        return False
    name = script.called(made)
    if name == "torch.nn.Sequential":
        return any(learns(script, layer) for layer in steps_of(script, made))
    own = script.made_by(made)
    if own is not None:
        return script.is_module(own) and any(learns(script, n) for n in ast.walk(own))
    module, _, last = name.rpartition(".")
    return module == "torch.nn" and last[:1].isupper() and makes_model(script, made) and not NOTHING_TO_LEARN.fullmatch(last)


def has_modes(script: Script, made: ast.AST) -> bool:
    """Whether an expression makes a model that computes differently in evaluation, for certain."""
    name = script.called(made)
    if name.startswith("torchvision.models."):
        return makes_model(script, made)
    own = script.made_by(made)
    held = made if own is None else own
    if own is None and not name.startswith("torch.nn."):
        return False
    if own is not None and not script.is_module(own):
        return False
    return any(MODES.fullmatch(script.called(node)) for node in ast.walk(held))


def has_no_modes(script: Script, made: ast.AST) -> bool:
    """Whether an expression makes a model of PyTorch's layers alone, none of which computes differently in evaluation."""
    own = script.made_by(made)
    held = made if own is None else own
    calls = [n for n in ast.walk(held) if isinstance(n, ast.Call)]
    if own is None and not script.called(made).startswith("torch.nn."):
        return False
    makers = [script.called(n) for n in calls if script.called(n).rpartition(".")[2][:1].isupper()]
    own_layers = [n for n in calls if script.made_by(n) and script.made_by(n) is not own]
    known = all(name.startswith("torch.nn.") for name in makers) and all(has_no_modes(script, n) for n in own_layers)
    unseen = re.compile(r".*(Dropout|BatchNorm|LSTM|GRU|RNN|Transformer|MultiheadAttention).*|.*dropout.*")
    return known and bool(makers) and not any(unseen.fullmatch(script.called(n)) for n in calls)
