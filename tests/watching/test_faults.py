"""An error inside the watch, wherever it happens, never stops the training and never changes it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn

import traindx as tdx
from traindx.probes import Probe
from traindx.watching import Watch
from traindx.watching.budget import Budget
from traindx.watching.defects import DETECTORS, Detector
from traindx.watching.defects.missing_zero_grad import MissingZeroGrad
from traindx.watching.loop import Loop
from traindx.watching.observing import GuardedActivations

MOMENTS = ("started", "forwarded", "accumulated", "updating", "updated", "reported", "validated", "ended")
POINTS: list[tuple[type, str]] = [
    *((kind, moment) for kind in DETECTORS for moment in MOMENTS if getattr(kind, moment) is not getattr(Detector, moment)),
    *((Probe, moment) for moment in ("is_due", "record")),
    *((GuardedActivations, moment) for moment in ("before_forward", "before_step", "_hook")),
    *((Watch, inner) for inner in ("_follow", "_begin", "_read_losses", "_weigh_signs", "_alert", "_tell", "_record", "_kept")),
    *((Budget, method) for method in ("affords_look", "look_begins", "look_ends")),
    (Loop, "state"),
    (MissingZeroGrad, "_look_at_content"),
]


def train(watched: bool, **options: Any) -> tuple[nn.Module, Watch | None]:
    """Twenty updates and an evaluation, with gradients that are never cleared so that an alert is due."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_fn = nn.CrossEntropyLoss()
    w = tdx.watch(model, optimizer, loss_fn, quiet=True, **options).__enter__() if watched else None
    try:
        for _ in range(20):
            x = torch.randn(8, 4)
            outputs = model(x)
            loss = loss_fn(outputs, x.argmax(1) % 2)
            loss.backward()
            optimizer.step()
            if w:
                w.step(loss, outputs, x.argmax(1) % 2)
        if w:
            w.validate(0.5)
    finally:
        if w:
            w.close()
    return model, w


def hooks(model: nn.Module) -> int:
    on_modules = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return on_modules + sum(len(p._backward_hooks or ()) + len(p._post_accumulate_grad_hooks or ()) for p in model.parameters())


def broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("planted")


@pytest.mark.parametrize(("owner", "method"), POINTS, ids=lambda p: p if isinstance(p, str) else p.__name__)
def test_an_error_is_logged_once_and_switches_the_watch_off(
    owner: type, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected, _ = train(watched=False)
    monkeypatch.setattr(owner, method, broken)
    with caplog.at_level(logging.WARNING, logger="traindx"):
        model, w = train(watched=True)
    assert [r.message for r in caplog.records] == ["the watch has switched itself off; the training goes on unwatched"]
    assert caplog.records[0].exc_info is not None and str(caplog.records[0].exc_info[1]) == "planted"
    assert hooks(model) == 0
    assert w is not None
    for a, b in zip(model.state_dict().values(), expected.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("owner", "method"), POINTS, ids=lambda p: p if isinstance(p, str) else p.__name__)
def test_a_strict_watch_raises(owner: type, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, method, broken)
    with pytest.raises(RuntimeError, match="planted"):
        train(watched=True, strict=True)


@pytest.mark.parametrize("method", ["_gradients_complete", "_follow_better"])
def test_hooks_of_the_users_own_are_called_after_an_error_in_the_watchs(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, method, broken)
    model, called = nn.Linear(2, 2), []
    optimizer = torch.optim.SGD(model.parameters())
    with tdx.watch(model, optimizer, quiet=True):
        optimizer.register_step_pre_hook(lambda *_: called.append("before"))
        optimizer.register_step_post_hook(lambda *_: called.append("after"))
        optimizer.step()
    assert called == ["before", "after"]
    assert len(optimizer._optimizer_step_pre_hooks) == len(optimizer._optimizer_step_post_hooks) == 1


def test_an_error_in_the_users_callback_is_one_of_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="traindx"):
        train(watched=True, on_alert=broken)
    assert len(caplog.records) == 1


def test_a_loss_that_is_none_is_an_error_of_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    model = nn.Linear(2, 2)
    with caplog.at_level(logging.WARNING, logger="traindx"), tdx.watch(model, torch.optim.SGD(model.parameters())) as w:
        w.step("no loss")  # type: ignore[arg-type]
        w.step(1.0)
    assert len(caplog.records) == 1
    assert w.run.steps == 0
