"""The training loop: one function that fits any task by a recipe and returns a run.

A run that raises, diverges or takes too long is an outcome of the run, with its reason, not an error of the caller.
"""

from __future__ import annotations

import copy
import math
import sysconfig
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from traindx.records import OUT_OF_TIME, Curve, Outcome, Recipe, Run
from traindx.tasks import Rows, Task, preserved_rng, seed_everything
from traindx.training.callbacks import Callback, TrainingState
from traindx.training.evaluation import evaluate, evaluated_index
from traindx.training.keys import resolve_device, run_key
from traindx.training.optimizers import make_optimizer, optimizer_class
from traindx.training.schedules import make_schedule

# Evaluations a run: one an epoch, thinned beyond MAX, with at least MIN so that short runs can be compared on the way.
MIN_EVALUATIONS, MAX_EVALUATIONS = 8, 32
# The clock and the finiteness of the loss are looked at once in so many steps: a look costs a wait for the device.
CHECK_EVERY = 32
# Data below this size in bytes are moved to the device as a whole and gathered there.
RESIDENT_BYTES = 2 << 30

OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Job:
    """One training to be done: a task, a recipe, and the step at which to stop although the recipe goes on."""

    task: Task
    recipe: Recipe
    horizon: int | None = None
    keep_weights: bool = False

    @property
    def key(self) -> str:
        """The key of the run it becomes."""
        return run_key(self.task, self.recipe, self.horizon)


@dataclass(frozen=True)
class Fitted:
    """A run, and the weights it ended with where they were to be kept."""

    run: Run
    weights: dict[str, Tensor] | None = None


class _Diverged(Exception):
    """The loss is no longer a finite number."""


class _OutOfTime(Exception):
    """The limit in seconds was reached."""


@dataclass
class _Records:
    """Numbers on their way from the device to curves."""

    losses: list[Tensor] = field(default_factory=list)
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    checked: int = 0

    def add(self, name: str, step: int, value: float) -> None:
        steps, values = self.curves.setdefault(name, ([], []))
        steps.append(step)
        values.append(value)

    def all_finite(self) -> bool:
        """Whether every loss since the last look is finite: one wait for the device."""
        fresh, self.checked = self.losses[self.checked :], len(self.losses)
        return not fresh or bool(torch.isfinite(torch.stack(fresh)).all())

    def finished(self) -> dict[str, Curve]:
        """All curves; of the losses the finite beginning and the first that is not."""
        values = torch.stack(self.losses).double().cpu().tolist() if self.losses else []
        broken = next((i + 1 for i, v in enumerate(values) if not math.isfinite(v)), len(values))
        curves = {name: Curve(steps=tuple(s), values=tuple(v)) for name, (s, v) in self.curves.items()}
        return {"batch_loss": Curve(steps=tuple(range(1, broken + 1)), values=tuple(values[:broken])), **curves}


def steps_per_epoch(rows: int, recipe: Recipe) -> int:
    """Optimizer updates an epoch."""
    return max(1, math.ceil(len(_batch_bounds(rows, recipe.batch_size)) / recipe.accumulate))


def total_steps(rows: int, recipe: Recipe) -> int:
    """Optimizer updates of a whole training by this recipe: the horizon of its schedule."""
    planned = recipe.epochs * steps_per_epoch(rows, recipe)
    return planned if recipe.max_steps is None else min(planned, recipe.max_steps)


def evaluation_steps(total: int, per_epoch: int) -> list[int]:
    """The steps after which train and validation rows are evaluated: 0, epoch ends (thinned or refined), and the last."""
    every = per_epoch * max(1, round(total / per_epoch / MAX_EVALUATIONS))
    if total / every < MIN_EVALUATIONS:
        every = max(1, math.ceil(total / MIN_EVALUATIONS))
    return sorted({0, *range(every, total + 1, every), total})


