"""The watch itself: hooks on anyone's loop, a guard around every one of them, and what was seen in the end."""

from __future__ import annotations

import functools
import logging
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from traindx.probes import Probe
from traindx.records import Curve, Diagnosis, Finding, InputError, Outcome, Run
from traindx.watching import findings as records
from traindx.watching.budget import Budget
from traindx.watching.defects import DETECTORS, Detector
from traindx.watching.defects.missing_zero_grad import MissingZeroGrad
from traindx.watching.loop import Forward, Hook, Loop, choose_witness, is_transformed, number
from traindx.watching.observing import GuardedActivations, watching_probes
from traindx.watching.places import users_line
from traindx.watching.signs import suspicions

# Losses stay on the device and are read together, at the first report seen in full after so many.
READ_EVERY = 16
# In the first so many updates, and in looks, another witness is sought where no gradient came to the one that is followed.
FIRST_SOUGHT = 16
# Signs in the curves are weighed at these reports, and at the end.
WEIGHED_AT = (64, 256, 1024, 4096, 16384, 65536)
# For the defects that are there from the first update on, so many updates are watched, and later only those that are looked at in full.
FIRST_UPDATES = 64
# In these, each of several optimizers has turns of so many reports.
TURN = 8
# Later, one report in so many is seen in full; between these, no more is read than the loss, a gradient, the rate and the mode.
FOLLOWED = 8
# A look lasts until it has seen an update, and over no more reports than this where none comes.
LONGEST_LOOK = 64
# So many updates in a row are followed, and this many lie between two such rows at least, where gradients look as if they were not cleared.
ROW, ROW_SPACING = MissingZeroGrad.needed + 2, 64

AlertCallback = Callable[[Finding], None]
_MOMENTS = ("started", "forwarded", "accumulated", "updating", "updated", "reported", "validated", "ended")
_log = logging.getLogger("traindx")

P = ParamSpec("P")


def _guarded(act: Callable[Concatenate[Watch, P], None]) -> Callable[Concatenate[Watch, P], None]:
    """A moment of the watch: timed, and never the end of the training. An error is logged once and switches the watch off, unless it is strict."""

    @functools.wraps(act)
    def guarded(self: Watch, *args: P.args, **kwargs: P.kwargs) -> None:
        if self._off or self.loop.paused:
            if not self._entered:
                self._warn_not_entered()
            return
        began = perf_counter()
        try:
            act(self, *args, **kwargs)
        except Exception as error:
            self._fail(error)
        finally:
            self.budget.spent += perf_counter() - began

    return guarded  # type: ignore[return-value]  # a function; mypy knows what wraps returns as an object with __call__


