"""Curvature where a training began and where it ended: what kind of point that is, and whether leaving it helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from traindx.curvature import Objective, eigenpairs
from traindx.curvature.critical_point import Answer, CriticalPoint, critical_point
from traindx.curvature.escape import By
from traindx.curvature.slope import CLEAR, NOISE_FACTOR
from traindx.experiments.base import Lab
from traindx.records import Evidence, Outcome, Question, Recipe, RemedyRef, Run
from traindx.remedies.escape_saddle import EscapeSaddle
from traindx.remedies.more_epochs import MoreEpochs
from traindx.tasks import Task
from traindx.training import Job, resolve_device
from traindx.training.descended import descended

NAME = "critical_point"
BOUND_MEASURE = "rate_times_largest_eigenvalue"
# The share of the training that goes on from where it ended, with and without the step off the saddle.
GO_ON = 0.25
# Products for the largest eigenvalue, of which two digits are enough.
TOLERANCE, PRODUCTS = 0.01, 100
# Optimizers whose step is the rate times the gradient (with momentum): the ones with a known bound of stability.
PLAIN = "sgd"
# Why there may be no product with the Hessian: it is not finite, or torch has no second derivative of an operation (of EmbeddingBag, say).
NO_PRODUCT = (ArithmeticError, NotImplementedError)


class CriticalPointOfBaseline:
    """What kind of point the baseline ended at, how sharp it was at both ends, and what a step off a saddle gains."""

    name, title, version, reads_test = NAME, "curvature", 1, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """The measures are those of `evidence_of` and `stability`, and ``gain_of_escape_share`` where the training went on."""
        run = lab.baseline()
        start = lab.task.build(lab.recipe.seed)
        found = stability(lab.task, lab.recipe, start, run, step=0)
        if run.outcome not in (Outcome.FINISHED, Outcome.STOPPED):
            return [*found, _refused(f"the baseline run {run.outcome.value}")]
        model = lab.trained_model()
        objective = on_device(lab.task, lab.recipe, model)
        found += stability(lab.task, lab.recipe, model, run, step=run.steps)
        try:
            point = critical_point(objective, seed=lab.recipe.seed)
        except NO_PRODUCT as error:
            return [*found, _refused(str(error))]
        return [*found, *evidence_of(point, run), *_went_on(lab, point, model)]


def on_device(task: Task, recipe: Recipe, model: nn.Module) -> Objective:
    """The loss that the recipe descends, on the recipe's device and in its precision."""
    model = model.to(resolve_device(recipe.device))
    return descended(task, recipe, model.double() if recipe.precision == "float64" else model)


# --- What kind of point --------------------------------------------------------------------------------------------------------------


def evidence_of(point: CriticalPoint, run: Run) -> list[Evidence]:
    """The answer and the numbers behind it."""
    slope, certificate = point.slope, point.certificate
    found = [
        _measure(run, "answer", float(point.answer is not Answer.NOT_CRITICAL), text=point.reason, details={"answer": point.answer.value}),
        _measure(run, "gradient_norm", slope.norm, details={"noise": slope.noise}),
        _measure(run, "gradient_over_noise", slope.noise_ratio, threshold=NOISE_FACTOR),
        _measure(run, "slope_gain_share", slope.share, threshold=CLEAR, details={"gain": slope.gain, "loss": slope.loss}),
        _measure(run, "products", float(point.products)),
    ]
    if point.direction is not None and point.smallest is not None:
        found.append(_measure(run, "negative_curvature", point.smallest, details={"noise": point.error or 0.0}))
    elif certificate is not None and not certificate.found:
        found.append(_measure(run, "eigenvalue_bound", -certificate.bound, details={"delta": certificate.delta}))
    if point.direction is None and point.smallest is not None and point.error is not None:
        ends = {"low": point.smallest - point.error, "high": point.smallest + point.error}
        found.append(_measure(run, "smallest_eigenvalue", point.smallest, **ends, details=_BOUND))
    if point.largest is not None:
        found.append(_measure(run, "largest_eigenvalue", point.largest))
    if point.escape is not None:
        before, after = point.escape.before, point.escape.after
        details = {"by": point.escape.by.value, "before": before, "after": after, "step": point.escape.step, "quantity": "train_loss"}
        found.append(_measure(run, "escape_fall_share", (before - after) / abs(before) if before else 0.0, details=details))
    return [e for e in found if not math.isnan(e.value)]