def check_recipe(recipe: Recipe) -> None:
    """Nothing, for a recipe that can be followed.

    Raises:
        InputError: when it names an optimizer, a schedule or a device that does not exist.

    """
    optimizer_class(recipe.optimizer)
    make_schedule(recipe, 1, 1)
    resolve_device(recipe.device)


def fit(
    task: Task,
    recipe: Recipe,
    callbacks: Sequence[Callback] = (),
    horizon: int | None = None,
    limit_s: float | None = None,
    keep_weights: bool = False,
    tick: Callable[[int], None] | None = None,
) -> Fitted:
    """Train once. The model, the data and all global random states are left as they were.

    Args:
        task: what is to be learned; its factory is called after seeding by ``recipe.seed``.
        recipe: how.
        callbacks: called at the moments of their interface.
        horizon: stop after this many updates, in the middle of the schedule.
        limit_s: seconds after which the run ends as ``stopped``.
        keep_weights: whether the result holds the final weights, on the CPU.
        tick: told the number of updates done, at each evaluation.

    Raises:
        InputError: when the recipe names an optimizer, a schedule or a device that does not exist.

    """
    check_recipe(recipe)
    started, records = time.perf_counter(), _Records()
    training = _Training(task, recipe, list(callbacks), horizon, limit_s, records, tick)
    with preserved_rng(), _deterministic():
        outcome, reason = _ending(training)
        curves = {name: curve for callback in training.started for name, curve in callback.finish(training.state).items()}
    weights = (
        {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in training.model.state_dict().items()}
        if keep_weights and training.model
        else None
    )
    run = Run(
        key=run_key(task, recipe, horizon),
        task=task.fingerprint,
        task_name=task.name,
        recipe=recipe,
        remedies=task.remedies,
        outcome=outcome,
        reason=reason,
        steps=training.step,
        epochs=training.step / training.per_epoch,
        seconds=time.perf_counter() - started,
        horizon=horizon,
        threads=torch.get_num_threads(),
        device=str(training.device),
        parameters=sum(p.numel() for p in training.model.parameters()) if training.model else 0,
        curves={**records.finished(), **curves},
        spread=records.spread,
    )
    return Fitted(run, weights)


def _ending(training: _Training) -> tuple[Outcome, str]:
    """Run the training and name how it ended. The one place where an exception of the user's code becomes a value."""
    try:
        return training.run()
    except _Diverged:
        for name in [name for name in training.records.curves if name.endswith("_loss")]:
            training.records.add(name, training.step, math.nan)
        return Outcome.DIVERGED, f"the loss was not finite at step {training.first_broken()}"
    except _OutOfTime:
        return Outcome.STOPPED, f"{OUT_OF_TIME} of {training.limit_s:.0f} s was reached at step {training.step}"
    except (MemoryError, torch.OutOfMemoryError):
        return Outcome.FAILED, OUT_OF_MEMORY
    except Exception as error:
        if "allocate memory" in str(error):
            return Outcome.FAILED, OUT_OF_MEMORY
        return Outcome.FAILED, f"{type(error).__name__}: {error} ({_where(error)})"


def _where(error: Exception) -> str:
    """The innermost line that is not of an installed package, where there is one beyond this file: that of the user's code."""
    frames = traceback.extract_tb(error.__traceback__)
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")] + [Path(__file__).parents[1]]
    theirs = [
        f for f in frames if not f.filename.startswith("<") and not any(Path(f.filename).is_relative_to(place) for place in installed)
    ]
    frame = (theirs or frames)[-1]
    return f"in {frame.name}, {frame.filename}:{frame.lineno}"


@contextmanager
def _deterministic() -> Iterator[None]:
    """Deterministic CUDA kernels where there are any; the settings found are put back."""
    if not torch.cuda.is_available():
        yield
        return
    kept = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(kept[0], warn_only=kept[1])
        torch.backends.cudnn.benchmark = kept[2]


