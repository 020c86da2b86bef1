"""Planted faults, by cause. A fault changes a draft; what it needs beforehand (`prepare`) is done to its healthy twin too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from zoo.networks import CONVOLUTIONS, STACKS
from zoo.programs import Draft, ended

Plant = Callable[[Draft], None]
Predicate = Callable[[Draft], bool]

BRANCHES: dict[str, str] = {
    **dict.fromkeys(
        [
            "learning-rate-too-high",
            "learning-rate-too-low",
            "learning-rate-decays-too-fast",
            "missing-warmup",
            "missing-decay",
            "momentum-too-high",
            "optimizer-unsuited",
            "batch-too-large",
            "batch-too-small",
            "trained-too-briefly",
            "vanishing-gradient",
            "exploding-gradient",
            "dead-units",
            "saturating-activation",
            "bad-initialization",
            "saddle-point",
            "local-minimum",
            "missing-normalization",
            "too-deep-without-skips",
            "unnormalized-input",
            "unnormalized-target",
            "wrong-loss",
            "softmax-before-cross-entropy",
            "single-unit-softmax",
            "wrong-output-activation",
            "loss-summed-over-batch",
            "output-width-wrong",
            "output-target-shape-mismatch",
            "gradient-clipping-too-tight",
            "frozen-parameters",
            "data-not-shuffled",
        ],
        "optimization",
    ),
    **dict.fromkeys(["model-too-simple", "missing-nonlinearity", "bottleneck", "features-insufficient", "over-regularized"], "model-bias"),
    **dict.fromkeys(["too-little-data", "model-too-flexible", "trained-too-long", "missing-augmentation"], "overfitting"),
    **dict.fromkeys(["covariate-shift", "label-shift", "preprocessing-mismatch"], "mismatch"),
    **dict.fromkeys(
        ["label-noise", "labels-unrelated-to-inputs", "wrong-labels", "class-imbalance", "non-finite-data", "train-test-leakage"], "data"
    ),
}


@dataclass(frozen=True)
class Fault:
    """One way to spoil a training, of one severity."""

    name: str
    cause: str
    severity: str
    plant: Plant
    prepare: Plant
    sensible: Predicate

    @property
    def branch(self) -> str:
        """Where the flowchart ends."""
        return BRANCHES[self.cause]


def nothing(draft: Draft) -> None:
    """No change."""


def always(draft: Draft) -> bool:
    """For every program."""
    return True


FAULTS: list[Fault] = []


def plants(cause: str, name: str, when: Predicate = always, prepare: Plant = nothing, **severities: Plant) -> None:
    """List a fault in its severities: mild, medium, gross."""
    for severity, plant in severities.items():
        FAULTS.append(Fault(f"{name}-{severity}", cause, severity, plant, prepare, when))


# -- predicates --------------------------------------------------------------------------------------------------------------------------


def is_stack(d: Draft) -> bool:
    """Fully connected layers one after another."""
    return d.arch.family in STACKS


def is_sgd(d: Draft) -> bool:
    """Trained by SGD."""
    return d.recipe.optimizer == "sgd"


def is_relu(d: Draft) -> bool:
    """ReLU in hidden layers that stand one after another."""
    return d.arch.act == "relu" and d.arch.family in (*STACKS, *CONVOLUTIONS) and not d.arch.norm


def is_regression(d: Draft) -> bool:
    """Numbers are predicted."""
    return d.regression


def is_classes(d: Draft) -> bool:
    """One output a class."""
    return not d.regression and d.shape.outputs > 1


def is_single(d: Draft) -> bool:
    """One output for two classes."""
    return d.classes == 2 and d.shape.outputs == 1


def is_labels(d: Draft) -> bool:
    """Classes, however they are put out."""
    return not d.regression


def is_large(d: Draft) -> bool:
    """At least a thousand rows, so that parts of them still say something."""
    return len(d.x) >= 1000


def both(*predicates: Predicate) -> Predicate:
    """All of them hold."""
    return lambda d: all(p(d) for p in predicates)


def starts_raw(d: Draft) -> bool:
    """Inputs reach a layer without a normalization of their own."""
    return d.arch.norm == "" and d.arch.family not in ("encoder", "attention")


# -- recipe ------------------------------------------------------------------------------------------------------------------------------


def recipe(**changes: object) -> Plant:
    """Other settings."""
    return lambda d: d.set(**changes)


def rate(factor: float) -> Plant:
    """Another learning rate."""
    return lambda d: d.set(lr=d.recipe.lr * factor)


def fraction(share: float) -> Plant:
    """Only this share of the updates."""
    return lambda d: d.set(max_steps=max(1, round(d.updates * share)), epochs=max(1, math.ceil(d.recipe.epochs * share)))


def batch(size: int, most: int = 3000) -> Plant:
    """Another batch size; epochs are cut where it would take too long."""

    def plant(d: Draft) -> None:
        rows = int(0.8 * len(d.x))
        size_ = min(size, rows)
        d.set(batch_size=size_, epochs=min(d.recipe.epochs, max(1, round(most * size_ / rows))))

    return plant


def hot(family: str, depth: int, width: int, lr: float) -> Plant:
    """A deep network at a high rate of Adam, which a warm-up over a third of the training makes bearable."""

    def prepare(d: Draft) -> None:
        d.arch = d.arch.replace(family=family, depth=depth, width=width, act="relu", norm="", drop=0.0)
        d.set(optimizer="adam", lr=lr, momentum=0.0, schedule="cosine", batch_size=32, epochs=min(8, d.recipe.epochs))
        d.set(warmup_steps=d.updates // 3)

    return prepare


def noisy_steps(lr: float) -> Plant:
    """A high rate of Adam with small batches, which a decay makes exact at last."""

    def prepare(d: Draft) -> None:
        d.rearrange(depth=min(2, d.arch.depth), drop=0.0)
        d.set(optimizer="adam", lr=lr, momentum=0.0, schedule="cosine", batch_size=16, epochs=min(15, d.recipe.epochs))

    return prepare


for _severity, _factor in {"mild": 30.0, "medium": 100.0, "gross": 1000.0}.items():
    plants("learning-rate-too-high", "rate-high", **{_severity: rate(_factor)})
for _severity, _factor in {"mild": 1 / 30, "medium": 1 / 100, "gross": 1 / 1000}.items():
    plants("learning-rate-too-low", "rate-low", **{_severity: rate(_factor)})
plants(
    "learning-rate-decays-too-fast",
    "fast-decay",
    lambda d: d.recipe.epochs >= 5,
    mild=recipe(schedule="exponential:0.1"),
    medium=recipe(schedule="exponential:0.03"),
    gross=recipe(schedule="exponential:0.003"),
)
plants(
    "learning-rate-decays-too-fast",
    "adagrad",
    lambda d: d.recipe.optimizer in ("adam", "adamw"),
    medium=lambda d: d.set(optimizer="adagrad", lr=d.recipe.lr * 0.7),
)
for _severity, _rate in {"mild": 0.02, "medium": 0.03, "gross": 0.04}.items():
    plants(
        "missing-warmup",
        "cold-encoder",
        lambda d: d.shape.step > 0 and len(d.x) >= 1000 and d.shape.image != (3, 16),
        hot("encoder", 2, 24, _rate),
        **{_severity: recipe(warmup_steps=0)},
    )
    plants(
        "missing-warmup",
        "cold-stack",
        lambda d: d.shape.image is not None and len(d.x) >= 1000 and d.shape.image != (3, 16),
        hot("mlp", 6, 48, _rate),
        **{_severity: recipe(warmup_steps=0)},
    )
for _severity, _rate in {"mild": 0.02, "medium": 0.04, "gross": 0.06}.items():
    plants("missing-decay", "late-noise", is_stack, noisy_steps(_rate), **{_severity: recipe(schedule="constant")})
plants(
    "momentum-too-high",
    "momentum",
    is_sgd,
    mild=recipe(momentum=0.99),
    medium=recipe(momentum=0.995),
    gross=recipe(momentum=0.999),
)
plants("batch-too-large", "full-batch", mild=lambda d: batch(len(d.x) // 4)(d), gross=lambda d: batch(len(d.x))(d))
plants("batch-too-small", "tiny-batch", is_sgd, mild=batch(2), medium=batch(1))
plants("batch-too-small", "tiny-batch-norm", lambda d: d.arch.norm == "batch", gross=batch(2, 1500))
plants("trained-too-briefly", "brief", mild=fraction(0.06), medium=fraction(0.03), gross=fraction(0.01))
plants(
    "gradient-clipping-too-tight",
    "clipped",
    is_sgd,
    mild=recipe(clip_norm=3e-3),
    medium=recipe(clip_norm=1e-3),
    gross=recipe(clip_norm=1e-5),
)


# -- optimizer ---------------------------------------------------------------------------------------------------------------------------


class ScaledLinear(nn.Module):
    """A linear layer that keeps its weights in other units: the function is the same, the gradient is not."""

    def __init__(self, layer: nn.Linear, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach() / scale)
        self.bias = nn.Parameter(layer.bias.detach().clone())
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the layer did."""
        return F.linear(x, self.weight * self.scale, self.bias)