class Watch:
    """Watches a training loop from its hooks; made by `watch`.

    ``findings`` holds what is suspected so far, ``run`` the observations as a record, ``diagnosis`` both with words. All can be read at any
    time, and after the end.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        loss_fn: Callable[[Any, Any], Tensor] | None,
        scheduler: Any,
        overhead: float,
        on_alert: AlertCallback | None,
        quiet: bool,
        strict: bool,
        name: str,
    ) -> None:
        self.loop = Loop(
            model,
            tuple(optimizers),
            loss_fn,
            scheduler,
            lambda act: Hook(functools.partial(self._try, act)),
            lambda: self.budget.affords_more,
        )
        self.budget = Budget(overhead)
        self.name, self.strict = name, strict
        self._on_alert, self._quiet = on_alert, quiet
        self._detectors: tuple[Detector, ...] = tuple(kind() for kind in DETECTORS)
        self._told: set[str] = set()
        self._signs: tuple[Finding, ...] = ()
        self._probes: list[Probe] = watching_probes(self.loop)
        self._losses: list[Tensor | float] = []
        self._curves: dict[str, tuple[list[int], list[float]]] = {}
        self._rows, self._outcome, self._reason = 0, Outcome.STOPPED, "still training"
        self._off, self._seconds = True, 0.0
        self._error = ""  # of its own, that switched it off
        self._entered = False  # or the user was told that it was not
        self._holders: set[int] = set()
        self._all, self._lasting = _acts(self._detectors), _acts([d for d in self._detectors if d.lasting])
        self._in_a_row = _acts([d for d in self._detectors if d.lasting or d.in_rows])
        self._between = self._lasting | {"reported": _acts([d for d in self._detectors if d.lasting and not d.patient])["reported"]}
        self._acts, self._is_close = self._all, True  # close: followed from the backward pass to after the update
        self._version, self._row_ends, self._next_row = -1, 0, 0
        self._weighed_broken = False  # whether signs were weighed since a loss was not finite
        self._look_began, self._look_has_ended = 0, False
        self._after: dict[int, RemovableHandle] = {}
        self._heard: RemovableHandle | None = None

    @_guarded
    def _try(self, act: Callable[..., Any], *args: Any) -> None:
        """The same for what is attached to the user's objects later."""
        act(*args)

    # -- beginning and end ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Attach the hooks."""
        self._off, self._entered = False, True
        self._attach()
        return self

    def _warn_not_entered(self) -> None:
        """Once: a report to a watch without hooks is lost, and would pass for a sound loop."""
        self._entered = True
        _log.warning("the watch has not begun and sees nothing: write `with tdx.watch(...) as w:` around the loop")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Detach them, whatever happened, and weigh what was seen."""
        self.close(error)

    def close(self, error: BaseException | None = None) -> None:
        """End the watch; ``error`` is what ended the training, if anything did. Ending it twice does nothing."""
        try:
            self._end(error)
        finally:
            self._detach()

    @_guarded
    def _attach(self) -> None:
        loop = self.loop
        loop.handles.append(loop.model.register_forward_hook(Hook(self._after_forward), with_kwargs=True))
        for index, optimizer in enumerate(loop.optimizers):
            loop.handles.append(optimizer.register_step_pre_hook(functools.partial(self._before_update, index)))
        self._follow(choose_witness(loop, loop.optimizers))
        self._begin()
        self._tell("started")

    def _follow(self, witness: nn.Parameter | None) -> None:
        """Take this parameter for the one whose gradients are followed, and be told of them if that was so before."""
        self.loop.witness = witness
        self._holders = {i for i, o in enumerate(self.loop.optimizers) if any(p is witness for g in o.param_groups for p in g["params"])}
        if self._heard is not None:
            self._hear_gradients(False)
            self._hear_gradients(True)

    @_guarded
    def _end(self, error: BaseException | None) -> None:
        self._read_losses()
        self._tell("ended")
        self._seconds = self.budget.training_seconds
        if self._outcome is not Outcome.DIVERGED:
            said = f"{type(error).__name__}: {error}" if error is not None else ""
            self._outcome, self._reason = (Outcome.FAILED, said) if error is not None else (Outcome.FINISHED, "")
        self._weigh_signs()

    def _detach(self) -> None:
        self._off = True
        for handle in (*self.loop.handles, *self._after.values()):
            handle.remove()
        self.loop.handles.clear()
        self._after.clear()
        self._hear_gradients(False)
        self._end_look()
        self._let_go()

    def _end_look(self) -> None:
        """No hook of a look outlives it, also where it saw no update."""
        self.loop.looking = False
        self._let_activations_go()

    def _let_activations_go(self) -> None:
        """One forward pass tells enough of them."""
        for probe in self._probes:
            if isinstance(probe, GuardedActivations):
                probe.detach()

    def _let_go(self) -> None:
        """Keep no tensor of the user's alive."""
        self.loop.forward = self.loop.loss = self.loop.outputs = self.loop.targets = None

    def _fail(self, error: Exception) -> None:
        """An error of the watch's own. Its hooks stay where they are until the end, idle: torch may be calling them one after another."""
        if self._off:
            return
        self._off, self._error = True, f"{type(error).__name__}: {error}"
        self._keep_what_was_seen(error)
        self._let_go()
        if self.strict:
            self._detach()
            raise error
        _log.warning("the watch has switched itself off; the training goes on unwatched", exc_info=error)

    def _keep_what_was_seen(self, error: Exception) -> None:
        """The losses and signs of before the error, as far as these can still be read."""
        self._seconds = self.budget.training_seconds
        try:
            self._read_losses()
            self._signs = suspicions(self.run)
        except Exception as second:
            _log.debug("what was seen last is lost", exc_info=second)
        if self._outcome is not Outcome.DIVERGED:
            self._reason = f"the watch has switched itself off: {self._error}"

    # -- what the hooks see --------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """An update begins: is it looked at in full, followed, or passed over? A look that has seen no update goes on."""
        loop = self.loop
        if loop.looking:
            return
        following = (loop.step + 1) % FOLLOWED == 0
        loop.looking, in_row = self.budget.affords_look(loop.step), self._is_in_row()
        if loop.looking or loop.step < FIRST_UPDATES:
            self._acts = self._all
        elif in_row:
            self._acts = self._in_a_row
        else:
            self._acts = self._lasting if following else self._between
        self._is_close = self._acts is self._all or self._acts is self._in_a_row
        if len(loop.optimizers) > 1 and loop.step <= FIRST_UPDATES and loop.step % TURN == 0:
            self._take_turns(loop.step // TURN)
        if self._is_close is (self._heard is None):
            self._hear_gradients(self._is_close)
        if loop.looking:
            if self._look_has_ended:
                self._count_look()
            self.budget.look_begins(loop.step)
            self._look_began = loop.step
            state = loop.state()
            for probe in self._probes:
                probe.before_forward(state)

    def _take_turns(self, turn: int) -> None:
        """Of several optimizers, each one's gradients are followed for a while at first: that one's are cleared tells nothing of another's."""
        optimizer = self.loop.optimizers[turn % len(self.loop.optimizers)]
        witness = choose_witness(self.loop, [optimizer])
        if witness is not None and witness is not self.loop.witness:
            self._follow(witness)

    def _count_look(self) -> None:
        """What the last look took, its own report included where the next look does not begin in that."""
        self._look_has_ended = False
        self.budget.look_ends()

    def _is_in_row(self) -> bool:
        """Whether the next update is followed as one of a few in a row, as it takes to see gradients that are no longer cleared.

        A row begins where the witness's gradient was changed in place more often than when that was read before. Where gradients are set to
        None, that happens only if they are not cleared any more. Where they are set to zero, it happens always, and rows are kept apart.
        Reports are counted where no optimizer steps.
        """
        loop = self.loop
        done = loop.updates or loop.step
        gradient = loop.witness.grad if loop.witness is not None else None
        before, self._version = self._version, -1 if gradient is None else gradient._version
        if done + ROW < self._row_ends:  # updates are counted from here on, not reports
            self._row_ends = self._next_row = 0
        if self._version > before and done >= self._next_row and any(d.held is None for d in self._detectors if d.in_rows):
            self._row_ends, self._next_row = done + ROW, done + ROW_SPACING
        return done < self._row_ends

    def _hear_gradients(self, wanted: bool) -> None:
        """Be told, or no more, when the witness receives gradients. One that was frozen since is no witness any more."""
        self.loop.backwards = 0
        if self._heard is not None:
            self._heard.remove()
            self._heard = None
        if wanted and self.loop.witness is not None and not self.loop.witness.requires_grad:
            self._follow(choose_witness(self.loop, self.loop.optimizers))
        if wanted and self.loop.witness is not None:
            self._heard = self.loop.witness.register_post_accumulate_grad_hook(self._accumulated)

    def _hear_updates(self, index: int, wanted: bool) -> None:
        """Be told, or no more, when the optimizer has stepped. Called before it does: torch goes through the hooks of after it only then."""
        if wanted:
            self._after[index] = self.loop.optimizers[index].register_step_post_hook(functools.partial(self._after_update, index))
        else:
            self._after.pop(index).remove()

    # Not guarded, but for what it calls: so little is done here that compiled models are not compiled anew for it.
    def _after_forward(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        loop = self.loop
        if self._off or loop.paused:
            return
        loop.evaluations.append(loop.model.training)
        if torch.is_grad_enabled():
            loop.forward = Forward(args, kwargs, outputs)
            if loop.looking:
                self._try(self._see_forward)

    def _see_forward(self) -> None:
        """In looks, what is computed inside `torch.func` is left alone: it does not outlive it."""
        if is_transformed():
            self.loop.forward = None
        else:
            self._tell("forwarded")

    @_guarded
    def _accumulated(self, parameter: Tensor) -> None:
        if parameter is self.loop.witness:
            self.loop.backwards += 1
            self.loop.was_reached = True
            self._tell("accumulated")

    @_guarded
    def _before_update(self, index: int, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        loop = self.loop
        loop.updates += 1
        loop.updates_since_report += 1
        loop.reports_since_update = 0
        loop.evaluations.clear()
        if self._acts is self._between and not self._after and len(args) == 1 and not kwargs:
            self._pass_over(index, optimizer)
            return
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)  # the first argument is the optimizer itself
        wanted = self._is_close or closure is not None
        if wanted is not (index in self._after):
            self._hear_updates(index, wanted)
        if index == 0:
            self._note_rate(optimizer)
        if closure is None:
            self._gradients_complete(index)

    def _pass_over(self, index: int, optimizer: Optimizer) -> None:
        """The shortest way through an update that is not followed: nearly all are such, and what is cold in the caches is dear."""
        groups = optimizer.param_groups
        if index == 0 and groups and groups[0].get("lr") is not self.loop.rate:
            self._note_rate(optimizer)
        self._tell("updating")

    def _note_rate(self, optimizer: Optimizer) -> None:
        """Record a rate that is another than before, or that of an update that is looked at. To read one on an accelerator is to wait."""
        loop = self.loop
        rate = optimizer.param_groups[0].get("lr") if optimizer.param_groups else None
        if rate is None or (isinstance(rate, Tensor) and not rate.is_cpu and not loop.looking):
            return
        if loop.looking or rate != loop.rate:
            loop.rate = float(rate)
            self._record("learning_rate", [loop.step + 1], [loop.rate])

    @_guarded
    def gradients_complete(self) -> None:
        """For loops whose optimizer computes the gradients itself, by a closure: they are complete, and the parameters as yet unchanged."""
        self._gradients_complete(0)

    def _gradients_complete(self, index: int) -> None:
        self.loop.stepped_witness = index in self._holders
        self._tell("updating")
        if self.loop.looking and index == 0:
            state = self.loop.state()
            for probe in self._probes:
                probe.before_step(state)

    @_guarded
    def _after_update(self, index: int, *_: Any) -> None:
        loop = self.loop
        loop.stepped_witness = index in self._holders
        is_its_own = loop.stepped_witness or not self._holders
        if not loop.backwards and is_its_own and (loop.updates <= FIRST_SOUGHT or loop.looking):
            self._follow_better()
        loop.was_reached = loop.was_reached or loop.has_gradients
        self._tell("updated")
        if is_its_own:
            loop.backwards = 0
        loop.evaluations.clear()  # forward passes of a closure are no evaluations
        if index == 0:
            loop.place = loop.place or users_line()
            if loop.looking:
                state = loop.state()
                for probe in self._probes:
                    probe.after_step(state)

    def _follow_better(self) -> None:
        """No gradient came to the witness: another parameter may have received one."""
        better = choose_witness(self.loop, self.loop.optimizers)
        if better is not None and better is not self.loop.witness and better.grad is not None:
            self.loop.was_reached = True
            self._follow(better)

    # -- what the user reports -----------------------------------------------------------------------------------------------------

    @_guarded
    def step(self, loss: Tensor | float, outputs: Any = None, targets: Any = None) -> None:
        """Report an update, after ``optimizer.step()``.

        Args:
            loss: of the batch; as it came from the loss function, with its graph, or as a number.
            outputs: of the model, as the loss function got them; with ``targets``, more can be seen.
            targets: as the loss function got them.

        """
        loop = self.loop
        if self._look_has_ended:
            self._count_look()
        self._losses.append(self._kept(loss))
        if self._acts is self._between and (loop.broken_loss or loop.broken_gradient):
            self._acts = self._lasting
        passed_over = self._acts is self._between
        if passed_over:
            self._tell("reported")
        else:
            self._see_report(loss, outputs, targets)
        loop.step += 1
        loop.reports_since_update += not loop.updates_since_report
        loop.updates_since_report, loop.was_reached, loop.forward = 0, False, None
        loop.evaluations.clear()
        if not passed_over:
            self._let_go()
        if not passed_over or loop.news:
            self._tell_news()
        if not self._off and (not passed_over or (loop.step + 1) % FOLLOWED == 0):  # an alert may end the watch
            self._begin()

    def _see_report(self, loss: Tensor | float, outputs: Any, targets: Any) -> None:
        """The report of an update that is followed, as those with numbers that are not finite are."""
        loop = self.loop
        loop.loss, loop.outputs, loop.targets = loss, outputs, targets
        look_ends = loop.looking and (loop.updates_since_report > 0 or loop.step + 1 - self._look_began >= LONGEST_LOOK)
        if len(self._losses) >= READ_EVERY or look_ends:
            self._read_losses()
        if not self._rows and isinstance(targets, Tensor) and targets.ndim:
            self._rows = len(targets)
        self._tell("reported")
        if look_ends:
            self._end_look()
            self._look_has_ended = True
        elif loop.looking:
            self._let_activations_go()

    def _tell_news(self) -> None:
        """Weigh signs where it is time to, and tell what holds since this report."""
        if self.loop.step in WEIGHED_AT or (self.loop.broken_loss and not self._weighed_broken):
            self._read_losses()
            self._weigh_signs()
        if self.loop.news:
            self._alert()

    @_guarded
    def validate(self, loss: Tensor | float, metric: float | None = None) -> None:
        """Report an evaluation on validation rows.

        Args:
            loss: over the validation rows.
            metric: any number for which more is better.

        """
        self._record("validation_loss", [self.loop.step], [number(loss)])
        if metric is not None:
            self._record("validation_metric", [self.loop.step], [float(metric)])
        self._tell("validated")
        self.loop.evaluations.clear()
        if self.loop.news:
            self._alert()

    def _kept(self, loss: Tensor | float) -> Tensor | float:
        """The number where it is at hand; else the tensor without its graph: a copy, where a compiled model's next run may write over it."""
        if isinstance(loss, Tensor) and not loss.is_cpu:
            return loss.detach().clone() if self.loop.compiled else loss.detach()
        value = number(loss)
        if not math.isfinite(value):
            self.loop.broken_loss = True
        return value

    def _read_losses(self) -> None:
        """Move the losses to the host, all in one piece."""
        held, self._losses = self._losses, []
        if not held:
            return
        first = self.loop.step + 1 - len(held) + (self.loop.loss is not None)
        on_device = [loss for loss in held if isinstance(loss, Tensor)]
        read = iter(torch.stack([loss.reshape(()) for loss in on_device]).tolist() if on_device else [])
        values = [next(read) if isinstance(loss, Tensor) else loss for loss in held]
        self._record("batch_loss", range(first, first + len(values)), values)
        broken = next((first + offset for offset, value in enumerate(values) if not math.isfinite(value)), None)
        if broken is not None and self._outcome is not Outcome.DIVERGED:
            self.loop.broken_loss = True
            self._outcome, self._reason = Outcome.DIVERGED, f"the loss was not finite at step {broken}"

    def _record(self, name: str, steps: Iterable[int], values: Iterable[float]) -> None:
        if name not in self._curves:
            self._curves[name] = [], []
        self._curves[name][0].extend(steps)
        self._curves[name][1].extend(values)

    # -- what comes out ------------------------------------------------------------------------------------------------------------

    def _tell(self, moment: str) -> None:
        for act in self._acts[moment]:
            act(self.loop)

    def _weigh_signs(self) -> None:
        self._weighed_broken = self.loop.broken_loss
        self._signs = suspicions(self.run)
        if self.loop.news or self._signs:
            self._alert()

    def _alert(self) -> None:
        """Tell every finding that holds for the first time, once."""
        self.loop.news = False
        for finding in self.findings:
            if finding.cause in self._told:
                continue
            self._told.add(finding.cause)
            if not self._quiet and _writes():
                sys.stderr.write(f"traindx: suspected {finding.cause}: {finding.summary}\n")
            if self._on_alert is not None:
                self._on_alert(finding)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is suspected so far, what explains most first."""
        held = [records.finding(d) for d in self._detectors if d.held is not None]
        causes = {f.cause for f in held}
        return records.ranked([*held, *(f for f in self._signs if f.cause not in causes)])

    @property
    def run(self) -> Run:
        """The observations so far, as a record; a curve ``watch/CAUSE`` marks where a suspicion was first seen."""
        if not self._off:
            self._read_losses()
        curves = {name: Curve(steps=tuple(s), values=tuple(v)) for name, (s, v) in self._curves.items()}
        for probe in self._probes:
            curves |= Probe.finish(probe, self.loop.state())
        seen = {f"watch/{d.cause}": Curve(steps=(d.held.step,), values=(d.held.value,)) for d in self._detectors if d.held is not None}
        recipe = records.recipe_of(self.loop.optimizers[0], self._rows, len(curves.get("validation_loss", Curve())))
        seconds = self.budget.training_seconds if not self._off else self._seconds
        return records.run_record(
            self.name, recipe, {**curves, **seen}, self._outcome, self._reason, self.loop.step, seconds, self.loop.module
        )

    @property
    def diagnosis(self) -> Diagnosis:
        """What the watched run amounts to: suspicions, each with what would settle it."""
        return records.diagnosis_of(self.run, self.findings, unwatched=self._error)


def _acts(detectors: Sequence[Detector]) -> dict[str, list[Callable[..., None]]]:
    """What is to be called at each moment."""
    return {m: [getattr(d, m) for d in detectors if getattr(type(d), m) is not getattr(Detector, m)] for m in _MOMENTS}


def _writes() -> bool:
    """Of several processes that train together, the first one writes."""
    return not (torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_rank() != 0)


def watch(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    loss_fn: Callable[[Any, Any], Tensor] | None = None,
    *,
    scheduler: Any = None,
    overhead: float = 0.05,
    on_alert: AlertCallback | None = None,
    quiet: bool = False,
    strict: bool = False,
    name: str = "watched",
) -> Watch:
    """Watch a training loop for defects and for signs that it goes wrong; a context manager.

    ::

        with tdx.watch(model, optimizer, loss_fn) as w:
            for inputs, targets in loader:
                ...
                optimizer.step()
                w.step(loss, outputs, targets)
        print(w.diagnosis)

    Weights, buffers, gradients and random states are those of an unwatched training, to the last bit. Nothing that goes wrong in here
    stops the training. All hooks are gone after the block, also after an error.

    Args:
        model: the one that is trained, also compiled or in data-parallel training.
        optimizer: that steps it; all of them where there are several.
        loss_fn: ``(outputs, targets) -> loss``; with it and with the outputs and targets of each step, more defects can be seen.
        scheduler: of the learning rate; with it, a wrong rhythm is seen sooner.
        overhead: the share of the training's time that may go into watching. Less is looked at where a look is dear; losses and gradients
            that are not finite are noticed in any case.
        on_alert: called with each finding when it first holds.
        quiet: no line on standard error for it.
        strict: raise errors of the watch itself instead of switching it off.
        name: of the training, in reports.

    Raises:
        InputError: when the optimizer is none, the loss function a class, or ``overhead`` no share.

    """
    optimizers = [_unwrapped(o) for o in (optimizer if isinstance(optimizer, Sequence) else [optimizer])]
    if not optimizers or not all(isinstance(o, Optimizer) for o in optimizers):
        raise InputError("optimizer", f"found {optimizer!r}", "give the torch optimizer that steps the model, or several of them")
    if not isinstance(model, nn.Module):
        raise InputError("model", f"found {type(model).__name__}", "give the torch.nn.Module that is trained")
    if isinstance(loss_fn, type):
        raise InputError("loss_fn", f"found the class {loss_fn.__name__}", f"give an instance of it: {loss_fn.__name__}()")
    if not 0 < overhead <= 1:
        raise InputError("overhead", f"found {overhead}", "give a share of the training's time, such as 0.05")
    return Watch(model, optimizers, loss_fn, scheduler, overhead, on_alert, quiet, strict, name)


def _unwrapped(optimizer: Any) -> Any:
    """The torch optimizer inside what accelerate and lightning wrap around it."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inner
    return optimizer