class _Training:
    """The state of one training, and its loop in the order in which things happen."""

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        callbacks: list[Callback],
        horizon: int | None,
        limit_s: float | None,
        records: _Records,
        tick: Callable[[int], None] | None,
    ) -> None:
        self.task, self.recipe, self.callbacks, self.records, self.tick = task, recipe, callbacks, records, tick
        self.started: list[Callback] = []
        self.device = resolve_device(recipe.device)
        self.autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=recipe.precision == "bfloat16")
        self.per_epoch = steps_per_epoch(len(task.train), recipe)
        self.total = total_steps(len(task.train), recipe)
        self.end = self.total if horizon is None else min(horizon, self.total)
        self.limit_s, self.deadline = limit_s, math.inf if limit_s is None else time.monotonic() + limit_s
        self.step = 0
        self.model: nn.Module | None = None
        self.state: TrainingState

    def run(self) -> tuple[Outcome, str]:
        """Build, then epoch after epoch until the end; returns the outcome with its reason."""
        model, optimizer = self._build()
        train, validation = _resident(self.task.train, self.device), _resident(self.task.validation, self.device)
        stopper = _EarlyStopping(self.recipe.early_stopping)
        evaluations = {*evaluation_steps(self.total, self.per_epoch), self.end}
        schedule = make_schedule(self.recipe, self.total, self.per_epoch)
        base_rates = [group["lr"] for group in optimizer.param_groups]
        order = torch.Generator().manual_seed(self.recipe.seed)

        self._evaluate(model, train, validation)
        model.train()
        while self.step < self.end:
            micro_batches = train.batches(self._epoch_order(order), self.device)
            for _ in range(self.per_epoch):
                factor = schedule(self.step)
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * factor
                self._update(model, optimizer, micro_batches)
                self.step += 1
                epoch_ends = self.step % self.per_epoch == 0
                if self.step in evaluations or (stopper.patience and epoch_ends):
                    self._evaluate(model, train, validation)
                    if epoch_ends and stopper.should_stop(self.records.curves["validation_loss"][1][-1], model):
                        break
                if self.step % CHECK_EVERY == 0:
                    self._check()
                if self.step >= self.end:
                    break
            if stopper.stopped:
                break
        if stopper.restore(model):
            self._evaluate(model, train, validation)
        if stopper.stopped:
            return Outcome.STOPPED, f"early stopping: no lower validation loss for {stopper.patience} epochs"
        return Outcome.FINISHED, ""

    def _build(self) -> tuple[nn.Module, Optimizer]:
        seed_everything(self.recipe.seed)
        model = self.task.build(self.recipe.seed).to(self.device)
        if self.recipe.precision == "float64":
            model = model.double()
        self.model = model
        optimizer = make_optimizer(self.recipe, (p for p in model.parameters() if p.requires_grad))
        self.state = TrainingState(self.task, model, optimizer, self.end)
        seed_everything(self.recipe.seed)  # dropout does not depend on how many numbers the initialization drew
        for callback in self.callbacks:
            callback.start(self.state)
            self.started.append(callback)
        return model, optimizer

    def _epoch_order(self, generator: torch.Generator) -> list[Tensor]:
        rows = len(self.task.train)
        weights = self.task.sample_weight
        if weights is not None:
            index = torch.multinomial(weights, rows, replacement=True, generator=generator)
        elif self.recipe.shuffle:
            index = torch.randperm(rows, generator=generator)
        else:
            index = torch.arange(rows)
        return [index[start:stop] for start, stop in _batch_bounds(rows, self.recipe.batch_size)]

    def _update(self, model: nn.Module, optimizer: Optimizer, micro_batches: Iterator[object]) -> None:
        """One optimizer update: forward and backward over ``accumulate`` batches, clip, step."""
        state = self.state
        state.step = self.step
        for callback in self.callbacks:
            callback.before_forward(state)
        optimizer.zero_grad(set_to_none=True)
        loss = None
        for micro, batch in zip(range(self.recipe.accumulate), micro_batches, strict=False):
            with self.autocast:
                outputs, targets = self.task.forward(model, self._cast(batch))
                part = self.task.training_loss(outputs, targets)
            (part / self.recipe.accumulate if self.recipe.accumulate > 1 else part).backward()
            loss = part.detach() if loss is None else loss + (part.detach() - loss) / (micro + 1)
            state.outputs, state.targets = outputs, targets
        assert loss is not None, "an epoch has as many batches as its updates need"
        state.loss, state.lr = loss, optimizer.param_groups[0]["lr"] if optimizer.param_groups else 0.0
        for callback in self.callbacks:
            callback.before_step(state)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), self.recipe.clip_norm)
        optimizer.step()
        for callback in self.callbacks:
            callback.after_step(state)
        state.outputs = state.targets = None
        self.records.losses.append(loss)

    def _cast(self, batch: object) -> object:
        if self.recipe.precision != "float64" or not isinstance(batch, tuple):
            return batch
        return tuple(item.double() if isinstance(item, Tensor) and item.dtype == torch.float32 else item for item in batch)

    def _evaluate(self, model: nn.Module, train: Rows, validation: Rows) -> None:
        self._check()
        precise = self.task if self.recipe.precision != "float64" else _in_double(self.task)
        for name, rows in (("train", train), ("validation", validation)):
            with self.autocast:
                result = evaluate(precise, model, rows, self.device, evaluated_index(len(rows)))
            self.records.add(f"{name}_loss", self.step, result.loss)
            self.records.spread[f"{name}_loss"] = result.standard_error
            if self.task.metric is not None:
                self.records.add(f"{name}_metric", self.step, result.metric)
        if self.tick is not None:
            self.tick(self.step)

    def _check(self) -> None:
        if not self.records.all_finite():
            raise _Diverged
        if time.monotonic() > self.deadline:
            raise _OutOfTime

    def first_broken(self) -> int:
        """The step of the first loss that is not finite."""
        finite = torch.isfinite(torch.stack(self.records.losses))
        return int((~finite).nonzero()[0]) + 1


