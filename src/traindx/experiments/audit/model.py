"""The audit of the model: parameters, widths, scales of fresh weights, and what a fresh model cannot be."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from traindx.experiments.audit.measured import evidence
from traindx.experiments.base import Lab
from traindx.experiments.layout import coded_columns
from traindx.records import Evidence, NotApplicable
from traindx.remedies.remove_regularization import dropouts
from traindx.remedies.surgery import remove_output_activation
from traindx.remedies.surgery.layers import NORMS
from traindx.remedies.surgery.trace import WEIGHTED
from traindx.tasks import Task, preserved_rng
from traindx.tasks.random_states import seed_everything
from traindx.training import evaluated_index, evaluation_mode

ROWS = 32
# Of a large table, so many rows say how its columns differ.
TABLE_ROWS = 1000
# Inputs are scaled by this for the additivity test, so that a bend far from the origin shows.
FAR = 10.0
# So many passes are made before a parameter is told to receive no gradient: blocks may be left out at random.
DRAWS = 4
# Parameters without a gradient are moved by this share of their spread, to see whether anything depends on them.
MOVED = 0.5
# Outputs that vary by less than this share of themselves are constant: affine, and trivially so.
ROUNDING = 1e-9


def model_evidence(lab: Lab) -> Sequence[Evidence]:
    """Parameters, frozen and unused ones, widths, scales of the fresh weights, dropout, affinity."""
    model, other = lab.task.build(lab.recipe.seed), lab.task.build(lab.recipe.seed + 1)
    unused = _unused(lab.task, model, other)
    return [
        evidence("pretrained", float(lab.task.pretrained)),
        *_parameters(model, other),
        *_narrowings(model),
        *_scales(model),
        evidence("dropout", max(dropouts(model, lambda fresh: lab.task.forward(fresh, _batch(lab.task, 4))[0]), default=0.0)),
        evidence("norm_layers", sum(isinstance(m, NORMS) for m in model.modules())),
        *_affinity(lab.task, model, other),
        *unused,
    ]


def _parameters(model: nn.Module, other: nn.Module) -> list[Evidence]:
    """How many, how many frozen, and how many frozen ones differ between two draws: nobody has trained those."""
    total = sum(p.numel() for p in model.parameters())
    frozen = [(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True) if not p.requires_grad]
    drawn = sum(p.numel() for p, q in frozen if p.ndim >= 2 and not torch.equal(p, q))
    weights = sum(p.numel() for p in model.parameters() if p.ndim >= 2)
    return [
        evidence("parameters", total),
        evidence("frozen_share", sum(p.numel() for p, _ in frozen) / total if total else math.nan),
        evidence("frozen_drawn_share", drawn / weights if weights else 0.0),
        evidence("learnable", sum(p.numel() for p in model.parameters() if p.requires_grad)),
    ]


def _narrowings(model: nn.Module) -> list[Evidence]:
    """How many layers there are, and every hidden layer's width against its neighbours' needs."""
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase))]
    tables = sum(isinstance(m, (nn.Embedding, nn.EmbeddingBag)) for m in model.modules())
    found = [evidence("weight_layers", len(layers)), evidence("tables", tables)]
    widths = [(name, *_widths(layer)) for name, layer in layers]
    for (name, inputs, outputs), (_, _, after) in pairwise(widths):
        needed = min(inputs, after)
        found.append(evidence("narrowing", needed / outputs, subject=name, width=outputs, inputs=inputs, after=after))
    return found


def _widths(layer: nn.Module) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, nn.RNNBase):
        return layer.input_size, layer.hidden_size
    assert isinstance(layer, nn.modules.conv._ConvNd)
    return layer.in_channels, layer.out_channels


def _scales(model: nn.Module) -> list[Evidence]:
    """With gradients of a batch: gains of the fresh weights (root mean square times the root of the fan-in), spread of the units, biases against what their layer adds up."""
    gains, spreads, biases = [], [], []
    for module in model.modules():
        if not isinstance(module, WEIGHTED) or isinstance(module, nn.Embedding):
            continue
        for weight in (p.detach().flatten(1) for p in module.parameters(recurse=False) if p.ndim >= 2):
            gains.append(float(weight.double().square().mean().sqrt()) * math.sqrt(weight.shape[1]))
            if weight.shape[0] > 1:
                spreads.append(_spread(weight.double()))
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor) and bias.numel() > 1:
            biases.append(float(bias.detach().double().mean().abs()))
    if not gains:
        return [evidence("unit_spread", 0.0)] if _stuck_by_hand(model) else _tables(model)
    found = [evidence("smallest_gain", min(gains)), evidence("largest_gain", max(gains))]
    spreads = [0.0] if _stuck_table(model) else spreads[:-1] or spreads
    found += [evidence("unit_spread", min(spreads))] if spreads else []
    return [*found, evidence("bias_offset", max(biases))] if biases else found


def _stuck_table(model: nn.Module) -> bool:
    """Whether a table of vectors is zero, and its gradient too: what is multiplied by them learns nothing, and neither do they."""
    return any(_is_stuck(m.weight) for m in model.modules() if isinstance(m, nn.Embedding) and m.embedding_dim > 1)


def _stuck_by_hand(model: nn.Module) -> bool:
    """Whether the user's own matrices of weights are all zero, and so are their gradients, with those of a batch."""
    matrices = [p for p in model.parameters() if p.ndim == 2]
    return bool(matrices) and all(map(_is_stuck, matrices))


