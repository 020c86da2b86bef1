"""Defects that begin after the first updates, and loops that look like them and are correct."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import traindx as tdx
from traindx.watching import Watch
from traindx.watching import watcher as watching
from traindx.watching.defects.scheduler_wrong_rhythm import SchedulerWrongRhythm

LATE, UPDATES = 100, 180
# Updates until gradients that are no longer cleared are seen: after the next update that is followed where they were None before, else in the
# next row.
AT_ONCE, IN_THE_NEXT_ROW = watching.FOLLOWED + watching.ROW, watching.ROW_SPACING + watching.FOLLOWED + watching.ROW


def rows() -> tuple[Tensor, Tensor]:
    x = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))


def watched(model: nn.Module, optimizer: Any, **options: Any) -> Watch:
    return tdx.watch(model, optimizer, nn.CrossEntropyLoss(), quiet=True, strict=True, **options)


# --- Gradients that are no longer cleared --------------------------------------------------------------------------------------------


def train(
    clears: Callable[[int], bool],
    to_none: bool = True,
    parts: tuple[int, ...] = (1,),
    each_part_reported: bool = False,
    after_step: bool = False,
    clip: bool = False,
    compiled: bool = False,
) -> Watch:
    """``clears`` says of every update whether its loop clears the gradients; each adds up those of ``parts`` batches, in turns."""
    x, y = rows()
    module = network()
    model = torch.compile(module, backend="aot_eager") if compiled else module
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for update in range(UPDATES):
            if clears(update) and not after_step:
                optimizer.zero_grad(set_to_none=to_none)
            of_update = parts[update % len(parts)]
            for part in range(of_update):
                outputs = model(x)
                loss = nn.functional.cross_entropy(outputs, y)
                (loss / of_update).backward()
                if each_part_reported and part < of_update - 1:
                    w.step(loss, outputs, y)
            if clip:
                nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            if clears(update) and after_step:
                optimizer.zero_grad(set_to_none=to_none)
            w.step(loss, outputs, y)
    return w


STYLES: dict[str, tuple[dict[str, Any], int]] = {
    "plain": ({}, AT_ONCE),
    "set to zero": ({"to_none": False}, IN_THE_NEXT_ROW),
    "cleared after the update": ({"after_step": True}, AT_ONCE),
    "clipped": ({"clip": True}, AT_ONCE),
    "accumulated": ({"parts": (4,)}, AT_ONCE),
    "accumulated, the last ones less": ({"parts": (4, 4, 2)}, IN_THE_NEXT_ROW),
    "accumulated, every part reported": ({"parts": (4,), "each_part_reported": True}, IN_THE_NEXT_ROW),
    "compiled": ({"compiled": True}, AT_ONCE),
}


@pytest.mark.parametrize("style", STYLES)
def test_gradients_that_are_no_longer_cleared_are_named(style: str) -> None:
    options, within = STYLES[style]
    w = train(lambda update: update < LATE, **options)
    assert [f.cause for f in w.findings][:1] == ["missing-zero-grad"]
    step = w.findings[0].evidence[0].step
    reports = options.get("parts", (1,))[0] if options.get("each_part_reported") else 1
    assert step is not None and LATE * reports < step <= (LATE + within) * reports


@pytest.mark.parametrize("style", STYLES)
def test_the_same_loop_that_goes_on_clearing_them_gives_no_finding(style: str) -> None:
    assert train(lambda _: True, **STYLES[style][0]).findings == ()


def test_gradients_that_are_cleared_every_third_update_only_are_no_finding() -> None:
    assert train(lambda update: update < LATE or update % 3 == 0).findings == ()


@pytest.mark.parametrize("forgets", [True, False])
def test_weights_that_are_changed_by_hand(forgets: bool) -> None:
    model = network()
    x, y = rows()
    followed = 0
    with watched(model, torch.optim.SGD(model.parameters(), lr=0.05), overhead=1e-9) as w:
        for update in range(UPDATES + 40):
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter -= 0.05 * parameter.grad
                    if not forgets or update < LATE:
                        parameter.grad.zero_()
            w.step(loss)
            followed += update >= watching.FIRST_UPDATES and len(model[0].weight._post_accumulate_grad_hooks or ()) > 0
    assert [f.cause for f in w.findings] == ["missing-zero-grad"] * forgets
    assert 0 < followed <= 4 * watching.ROW


def test_no_hook_is_left_between_rows() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = rows()
    followed = 0
    with watched(model, optimizer, overhead=1e-9) as w:
        for update in range(400):
            optimizer.zero_grad(set_to_none=False)
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            w.step(loss)
            followed += update >= watching.FIRST_UPDATES and len(model[0].weight._post_accumulate_grad_hooks or ()) > 0
    assert 0 < followed <= watching.ROW * (400 // watching.ROW_SPACING)


def test_a_witness_that_is_frozen_later_is_followed_no_more() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = rows()
    with watched(model, optimizer, overhead=1.0) as w:
        for update in range(UPDATES):
            model[0].requires_grad_(update < LATE)
            optimizer.zero_grad()
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y)
    assert w.findings == () and w.loop.witness is model[2].weight


# --- Looks and accumulation ----------------------------------------------------------------------------------------------------------


def test_a_look_lasts_until_it_has_seen_an_update() -> None:
    w = train(lambda _: True, parts=(4,), each_part_reported=True)
    assert len(w.run.curves["update_ratio"]) >= len(watching_looks(w)) > 5


def watching_looks(w: Watch) -> tuple[int, ...]:
    return w.run.curves["gradient_norm"].steps


# --- After an error of the watch's own -----------------------------------------------------------------------------------------------


def test_what_was_seen_before_an_error_of_the_watch_stays(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    seen = SchedulerWrongRhythm.reported

    def fails_later(self: SchedulerWrongRhythm, loop: Any) -> None:
        if loop.step == 20:
            raise RuntimeError("planted")
        seen(self, loop)

    monkeypatch.setattr(SchedulerWrongRhythm, "reported", fails_later)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = rows()
    with caplog.at_level(logging.WARNING, logger="traindx"), tdx.watch(model, optimizer, quiet=True) as w:
        for _ in range(30):
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            w.step(loss)
    assert len(caplog.records) == 1
    assert [f.cause for f in w.findings] == ["missing-zero-grad"] == [f.cause for f in w.diagnosis.findings]
    assert w.run.curves["batch_loss"].steps == tuple(range(1, 22))
    assert "planted" in w.run.reason


def test_losses_of_differing_shapes_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "_kept", lambda self, loss: loss.detach())  # as on a device
    model = network()
    with tdx.watch(model, torch.optim.SGD(model.parameters()), quiet=True, strict=True) as w:
        for step in range(20):
            w.step(torch.full((1,) * (step % 3), float(step)))
    assert w.run.curves["batch_loss"].values == tuple(map(float, range(20)))


# --- Rates that explode --------------------------------------------------------------------------------------------------------------


def scheduled(rate: Callable[[int], float], updates: int, clears: Callable[[int], bool] = lambda _: True, spoils: int = -1) -> Watch:
    """``rate`` of every update; in update ``spoils`` the loss divides zero by zero."""
    x, y = rows()
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watched(model, optimizer) as w:
        for update in range(updates):
            optimizer.param_groups[0]["lr"] = rate(update)
            if clears(update):
                optimizer.zero_grad()
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            if update == spoils:
                loss = loss * (0 * loss.detach() / (0 * loss.detach()))
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y)
    return w


def exploding(update: int) -> float:
    return 0.05 * 1.5 ** max(0, update - 200)


@pytest.mark.parametrize("updates", [228, 260])
def test_a_rate_that_explodes_late_is_named_with_the_rates(updates: int) -> None:
    w = scheduled(exploding, updates)
    assert w.findings[0].cause == "learning-rate-too-high"
    assert "the learning rate having risen from 0.05 to" in w.findings[0].summary
    (_, of_rates) = w.findings[0].evidence
    assert of_rates.measure == "rate_ratio" and of_rates.value > 2
    assert of_rates.step is not None and 200 < of_rates.step <= 225


@pytest.mark.parametrize("rate, causes", [(10.0, ["learning-rate-too-high"]), (1.0, [])])
def test_a_rate_that_throws_the_network_away_at_its_start_is_named_and_one_that_it_recovers_from_is_not(
    rate: float, causes: list[str]
) -> None:
    x, y = rows()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    torch.manual_seed(0)
    with watched(model, optimizer) as w:
        for _ in range(128):
            part = torch.randint(0, len(x), (32,))
            optimizer.zero_grad()
            outputs = model(x[part])
            loss = nn.functional.cross_entropy(outputs, y[part])
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y[part])
    losses = w.run.curves["batch_loss"].values
    assert max(losses[:32]) > 10 * losses[0]
    assert [f.cause for f in w.findings] == causes


def test_the_rate_ranks_above_the_operation_in_which_it_ended() -> None:
    w = scheduled(exploding, 300)
    assert [f.cause for f in w.findings] == ["learning-rate-too-high", "non-finite-loss"]
    assert w.diagnosis.branch is tdx.Branch.OPTIMIZATION
    assert "is not finite from step" in w.findings[0].summary


def test_zero_by_zero_is_no_matter_of_the_rate() -> None:
    for rate in (lambda _: 0.05, lambda update: 0.05 * min(1.0, update / 100), lambda update: 0.001 + 0.05 * (update % 50) / 50):
        assert [f.cause for f in scheduled(rate, 160, spoils=120).findings] == ["non-finite-loss"]


@pytest.mark.parametrize("update", range(LATE, LATE + watching.FOLLOWED))
def test_a_number_that_is_not_finite_is_named_with_its_layer_at_any_update(update: int) -> None:
    x, y = rows()
    model = nn.Sequential(nn.Linear(8, 16), Root(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with watched(model, optimizer) as w:
        for done in range(update + 1):
            model[1].offset = -1e6 if done == update else 1e3
            optimizer.zero_grad()
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y)
    (finding,) = w.findings
    assert finding.cause == "non-finite-loss" and finding.evidence[0].step == update + 1
    assert "arose in sqrt in layer 1, at test_late.py" in finding.summary


class Root(nn.Module):
    """The root of its inputs above an offset."""

    offset = 1e3

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.offset).sqrt()


def reported_in_parts(
    mode: Callable[[int], bool], every: int, phase: int, alerts: list[int], rate: Callable[[int], float] = lambda _: 0.05
) -> Watch:
    """Each report is a part of a batch; the optimizer steps at one in ``every``. ``mode`` says of a report whether the model is in training mode."""
    x, y = rows()
    model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.1), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    report = 0
    with watched(model, optimizer, on_alert=lambda _: alerts.append(report)) as w:
        for report in range(3 * UPDATES):
            model.train(mode(report))
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            (loss / every).backward()
            if report % every == phase:
                optimizer.param_groups[0]["lr"] = rate(report)
                optimizer.step()
                optimizer.zero_grad()
            w.step(loss, outputs, y)
    return w


@pytest.mark.parametrize("every, phase", [(1, 0), (2, 0), (2, 1), (8, 0), (8, 3), (8, 7)])
def test_a_model_left_in_evaluation_mode_later_is_named_within_three_updates(every: int, phase: int) -> None:
    alerts: list[int] = []
    w = reported_in_parts(lambda report: report < LATE, every, phase, alerts)
    (finding,) = w.findings
    assert finding.cause == "eval-mode-while-training"
    assert len(alerts) == 1 and LATE <= alerts[0] < LATE + 3 * every


@pytest.mark.parametrize("period", [2, 4, 8])
def test_single_updates_in_evaluation_mode_are_no_finding(period: int) -> None:
    assert reported_in_parts(lambda report: report % period > 0, 1, 0, []).findings == ()


def test_a_rate_that_swings_within_a_few_updates_is_no_finding() -> None:
    alerts: list[int] = []
    w = reported_in_parts(lambda _: True, 1, 0, alerts, lambda i: max(1e-5, 0.05 * min(1, i / 60) * (1 - abs(i % 8 - 3) / 4)))
    assert w.findings == () and not alerts


def test_an_optimizer_without_groups_is_watched_on() -> None:
    class Wrapped(torch.optim.SGD):
        """Hides its groups, as some wrappers do."""

        def step(self, closure: Any = None) -> None:
            self.param_groups, groups = kept, self.param_groups
            super().step()
            self.param_groups = groups

    x, y = rows()
    model = network()
    optimizer = Wrapped(model.parameters(), lr=0.05)
    kept, optimizer.param_groups = optimizer.param_groups, []
    with watched(model, optimizer) as w:
        for _ in range(UPDATES):
            model.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            w.step(loss)
    assert w.run.steps == UPDATES


def test_warm_restarts_are_no_finding() -> None:
    assert scheduled(lambda update: 0.1 * (1 - (update % 80) / 80) + 1e-3, 400).findings == ()


def test_a_rate_that_is_spent_is_told_with_the_updates_between_its_highest_and_its_lowest() -> None:
    w = scheduled(lambda update: 1e-3 * 0.1 ** (update // 10), 200)
    assert [f.cause for f in w.findings] == ["scheduler-wrong-rhythm"]
    assert "the learning rate fell from 0.001 to 1e-11 within 80 updates" in w.findings[0].summary


def test_gradients_that_are_no_longer_cleared_rank_above_the_rate() -> None:
    w = scheduled(lambda _: 0.5, 400, clears=lambda update: update < LATE)
    assert [f.cause for f in w.findings][:2] == ["missing-zero-grad", "learning-rate-too-high"]


def test_the_watch_records_every_change_of_the_rate() -> None:
    w = scheduled(lambda update: 0.1 if update < 70 else 0.01, 100)
    rates = w.run.curves["learning_rate"]
    assert (rates.at(70), rates.at(71), rates.last) == (0.1, 0.01, 0.01)


class OfItsOwnRate(torch.optim.SGD):
    """An optimizer that finds its rate itself, and leaves that of its group empty."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in (p for p in group["params"] if p.grad is not None):
                parameter.data.add_(parameter.grad, alpha=-0.05)


@pytest.mark.parametrize("rate", [None, torch.tensor(0.05)])
def test_rates_that_are_no_plain_number(rate: Any) -> None:
    model, (x, y) = network(), rows()
    optimizer = (OfItsOwnRate if rate is None else torch.optim.SGD)(model.parameters(), lr=0.05)
    optimizer.param_groups[0]["lr"] = rate
    with watched(model, optimizer) as w:
        for _ in range(20):
            optimizer.zero_grad()
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y)
    assert not w.findings and len(w.run.curves["batch_loss"]) == 20
    assert ("learning_rate" in w.run.curves) is (rate is not None)