_BOUND = {"interval": "error bound"}


def _measure(run: Run, measure: str, value: float, **fields: Any) -> Evidence:
    fields.setdefault("step", run.steps)
    return Evidence(experiment=NAME, measure=measure, value=value, runs=(run.key,), seeds=(run.seed,), **fields)


def _refused(reason: str) -> Evidence:
    return Evidence(experiment=NAME, measure="not-applicable", value=math.nan, text=reason)


# --- Rate and curvature --------------------------------------------------------------------------------------------------------------


def bound_of_stability(recipe: Recipe) -> float | None:
    """What rate times eigenvalue must stay below for gradient descent on a quadratic: 2, or 2 (1 + momentum); None for other optimizers.

    Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, ICLR 2021 (with momentum: appendix B).
    """
    return 2 * (1 + recipe.momentum) if recipe.optimizer.lower() == PLAIN and not recipe.optimizer_options else None


def stability(task: Task, recipe: Recipe, model: nn.Module, run: Run, step: int) -> list[Evidence]:
    """``rate_times_largest_eigenvalue`` of a plain optimizer at the weights of ``model``; nothing for other optimizers.

    ``subject`` is "start" or "end"; the rate is that of the nearest update.
    """
    bound = bound_of_stability(recipe)
    if bound is None:
        return []
    try:
        largest = largest_eigenvalue(on_device(task, recipe, model))
    except NO_PRODUCT as error:
        return [_refused(str(error))]
    rate = rate_at(run, step)
    return [
        _measure(
            run,
            BOUND_MEASURE,
            rate * largest,
            threshold=bound,
            subject="start" if step == 0 else "end",
            step=step,
            details={"rate": rate, "eigenvalue": largest},
        )
    ]


def largest_eigenvalue(objective: Objective) -> float:
    """To about two digits. Cost: some ten products."""
    return float(eigenpairs(objective, 1, 0, tolerance=TOLERANCE, products=PRODUCTS).values[0])


def rate_at(run: Run, step: int) -> float:
    """The learning rate of the update nearest to this step, as it was observed; else the recipe's."""
    curve = run.curves.get("learning_rate")
    if curve is None or not len(curve):
        return run.recipe.lr
    nearest = min(range(len(curve)), key=lambda i: abs(curve.steps[i] - step))
    return curve.values[nearest]


# --- Going on ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class From:
    """A model factory: models of the task with these weights."""

    task: Task
    weights: dict[str, Tensor]

    def __call__(self) -> nn.Module:
        """A model with the weights."""
        model = self.task.fresh_model()
        model.load_state_dict(self.weights)
        return model


def _went_on(lab: Lab, point: CriticalPoint, model: nn.Module) -> list[Evidence]:
    """Train on from the end, and from the escaped weights, alike: what the step off the saddle gained."""
    if point.escape is None or point.escape.by is By.NOTHING:
        return []
    recipe = shorter(lab.recipe)
    without = _job(lab, recipe, MoreEpochs(factor=1 + GO_ON).ref, model)
    if lab.cost(without) * 2 > lab.left:
        return []
    parameters = [p for p in model.parameters() if p.requires_grad]
    vector_to_parameters(point.escape.point, parameters)
    escaped = _job(lab, recipe, EscapeSaddle().ref, model)
    runs = lab.train([without, escaped], "on from where it ended, and from off the saddle")
    plain, moved = (run.last("train_loss") for run in runs)
    return [
        Evidence(
            experiment=NAME,
            measure="gain_of_escape_share",
            value=(plain - moved) / abs(plain) if plain else 0.0,
            runs=tuple(run.key for run in runs),
            seeds=(lab.recipe.seed,),
            step=runs[0].steps,
            details={"without": plain, "escaped": moved, "after_escape": point.escape.after, "before_escape": point.escape.before},
        )
    ]


def shorter(recipe: Recipe) -> Recipe:
    """The recipe for GO_ON of the length, without a warm-up, which it had."""
    steps = None if recipe.max_steps is None else max(1, math.ceil(recipe.max_steps * GO_ON))
    return recipe.replace(epochs=max(1, math.ceil(recipe.epochs * GO_ON)), max_steps=steps, warmup_steps=0)


def _job(lab: Lab, recipe: Recipe, remedy: RemedyRef, model: nn.Module) -> Job:
    weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    return Job(lab.task.changed(remedy, model=From(lab.task, weights)), recipe)