def in_other_units(model: nn.Module, spread: float) -> nn.Module:
    """Linear layers keep their weights in units from 1 / spread to spread."""
    layers = [(parent, name, child) for parent in model.modules() for name, child in parent.named_children() if type(child) is nn.Linear]
    for scale, (parent, name, child) in zip(np.geomspace(1 / spread, spread, len(layers)), layers, strict=True):
        setattr(parent, name, ScaledLinear(child, float(scale)))
    return model


def other_units(spread: float) -> Plant:
    """Parameters on scales far apart, trained by Adam."""

    def prepare(d: Draft) -> None:
        d.rearrange(depth=3)
        d.changes.append(partial(in_other_units, spread=spread))
        d.set(optimizer="adam", lr=0.01, schedule="cosine", momentum=0.0)

    return prepare


plants("optimizer-unsuited", "scales", both(is_stack, is_large), other_units(20.0), gross=recipe(optimizer="sgd", lr=0.01))
plants(
    "optimizer-unsuited",
    "plain-sgd",
    lambda d: (
        d.recipe.optimizer in ("adam", "adamw") and (d.arch.family in ("encoder", "attention", "lstm", "gru") or d.name == "zipf-mlp")
    ),
    medium=recipe(optimizer="sgd", lr=0.05, momentum=0.0),
)


# -- initialization ----------------------------------------------------------------------------------------------------------------------


def hidden_layers(model: nn.Module) -> list[nn.Module]:
    """Every layer with weights but the last."""
    return [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d, ScaledLinear))][:-1]