def _in_double(task: Task) -> Task:
    def forward(model: nn.Module, batch: object) -> tuple[object, object]:
        cast = (
            tuple(x.double() if isinstance(x, Tensor) and x.dtype == torch.float32 else x for x in batch)
            if isinstance(batch, tuple)
            else batch
        )
        return given(model, cast)

    given, other = task.forward, copy.copy(task)
    other.forward = forward
    return other


def _batch_bounds(rows: int, batch_size: int) -> list[tuple[int, int]]:
    """(start, stop) of every batch. A last batch of one row is left out: batch statistics of one row do not exist."""
    bounds = [(start, min(start + batch_size, rows)) for start in range(0, rows, batch_size)]
    return bounds[:-1] if len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] == 1 and batch_size > 1 else bounds


def _resident(rows: Rows, device: torch.device) -> Rows:
    """The rows on the device, where they are arrays that fit there."""
    columns: Sequence[Tensor] = getattr(rows, "columns", ())
    size = sum(column.numel() * column.element_size() for column in columns)
    return rows.to(device) if columns and size <= RESIDENT_BYTES else rows


class _EarlyStopping:
    """Stops after ``patience`` epochs without a lower validation loss, and puts the best weights back."""

    def __init__(self, patience: int | None) -> None:
        self.patience, self.best, self.waited, self.stopped = patience, math.inf, 0, False
        self._weights: dict[str, Tensor] | None = None

    def should_stop(self, loss: float, model: nn.Module) -> bool:
        if self.patience is None:
            return False
        if loss < self.best:
            self.best, self.waited = loss, 0
            self._weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        else:
            self.waited += 1
        self.stopped = self.waited >= self.patience
        return self.stopped

    def restore(self, model: nn.Module) -> bool:
        if self._weights is None or self.waited == 0:
            return False
        model.load_state_dict(self._weights)
        return True