def _is_stuck(weight: Tensor) -> bool:
    return weight.grad is not None and not bool(weight.detach().any()) and not bool(weight.grad.any())


def _tables(model: nn.Module) -> list[Evidence]:
    """The spread of the columns of a network's tables, where nothing else has weights: a layer behind them would make equal columns differ."""
    tables = [m.weight.detach()[:TABLE_ROWS].double().T for m in model.modules() if isinstance(m, nn.Embedding) and m.embedding_dim > 1]
    return [evidence("unit_spread", min(map(_spread, tables)))] if tables else []


def _spread(weight: Tensor) -> float:
    """How much the units of a layer (U, I), or the columns of a table, differ, in units of their weights: near 1 for independent draws, 0 for equal ones."""
    size = float(weight.square().mean().sqrt())
    return float(weight.std(0, correction=1).square().mean().sqrt()) / size if size else 0.0


def _batch(task: Task, rows: int) -> object:
    return next(task.train.batches([evaluated_index(len(task.train), rows)], torch.device("cpu")))


def _affinity(task: Task, model: nn.Module, other: nn.Module) -> list[Evidence]:
    """How far fresh models are from affine: |f(a + b) + f(0) - f(a) - f(b)| over the spread of f, the larger of two draws; 0 but for rounding
    when there is no nonlinearity between input and output. Only for arrays of real numbers.
    """
    with contextlib.suppress(NotApplicable):  # an activation behind the last layer bends what is one affine map before it
        model, other = (remove_output_activation(m, lambda fresh: task.forward(fresh, _batch(task, 4))[0]) for m in (model, other))
    batch = _batch(task, ROWS)
    try:
        codes = coded_columns(task)
    except Exception:  # a forward pass that fails is told by the audit of shapes, and by the baseline
        return []
    if codes:
        return _affinity_with_codes(task, (model, other), batch, codes)
    if not (isinstance(batch, (tuple, list)) and isinstance(batch[0], Tensor) and batch[0].is_floating_point() and len(batch[0]) >= 4):
        return []
    noise = torch.randn(batch[0].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = batch[0].double().nan_to_num(0.0, 0.0, 0.0).abs().amax().clamp_min(1e-12)
    half = len(noise) // 2
    first, second = FAR * scale * noise[:half], FAR * scale * noise[half : 2 * half]  # far from the origin on all sides
    errors = []
    for fresh in (model, other):
        double = fresh.double()
        try:
            with evaluation_mode(double):
                f_sum, f_first, f_second, f_zero = (
                    task.forward(double, (x, *[column[:half] for column in batch[1:]]))[0]
                    for x in (first + second, first, second, torch.zeros_like(first))
                )
            spread = (f_first - f_zero).abs().amax()
            if not spread > ROUNDING * f_zero.abs().amax():
                return []
            errors.append(float((f_sum + f_zero - f_first - f_second).abs().amax() / spread.clamp_min(1e-30)))
        except Exception:  # a forward pass may refuse doubles or zeros: then nothing can be said
            return []
        finally:
            fresh.float()
    return [evidence("distance_from_affine", max(errors), weight_layers=_chained(model))]


def _affinity_with_codes(task: Task, models: Sequence[nn.Module], batch: Any, codes: Sequence[int]) -> list[Evidence]:
    """The same where columns are looked up as vectors: affine in the numbers of a row, and codes and numbers of two rows can be exchanged.

    Without a bend f(a, x) + f(b, y) = f(a, y) + f(b, x) for codes a and b and numbers x and y, and likewise for one code among several.
    """
    numbers = torch.tensor([j not in codes for j in range(batch[0].shape[1])])
    half = len(batch[0]) // 2
    a, b = batch[0][:half].double(), batch[0][half : 2 * half].double()
    noise = torch.randn(2, *a.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x, y = (
        FAR * batch[0].double().nan_to_num(0.0, 0.0, 0.0)[:, numbers].abs().amax().clamp_min(1e-12) * noise
        if bool(numbers.any())
        else noise
    )
    errors = []
    for fresh in models:
        double = fresh.double()

        def f(names: Tensor, values: Tensor, network: nn.Module = double) -> Tensor:
            outputs: Tensor = task.forward(network, (torch.where(numbers, values, names), *[column[:half] for column in batch[1:]]))[0]
            return outputs

        try:
            with evaluation_mode(double):
                bends = [f(a, x + y) + f(a, 0 * x) - f(a, x) - f(a, y), f(a, x) + f(b, y) - f(a, y) - f(b, x)]
                for j in codes if len(codes) > 1 else ():
                    this = torch.arange(a.shape[1]) == j
                    bends.append(f(torch.where(this, b, a), x) + f(torch.where(this, a, b), x) - f(a, x) - f(b, x))
                here = f(a, x)
                spread = (here - f(b, y)).abs().amax()
            if not spread > ROUNDING * here.abs().amax():
                return []
            errors.append(float(max(bend.abs().amax() for bend in bends) / spread))
        except Exception:  # a forward pass may refuse doubles: then nothing can be said
            return []
        finally:
            fresh.float()
    layers = sum(isinstance(m, WEIGHTED) and not isinstance(m, nn.Embedding) for m in models[0].modules())
    return [evidence("distance_from_affine", max(errors), weight_layers=layers)]


def _chained(model: nn.Module) -> int:
    return sum(isinstance(m, WEIGHTED) for m in model.modules())


def _unused(task: Task, model: nn.Module, other: nn.Module) -> list[Evidence]:
    """The shares of learnable parameters that no gradient reaches, and of those among them on which the outputs depend; it leaves the gradients of a batch.

    A gradient may depend on what is drawn, so several passes are made. What two draws of the model have in common was loaded, and may be kept as it is.
    """
    try:
        for draw in range(DRAWS):
            with preserved_rng():
                seed_everything(draw)
                outputs, targets = task.forward(model, _batch(task, ROWS))
                task.loss(outputs, targets).backward()
    except Exception:  # told by the audit of shapes
        return []
    learnable = [(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True) if p.requires_grad]
    total = sum(p.numel() for p, _ in learnable)
    if not total:
        return []
    unused = [(p, q) for p, q in learnable if p.grad is None]
    drawn = [p for p, q in unused if not torch.equal(p, q)]
    cut = sum(p.numel() for p in drawn if _matter(task, model, [p])) if _matter(task, model, drawn) else 0
    return [evidence("unused_share", sum(p.numel() for p, _ in unused) / total), evidence("cut_share", cut / total)]


def _matter(task: Task, model: nn.Module, parameters: Sequence[nn.Parameter]) -> bool:
    """Whether the outputs in training change when these are moved, and nothing else: what the outputs do not depend on is merely unused."""
    if not parameters:
        return False
    batch, before = _batch(task, ROWS), [p.detach().clone() for p in parameters]

    def outputs() -> object:
        with preserved_rng():
            seed_everything(0)
            return task.forward(model, batch)[0]

    with torch.no_grad():
        first, again = outputs(), outputs()
        for p in parameters:
            size = float(p.std()) if p.numel() > 1 else 0.0
            p.add_((MOVED * size or MOVED) * torch.randn(p.shape, generator=torch.Generator().manual_seed(0)))
        second = outputs()
        for p, value in zip(parameters, before, strict=True):
            p.copy_(value)
    return _same(first, again) and not _same(first, second)


def _same(first: object, second: object) -> bool:
    """Of outputs that are no tensors of one shape nothing is said."""
    plain = isinstance(first, Tensor) and isinstance(second, Tensor) and first.shape == second.shape
    return not plain or torch.allclose(first, second, equal_nan=True)  # type: ignore[arg-type]