def each_layer(action: Callable[[nn.Module], None], hidden_only: bool = False) -> Plant:
    """Something done to the weights of every new network."""

    def change(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            for layer in hidden_layers(model) if hidden_only else [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]:
                action(layer)
        return model

    return lambda d: d.changes.append(change)


def each_parameter(action: Callable[[torch.Tensor], object]) -> Plant:
    """Something done to every weight matrix of every new network, recurrent ones included."""

    def change(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim >= 2:
                    action(parameter)
        return model

    return lambda d: d.changes.append(change)


def constant(value: float) -> Callable[[nn.Module], None]:
    """All weights and biases equal."""

    def action(layer: nn.Module) -> None:
        nn.init.constant_(layer.weight, value)
        nn.init.zeros_(layer.bias)

    return action


def gain(factor: float) -> Callable[[nn.Module], None]:
    """Weights so many times as large."""
    return lambda layer: layer.weight.mul_(factor)  # type: ignore[operator,union-attr]


def normal(std: float) -> Callable[[nn.Module], None]:
    """Weights drawn with this standard deviation."""

    def action(layer: nn.Module) -> None:
        nn.init.normal_(layer.weight, 0, std)
        nn.init.zeros_(layer.bias)

    return action


def low_bias(value: float, share: float = 1.0) -> Callable[[nn.Module], None]:
    """Biases that silence the first share of the units."""

    def action(layer: nn.Module) -> None:
        layer.bias[: math.ceil(share * len(layer.bias))] = value  # type: ignore[index,arg-type,operator]

    return action


def alike(noise: float) -> Callable[[nn.Module], None]:
    """All units of a layer equal but for a little noise."""

    def action(layer: nn.Module) -> None:
        layer.weight.copy_(layer.weight[:1] + noise * torch.randn_like(layer.weight))  # type: ignore[index,operator,arg-type]
        layer.bias.copy_(layer.bias[:1].expand_as(layer.bias))  # type: ignore[index,operator,arg-type]

    return action


def deep(depth: int, act: str, norm: str = "") -> Plant:
    """So many hidden layers."""
    return lambda d: d.rearrange(depth=depth, act=act, norm=norm)


def he_deep(depth: int) -> Plant:
    """So many hidden layers of ReLU with He's initialization and a rate that suits them."""

    def prepare(d: Draft) -> None:
        d.rearrange(depth=depth, act="relu", norm="", width=min(64, max(32, d.arch.width)))
        d.set(optimizer="adam", lr=1e-3, schedule="cosine", momentum=0.0)
        each_layer(lambda layer: nn.init.kaiming_normal_(layer.weight, nonlinearity="relu"), hidden_only=True)(d)  # type: ignore[arg-type]

    return prepare


plants(
    "vanishing-gradient",
    "sigmoid",
    both(is_stack, is_large),
    mild=deep(5, "sigmoid"),
    medium=deep(8, "sigmoid"),
    gross=deep(14, "sigmoid"),
)
plants(
    "vanishing-gradient", "tanh-small", both(is_stack, is_large), medium=lambda d: (deep(8, "tanh")(d), each_layer(gain(0.4), True)(d))[0]
)
plants(
    "exploding-gradient", "gain", both(is_stack, is_large), he_deep(8), mild=each_layer(gain(2.5), True), medium=each_layer(gain(5.0), True)
)
plants(
    "exploding-gradient",
    "recurrent-gain",
    lambda d: d.arch.family in ("lstm", "gru"),
    medium=each_parameter(lambda p: p.mul_(8)),
    gross=each_parameter(lambda p: p.mul_(30)),
)
plants(
    "dead-units",
    "dead",
    is_relu,
    mild=each_layer(low_bias(-10, 0.9), True),
    medium=each_layer(low_bias(-5), True),
    gross=each_layer(low_bias(-20), True),
)
plants(
    "saturating-activation",
    "saturated",
    lambda d: d.arch.family in (*STACKS, *CONVOLUTIONS) and not d.arch.norm and is_large(d),
    lambda d: d.rearrange(act="tanh"),
    mild=each_layer(gain(30), True),
    medium=each_layer(gain(100), True),
    gross=each_layer(gain(500), True),
)
plants(
    "saturating-activation",
    "steep",
    both(is_stack, is_large, lambda d: not d.arch.norm),
    medium=lambda d: d.rearrange(act="steep-tanh", depth=max(2, d.arch.depth)),
    gross=lambda d: d.rearrange(act="steep-sigmoid", depth=max(2, d.arch.depth)),
)
plants("bad-initialization", "zeros", starts_raw, gross=each_layer(constant(0.0)))
plants("bad-initialization", "constant", starts_raw, medium=each_layer(constant(0.1)))
plants("bad-initialization", "wide", starts_raw, medium=each_layer(normal(1.0)), gross=each_layer(normal(10.0)))
plants(
    "bad-initialization",
    "narrow",
    both(starts_raw, lambda d: d.arch.depth >= 2),
    mild=each_layer(normal(1e-3)),
    medium=each_layer(normal(1e-4)),
)
plants(
    "saddle-point",
    "symmetric",
    lambda d: d.arch.family in (*STACKS, *CONVOLUTIONS) and not d.arch.norm,
    mild=each_layer(alike(1e-3), True),
    medium=each_layer(alike(1e-5), True),
)
plants(
    "saddle-point",
    "near-zero",
    both(is_stack, lambda d: d.arch.depth >= 2 and not d.arch.norm),
    lambda d: d.rearrange(act="tanh"),
    medium=each_layer(gain(0.03)),
    gross=each_layer(gain(0.005)),
)


class Wave(nn.Module):
    """sin of a learned line: its loss has a minimum for every frequency."""

    def __init__(self, inputs: int, start: float) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.full((1,), start) + 0.1 * torch.randn(1))
        self.phase = nn.Parameter(torch.zeros(1))
        self.scale = nn.Parameter(torch.ones(1))
        self.column = inputs - 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F) -> (N, 1)."""
        return self.scale * torch.sin(self.frequency * x[:, self.column : self.column + 1] + self.phase)


def wave_data(d: Draft) -> None:
    """A sine of the last column, and a network that is one sine, started near the truth."""
    draw = d.rng.normal(0, 1, d.shape.inputs)
    scale = 4.0 + abs(draw[0])

    def relabel(x: np.ndarray) -> np.ndarray:
        return (1.4 * np.sin(scale * x[:, -1])).astype(np.float32)

    d.y, d.clean = relabel(d.x), (d.clean[0], relabel(d.clean[0]))
    d.form, d.shape = "column", d.shape.__class__(d.shape.inputs, 1)
    d.spare["scale"] = scale
    d.changes = [lambda model: Wave(d.shape.inputs, scale * 0.97)]
    d.set(optimizer="adam", lr=0.02, momentum=0.0, schedule="constant", weight_decay=0.0)


def far_start(factor: float) -> Plant:
    """The sine starts at another frequency."""

    def plant(d: Draft) -> None:
        d.changes = [lambda model: Wave(d.shape.inputs, d.spare["scale"] * factor)]

    return plant


plants(
    "local-minimum",
    "wave",
    both(is_regression, is_stack, is_large),
    wave_data,
    mild=far_start(1.9),
    medium=far_start(2.7),
    gross=far_start(0.2),
)


# -- architecture ------------------------------------------------------------------------------------------------------------------------


def normed(depth: int, kind: str) -> Plant:
    """A deep stack that normalization makes trainable."""

    def prepare(d: Draft) -> None:
        d.rearrange(depth=depth, act="relu", norm=kind, width=min(64, max(24, d.arch.width)), drop=0.0)
        d.set(optimizer="sgd", lr=0.05, momentum=0.9, schedule="cosine")

    return prepare


plants("missing-normalization", "no-norm", both(is_stack, is_large), normed(8, "batch"), mild=lambda d: d.rearrange(norm=""))
plants(
    "missing-normalization",
    "no-layer-norm",
    both(is_stack, is_large),
    lambda d: (normed(10, "layer")(d), d.set(optimizer="adam", lr=2e-3, momentum=0.0)),  # type: ignore[func-returns-value]
    medium=lambda d: d.rearrange(norm=""),
)


def deep_residual(depth: int) -> Plant:
    """A deep residual net, trained by Adam."""

    def prepare(d: Draft) -> None:
        d.arch = d.arch.replace(family="residual", depth=depth, width=32, act="relu", norm="", neck=0)
        d.set(optimizer="adam", lr=1e-3, schedule="cosine", momentum=0.0, epochs=min(12, d.recipe.epochs))

    return prepare


for _severity, _depth in {"mild": 10, "medium": 14, "gross": 20}.items():
    plants(
        "too-deep-without-skips",
        "no-skips",
        both(lambda d: d.arch.family in (*STACKS, "residual"), is_large),
        deep_residual(_depth),
        **{_severity: lambda d: d.rearrange(skips=False)},
    )

# A few hidden layers of one or two units, or of none, can do only so much.
plants(
    "model-too-simple",
    "few-units",
    lambda d: is_stack(d) and (d.classes == 0 or d.classes > 2 or d.shape.inputs < 5),
    mild=lambda d: d.rearrange(depth=1, width=2, norm="", drop=0.0),
    medium=lambda d: d.rearrange(depth=1, width=1, norm="", drop=0.0),
)
plants("model-too-simple", "linear", is_stack, gross=lambda d: d.rearrange(depth=0))
plants("missing-nonlinearity", "no-activation", both(is_stack), gross=lambda d: d.rearrange(act="identity"))
plants(
    "missing-nonlinearity",
    "no-activation-deep",
    both(is_stack),
    lambda d: d.rearrange(depth=3),
    gross=lambda d: d.rearrange(act="identity"),
)
plants(
    "bottleneck",
    "neck",
    both(is_stack, lambda d: d.classes > 3),
    lambda d: d.rearrange(depth=max(2, d.arch.depth)),
    mild=lambda d: d.rearrange(neck=2),
    medium=lambda d: d.rearrange(neck=1),
)


def quantized(columns: int, levels: int) -> Plant:
    """Only a few columns are left, rounded to a few values: equal inputs have different targets."""

    def plant(d: Draft) -> None:
        kept = d.rng.permutation(d.x.shape[1])[:columns]
        edges = np.quantile(d.x[:, kept], np.linspace(0, 1, levels + 1)[1:-1], axis=0)

        def coarse(x: np.ndarray) -> np.ndarray:
            coded = (x[:, kept][:, None, :] > edges[None]).sum(1).astype(np.float32)
            full = np.zeros_like(x)
            full[:, kept] = coded - (levels - 1) / 2
            return full

        d.x, d.clean = coarse(d.x), (coarse(d.clean[0]), d.clean[1])

    return plant


def is_table(d: Draft) -> bool:
    """Columns rather than pixels or time steps."""
    return d.shape.image is None and d.shape.step == 0


plants("features-insufficient", "coarse", is_table, mild=quantized(3, 4), medium=quantized(2, 4), gross=quantized(1, 3))


def decayed(strength: float) -> Plant:
    """Weight decay that outweighs the data, as strong for every optimizer."""

    def plant(d: Draft) -> None:
        if d.recipe.optimizer == "adamw":
            d.set(weight_decay=min(0.5 / d.recipe.lr, 20 * strength))
        else:
            d.set(weight_decay=strength if not is_sgd(d) else min(strength, 0.3 / d.recipe.lr))

    return plant


plants("over-regularized", "decay", mild=decayed(0.1), medium=decayed(0.5), gross=decayed(3.0))
plants("over-regularized", "dropout", is_stack, medium=lambda d: d.rearrange(drop=0.8), gross=lambda d: d.rearrange(drop=0.95))


def frozen(first: int | None, biases_too: bool = True) -> Plant:
    """The first layers, or all but the last, do not learn."""

    def change(model: nn.Module) -> nn.Module:
        groups: dict[str, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            groups.setdefault(name.rsplit(".", 1)[0], []).append(parameter)
        chosen = list(groups.values())[:-1] if first is None else list(groups.values())[:first]
        for parameter in [p for group in chosen for p in group]:
            parameter.requires_grad_(False)
        return model

    return lambda d: d.changes.append(change)


def frozen_head(model: nn.Module) -> nn.Module:
    """All weights stay; biases alone learn."""
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.ndim < 2)
    return model


plants("frozen-parameters", "all-but-head", lambda d: d.arch.depth >= 2 or d.arch.family in (*STACKS, "lstm", "gru"), medium=frozen(None))
plants("frozen-parameters", "biases-only", gross=lambda d: d.changes.append(frozen_head))
plants("frozen-parameters", "first-layers", is_stack, mild=frozen(1))


# -- outputs and losses ------------------------------------------------------------------------------------------------------------------


def at_end(kind: type[nn.Module], *arguments: int) -> Plant:
    """A module at the end of the network."""
    return lambda d: d.changes.append(lambda model: ended(model, kind(*arguments)))


def outputs(width: int) -> Plant:
    """Another number of outputs."""

    def plant(d: Draft) -> None:
        d.shape = d.shape.__class__(d.shape.inputs, width, d.shape.image, d.shape.step, False)

    return plant


def onehot_loss(loss: nn.Module) -> Plant:
    """Softmax outputs held against one-hot targets."""

    def plant(d: Draft) -> None:
        d.form, d.loss = "onehot", loss
        at_end(nn.Softmax, 1)(d)

    return plant


def index_regression(d: Draft) -> None:
    """The class index as a number, by squared error."""
    outputs(1)(d)
    d.form, d.loss = "column", nn.MSELoss()
    d.spare["indices"] = True


plants("unnormalized-target", "units", is_regression, mild=lambda d: _targets(d, 1000.0, 0.0), gross=lambda d: _targets(d, 1e5, 0.0))
plants("unnormalized-target", "offset", is_regression, mild=lambda d: _targets(d, 1.0, 100.0), medium=lambda d: _targets(d, 1.0, 1e4))
plants("wrong-loss", "l1-probabilities", both(is_classes, lambda d: d.classes > 2), medium=onehot_loss(nn.L1Loss()))
plants("wrong-loss", "mse-probabilities", both(is_classes, lambda d: d.classes > 2), mild=onehot_loss(nn.MSELoss()))
plants("wrong-loss", "mse-index", both(is_classes, lambda d: d.classes > 3), gross=index_regression)
plants("softmax-before-cross-entropy", "softmax", both(is_classes, lambda d: d.classes > 2), mild=at_end(nn.Softmax, 1))
plants(
    "softmax-before-cross-entropy",
    "sigmoid",
    both(is_classes, lambda d: d.classes > 2),
    medium=at_end(nn.Sigmoid),
)
plants("softmax-before-cross-entropy", "twice", both(is_classes), gross=lambda d: (at_end(nn.Softmax, 1)(d), at_end(nn.Softmax, 1)(d))[0])
plants(
    "softmax-before-cross-entropy",
    "sigmoid-logits",
    lambda d: is_single(d) and isinstance(d.loss, nn.BCEWithLogitsLoss),
    mild=at_end(nn.Sigmoid),
)


def single_softmax(d: Draft) -> None:
    """One unit behind a softmax: the output is always one."""
    outputs(1)(d)
    d.form, d.loss, d.changes = "column", nn.BCELoss(), []
    at_end(nn.Softmax, 1)(d)


plants("single-unit-softmax", "one-unit", lambda d: d.classes == 2, gross=single_softmax)


def _targets(d: Draft, scale: float, offset: float) -> None:
    d.y, d.clean = d.y * scale + offset, (d.clean[0], d.clean[1] * scale + offset)


plants("wrong-output-activation", "relu", is_regression, mild=at_end(nn.ReLU))
plants("wrong-output-activation", "sigmoid", is_regression, medium=at_end(nn.Sigmoid))
plants("wrong-output-activation", "tanh", is_regression, lambda d: _targets(d, 3.0, 0.0), gross=at_end(nn.Tanh))
plants(
    "loss-summed-over-batch",
    "sum",
    is_sgd,
    medium=lambda d: setattr(d.loss, "reduction", "sum"),
    gross=lambda d: (setattr(d.loss, "reduction", "sum"), d.set(batch_size=min(256, 2 * d.recipe.batch_size)))[0],
)
plants("output-width-wrong", "one-too-few", is_classes, mild=lambda d: outputs(d.classes - 1)(d))
plants("output-width-wrong", "half", both(is_classes, lambda d: d.classes > 3), medium=lambda d: outputs(d.classes // 2)(d))
plants("output-width-wrong", "several-numbers", both(is_regression, lambda d: d.form == "column"), gross=outputs(5))
plants("output-width-wrong", "two-for-one", lambda d: is_single(d) and d.form == "column", gross=outputs(2))
plants(
    "output-target-shape-mismatch",
    "broadcast",
    both(is_regression, lambda d: not d.shape.flat),
    medium=lambda d: setattr(d, "form", "flat"),
)
plants(
    "output-target-shape-mismatch",
    "broadcast-flat",
    both(is_regression, lambda d: d.shape.flat),
    medium=lambda d: setattr(d, "form", "column"),
)


# -- inputs ------------------------------------------------------------------------------------------------------------------------------


def inputs(change: Callable[[np.ndarray], np.ndarray]) -> Plant:
    """Inputs changed everywhere, clean rows too."""

    def plant(d: Draft) -> None:
        d.x, d.clean = change(d.x), (change(d.clean[0]), d.clean[1])

    return plant


def mixed_scales(decades: float) -> Plant:
    """Columns on scales of their own, with offsets."""

    def plant(d: Draft) -> None:
        scales = 10 ** d.rng.uniform(0, decades, d.x.shape[1])
        offsets = scales * d.rng.uniform(-2, 2, d.x.shape[1])
        inputs(lambda x: (x * scales + offsets).astype(np.float32))(d)

    return plant


plants(
    "unnormalized-input", "raw-pixels", lambda d: d.shape.image is not None and starts_raw(d) and is_sgd(d), mild=inputs(lambda x: x * 255)
)
plants(
    "unnormalized-input", "mixed-scales", both(is_table, starts_raw), mild=mixed_scales(2.5), medium=mixed_scales(3), gross=mixed_scales(4)
)
plants("unnormalized-input", "offset", starts_raw, medium=inputs(lambda x: x + 30), gross=inputs(lambda x: x + 300))


def by_label(d: Draft) -> None:
    """Rows sorted by label; harmless as long as batches are shuffled."""
    order = np.argsort(d.y, kind="stable")
    d.x, d.y = d.x[order], d.y[order]


plants("data-not-shuffled", "sorted", always, by_label, medium=recipe(shuffle=False))


# -- overfitting -------------------------------------------------------------------------------------------------------------------------


def keep(d: Draft, rows: int) -> None:
    """Only so many rows, classes in proportion."""
    index = d.rng.permutation(len(d.x))[:rows]
    d.x, d.y = d.x[index], d.y[index]


def few_rows(rows: int) -> Plant:
    """Few rows, as many updates as before."""

    def plant(d: Draft) -> None:
        updates = d.updates
        keep(d, rows)
        d.set(batch_size=min(d.recipe.batch_size, max(8, rows // 5)))
        d.set(epochs=10_000, max_steps=updates)
        per_epoch = -(-int(0.8 * rows) // d.recipe.batch_size)
        d.set(epochs=max(1, updates // per_epoch), max_steps=None)

    return plant


plants("too-little-data", "few-rows", is_large, mild=few_rows(150), medium=few_rows(80), gross=few_rows(40))


def noisy_numbers(d: Draft, rows: int) -> None:
    """A few hundred rows whose targets carry noise that no column explains."""
    keep(d, rows)
    d.y = (d.y + 0.8 * d.rng.normal(0, 1, len(d.y))).astype(np.float32)


def small_and_fitting(d: Draft) -> None:
    """A few hundred noisy rows with a network of suitable size."""
    noisy_numbers(d, 250)
    d.arch = d.arch.replace(family="mlp", width=8, depth=1, norm="", act="relu", drop=0.0)
    d.set(optimizer="adam", lr=5e-3, epochs=30, batch_size=32, schedule="constant", momentum=0.0)


def is_noisy(d: Draft) -> bool:
    """Numbers from a table in which there is something to overfit."""
    return d.regression and is_table(d) and d.shape.inputs >= 4 and len(d.x) > 250


plants(
    "model-too-flexible",
    "too-wide",
    is_noisy,
    small_and_fitting,
    mild=lambda d: d.rearrange(width=128, depth=2),
    medium=lambda d: d.rearrange(width=384, depth=2),
    gross=lambda d: d.rearrange(width=256, depth=3),
)


def few_and_short(d: Draft) -> None:
    """Three hundred noisy rows, a wide network and few epochs."""
    noisy_numbers(d, 300)
    d.arch = d.arch.replace(family="mlp", width=64, depth=2, norm="", act="relu", drop=0.0)
    d.set(optimizer="adam", lr=3e-3, epochs=8, batch_size=16, schedule="constant", momentum=0.0)


plants(
    "trained-too-long",
    "too-long",
    is_noisy,
    few_and_short,
    mild=recipe(epochs=60),
    medium=recipe(epochs=120),
    gross=recipe(epochs=240),
)


def moved(x: np.ndarray, image: tuple[int, int], reach: int, rng: np.random.Generator) -> np.ndarray:
    """Images moved by up to ``reach`` pixels, what enters is black."""
    channels, side = image
    pixels = x.reshape(len(x), channels, side, side)
    padded = np.pad(pixels, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    places = rng.integers(0, 2 * reach + 1, (len(x), 2))
    return np.stack([p[:, a : a + side, b : b + side] for p, (a, b) in zip(padded, places, strict=True)]).reshape(x.shape)


def augmented(rows: int) -> Plant:
    """Images in any place, few of them, each in a dozen places; validation rows are others."""

    def prepare(d: Draft) -> None:
        assert d.shape.image is not None
        image, reach = d.shape.image, max(1, d.shape.image[1] // 5)
        d.clean = (moved(d.clean[0], image, reach, d.rng), d.clean[1])
        x, y = d.x, d.y
        d.validation = (moved(x[rows : rows + 300], image, reach, d.rng), y[rows : rows + 300])
        originals = moved(x[:rows], image, reach, d.rng), y[:rows]
        copies = [moved(originals[0], image, reach, d.rng) for _ in range(11)]
        d.spare["originals"] = originals
        d.x, d.y = np.concatenate([originals[0], *copies]), np.tile(originals[1], 12)
        d.set(epochs=max(4, 12_000 // len(d.x) + 1), schedule="constant")

    return prepare


def unaugmented(d: Draft) -> None:
    """The images as they are, seen as often."""
    d.x, d.y = d.spare["originals"]
    d.set(epochs=d.recipe.epochs * 12)


for _severity, _rows in {"mild": 250, "medium": 150, "gross": 80}.items():
    plants("missing-augmentation", "still-images", lambda d: d.shape.image is not None, augmented(_rows), **{_severity: unaugmented})


# -- mismatch ----------------------------------------------------------------------------------------------------------------------------


def honest_test(d: Draft) -> None:
    """A test set from the same distribution, on which the case is judged."""
    d.test, d.scored = d.clean, "test"


def tested(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Plant:
    """Test inputs that were changed."""

    def plant(d: Draft) -> None:
        d.test = (change(d.clean[0], d.rng).astype(np.float32), d.clean[1])

    return plant


def selection(share: float) -> Plant:
    """Training rows from one side of a line, test rows from the other."""

    def plant(d: Draft) -> None:
        centred = d.x - d.x.mean(0)
        scale = centred.std(0)
        axis = np.linalg.svd(centred[:500] / np.where(scale > 1e-6, scale, 1), full_matrices=False)[2][0]
        position, other = d.x @ axis, d.clean[0] @ axis
        d.x, d.y = d.x[position < np.quantile(position, share)], d.y[position < np.quantile(position, share)]
        beyond = other > np.quantile(other, 0.75)
        d.test = (d.clean[0][beyond], d.clean[1][beyond])

    return plant


def blurred(width: int, image: tuple[int, int]) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Images out of focus."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        pixels = torch.from_numpy(x.reshape(len(x), image[0], image[1], image[1]))
        for _ in range(2):
            pixels = F.avg_pool2d(pixels, width, 1, width // 2)
        return pixels.reshape(x.shape).numpy()

    return change


def noised(level: float) -> Plant:
    """Noise on test inputs."""
    return tested(lambda x, rng: x + rng.normal(0, level * x.std(), x.shape))


def drifted(level: float) -> Plant:
    """A third of the columns drifted."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        moves = rng.normal(0, level, x.shape[1]) * (rng.random(x.shape[1]) < 0.4) * x.std(0)
        return x + moves

    return tested(change)


plants("covariate-shift", "selected", is_large, honest_test, medium=selection(0.5), gross=selection(0.3))
plants("covariate-shift", "noise", is_large, honest_test, mild=noised(0.7), medium=noised(1.2))
plants("covariate-shift", "drift", both(is_table, lambda d: len(d.x) > 300), honest_test, mild=drifted(1.5), gross=drifted(4.0))
plants(
    "covariate-shift",
    "blur",
    lambda d: d.shape.image is not None,
    honest_test,
    gross=lambda d: tested(blurred(3, d.shape.image))(d),  # type: ignore[arg-type]
)


def rare_in_training(share: float) -> Plant:
    """Some classes are rare in training and make up most of the test set."""

    def plant(d: Draft) -> None:
        rare = np.isin(d.y, np.arange(max(1, d.classes // 3)) + 1)
        kept = ~rare | (d.rng.random(len(d.y)) < share)
        d.x, d.y = d.x[kept], d.y[kept]
        common = np.isin(d.clean[1], np.arange(max(1, d.classes // 3)) + 1)
        chosen = common | (d.rng.random(len(common)) < 0.1)
        d.test = (d.clean[0][chosen], d.clean[1][chosen])

    return plant


plants(
    "label-shift",
    "rare-classes",
    both(is_labels, lambda d: len(d.x) >= 300),
    honest_test,
    mild=rare_in_training(0.06),
    medium=rare_in_training(0.03),
    gross=rare_in_training(0.015),
)


def other_statistics(level: float) -> Plant:
    """Test columns standardised by other numbers."""

    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return x * np.exp(rng.normal(0, level / 2, x.shape[1])) + rng.normal(0, level, x.shape[1]) * x.std(0)

    return tested(change)


plants("preprocessing-mismatch", "not-divided", lambda d: d.shape.image is not None, honest_test, gross=tested(lambda x, rng: x * 255))
plants("preprocessing-mismatch", "inverted", lambda d: d.shape.image is not None, honest_test, medium=tested(lambda x, rng: 1 - x))
plants(
    "preprocessing-mismatch",
    "statistics",
    both(is_table, lambda d: len(d.x) > 300),
    honest_test,
    mild=other_statistics(0.7),
    medium=other_statistics(1.5),
)
plants(
    "preprocessing-mismatch",
    "not-standardised",
    lambda d: is_table(d) or d.shape.image is None,
    honest_test,
    gross=tested(lambda x, rng: x * 20 + 50),
)


# -- data --------------------------------------------------------------------------------------------------------------------------------


def mislabelled(share: float) -> Plant:
    """A share of the labels is drawn anew from the other classes."""

    def plant(d: Draft) -> None:
        hit = d.rng.random(len(d.y)) < share
        y = d.y.copy()
        y[hit] = (y[hit] + d.rng.integers(1, d.classes, hit.sum())) % d.classes
        d.y = y

    return plant


plants(
    "label-noise",
    "flipped",
    both(is_labels, lambda d: len(d.x) >= 300),
    mild=mislabelled(0.15),
    medium=mislabelled(0.25),
    gross=mislabelled(0.4),
)


def by_heart(d: Draft) -> None:
    """A network that learns every row by heart, which does no harm where labels are right."""
    d.rearrange(width=max(96, d.arch.width), drop=0.0)
    d.set(optimizer="adam", lr=2e-3, epochs=20, schedule="constant", momentum=0.0)


plants(
    "label-noise",
    "learned-by-heart",
    both(is_stack, is_large, lambda d: d.shape.inputs >= 60 and d.classes > 2),
    by_heart,
    mild=mislabelled(0.12),
    medium=mislabelled(0.25),
    gross=mislabelled(0.4),
)
plants("labels-unrelated-to-inputs", "permuted", gross=lambda d: setattr(d, "y", d.rng.permutation(d.y)))
plants("labels-unrelated-to-inputs", "one-row-late", medium=lambda d: setattr(d, "y", np.roll(d.y, 1)))


def halves(d: Draft) -> None:
    """A fifth of the rows is given as validation set."""
    cut = int(0.8 * len(d.x))
    d.x, d.y, d.validation = d.x[:cut], d.y[:cut], (d.x[cut:], d.y[cut:])


def judged_by_validation(d: Draft) -> None:
    """A validation set is given, and the case is judged on it."""
    halves(d)
    d.scored = "validation"


def wrong_validation(change: Callable[[np.ndarray, int], np.ndarray]) -> Plant:
    """Validation labels that were transformed."""

    def plant(d: Draft) -> None:
        assert d.validation is not None
        d.validation = (d.validation[0], change(d.validation[1], d.classes))

    return plant


def wrong_training(change: Callable[[np.ndarray, int], np.ndarray]) -> Plant:
    """Training labels that were transformed, beside a right validation set."""
    return lambda d: setattr(d, "y", change(d.y, d.classes))


plants("wrong-labels", "from-one", is_classes, gross=wrong_training(lambda y, k: y + 1))
plants("wrong-labels", "off-by-one", is_labels, judged_by_validation, medium=wrong_validation(lambda y, k: (y + 1) % k))
plants("wrong-labels", "off-by-one-in-training", is_labels, halves, medium=wrong_training(lambda y, k: (y + 1) % k))
plants("wrong-labels", "other-unit", is_regression, judged_by_validation, mild=wrong_validation(lambda y, k: y * 10))
plants("wrong-labels", "other-unit-in-training", is_regression, halves, mild=wrong_training(lambda y, k: y * 0.1 + 1))


def balanced(d: Draft) -> None:
    """Judged by the recall of every class."""
    d.balanced = True


def rare_class(ratio: float) -> Plant:
    """One class in three is so many times rarer."""

    def plant(d: Draft) -> None:
        rare = np.isin(d.y, np.arange(max(1, d.classes // 3)) + 1)
        chosen = ~rare | (d.rng.random(len(d.y)) < 1 / ratio)
        for label in np.unique(d.y):
            chosen[np.flatnonzero(d.y == label)[:5]] = True
        d.x, d.y = d.x[chosen], d.y[chosen]

    return plant


plants("class-imbalance", "rare", both(is_labels, is_large), balanced, mild=rare_class(25), medium=rare_class(50), gross=rare_class(100))


def holes(share: float) -> Plant:
    """Missing values in the inputs."""

    def plant(d: Draft) -> None:
        x = d.x.copy()
        x[d.rng.random(x.shape) < share] = np.nan
        x[d.rng.permutation(len(x))[:20], 0] = np.nan
        d.x = x

    return plant


def missing_targets(d: Draft) -> None:
    """A few targets are not numbers."""
    y = d.y.copy()
    y[d.rng.random(len(y)) < 0.02] = np.nan
    d.y = y


plants("non-finite-data", "twenty-holes", mild=holes(0.0))
plants("non-finite-data", "holes", medium=holes(0.01))
plants("non-finite-data", "targets", is_regression, gross=missing_targets)


def optimism(d: Draft) -> None:
    """A small pool learned as long as before; judged by how far validation flatters."""
    few_rows(400)(d)
    d.scored = "optimism"


def copied_validation(d: Draft) -> None:
    """Validation rows are among the training rows."""
    assert d.validation is not None
    d.x, d.y = np.concatenate([d.x, d.validation[0]]), np.concatenate([d.y, d.validation[1]])


def oversampled(times: int, noise: float = 0.0) -> Plant:
    """The pool is copied before it is split; with ``noise`` the copies are not exact."""

    def plant(d: Draft) -> None:
        d.x, d.y = np.tile(d.x, (times, 1)), np.tile(d.y, times)
        d.x = (d.x + noise * d.x.std(0) * d.rng.normal(0, 1, d.x.shape)).astype(np.float32)
        d.set(epochs=max(1, d.recipe.epochs // times))

    return plant


_leaky = both(is_large, lambda d: d.shape.inputs >= 6)
plants("train-test-leakage", "copied", _leaky, lambda d: (optimism(d), halves(d))[0], gross=copied_validation)
plants("train-test-leakage", "oversampled", _leaky, optimism, medium=oversampled(4))
plants("train-test-leakage", "near-copies", _leaky, optimism, mild=oversampled(4, 0.02))
