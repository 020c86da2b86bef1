"""A watched loop: what is seen, that nothing is changed, and that all hooks are gone afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import traindx as tdx
from traindx.records import Finding, InputError, Outcome, Standing
from traindx.watching import Watch

STEPS = 40


def rows(count: int = 256) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 8, generator=generator)
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))


def train(model: nn.Module, watch: Callable[[nn.Module, torch.optim.Optimizer, nn.Module], Any] | None) -> Watch | None:
    """A sound loop, watched or not."""
    x, y = rows()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss_fn = nn.CrossEntropyLoss()
    torch.manual_seed(1)
    w = watch(model, optimizer, loss_fn).__enter__() if watch else None
    for _ in range(STEPS):
        index = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        outputs = model(x[index])
        loss = loss_fn(outputs, y[index])
        loss.backward()
        optimizer.step()
        if w:
            w.step(loss, outputs, y[index])
    if w:
        w.close()
    return w


def quiet(model: nn.Module, optimizer: torch.optim.Optimizer, loss_fn: nn.Module) -> Watch:
    return tdx.watch(model, optimizer, loss_fn, quiet=True, strict=True)


def hooks(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> int:
    """How many hooks are on the model, its parameters and the optimizer."""
    on_modules = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())
    on_parameters = sum(len(p._backward_hooks or ()) + len(p._post_accumulate_grad_hooks or ()) for p in model.parameters())
    on_optimizer = len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks) if optimizer else 0
    return on_modules + on_parameters + on_optimizer


def test_a_watch_that_is_not_entered_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    model = network()
    w = tdx.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for _ in range(3):
        w.step(1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "the watch has not begun and sees nothing: write `with tdx.watch(...) as w:` around the loop"
    ]


def test_a_watch_that_has_ended_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    w = train(network(), quiet)
    assert w is not None
    w.step(1.0)
    assert not caplog.records


def test_a_sound_loop_gives_no_finding_and_a_run() -> None:
    w = train(network(), quiet)
    assert w is not None
    assert w.findings == ()
    assert w.run.outcome is Outcome.FINISHED
    assert w.run.curves["batch_loss"].steps == tuple(range(1, STEPS + 1))
    assert {"gradient_norm", "update_ratio", "learning_rate"} <= set(w.run.curves)
    assert w.run.recipe.optimizer == "adamw" and w.run.recipe.lr == 1e-2 and w.run.recipe.batch_size == 32
    assert w.diagnosis.branch is tdx.Branch.UNDECIDED
    assert "Nothing suspicious" in str(w.diagnosis)


def test_weights_and_random_state_are_bit_equal_to_those_of_an_unwatched_training() -> None:
    watched, plain = network(), network()
    train(watched, quiet)
    state = torch.get_rng_state()
    train(plain, None)
    assert torch.equal(state, torch.get_rng_state())
    for a, b in zip(watched.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_all_hooks_are_gone_after_an_error_in_the_loop() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), tdx.watch(model, optimizer, quiet=True) as w:
        assert hooks(model, optimizer) > 0
        model(torch.randn(4, 8)).sum().backward()
        raise ZeroDivisionError("the user's own")
    assert hooks(model, optimizer) == 0
    assert w.run.outcome is Outcome.FAILED
    assert w.run.reason == "ZeroDivisionError: the user's own"


def test_a_finding_is_told_once_with_the_line_that_was_seen(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Finding] = []
    model = network()
    x, y = rows()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with tdx.watch(model, optimizer, on_alert=told.append, strict=True) as w:
        for _ in range(20):
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            line = sys._getframe().f_lineno - 1  # of the backward pass
            optimizer.step()
            w.step(loss)
    assert [f.cause for f in told] == ["missing-zero-grad"]
    assert told[0].standing is Standing.SUSPECTED
    assert told[0].evidence[0].details["file"] == __file__
    assert told[0].evidence[0].details["line"] == line
    assert "optimizer.zero_grad()" in told[0].summary
    errors = capsys.readouterr().err
    assert errors.count("missing-zero-grad") == 1
    assert f"test_watch.py:{line}" in errors
    assert w.diagnosis.top == told[0]


def test_a_diagnosis_of_a_watched_run_is_saved_and_read_like_any_other(tmp_path: Path) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with tdx.watch(model, optimizer, quiet=True, strict=True) as w:
        for _ in range(5):
            loss = model(torch.randn(4, 8)).square().mean()
            loss.backward()
            optimizer.step()
            w.step(loss)
    page = w.diagnosis.save(tmp_path / "watched.html").read_text()
    assert "missing-zero-grad" in page and "optimizer.zero_grad()" in page
    assert tdx.Diagnosis.model_validate_json(w.diagnosis.save(tmp_path / "watched.json").read_text()).top == w.diagnosis.top


def test_a_watch_that_saw_no_update_or_switched_itself_off_says_so() -> None:
    model = network()
    with tdx.watch(model, torch.optim.SGD(model.parameters())) as unreported:
        pass
    assert "no update was reported" in unreported.diagnosis.sentence
    with tdx.watch(model, torch.optim.SGD(model.parameters())) as broken:
        broken.step(1.0)
        broken.step("no loss")  # type: ignore[arg-type]
    assert broken.diagnosis.sentence.startswith("Nothing suspicious was seen in 1 update;")
    assert "switched itself off after 1 update (ValueError: " in broken.diagnosis.sentence


def test_a_watch_has_no_cost_of_experiments(tmp_path: Path) -> None:
    w = train(network(), quiet)
    assert w is not None
    assert "baseline run" not in str(w.diagnosis)
    assert "0 baseline run" not in w.diagnosis.save(tmp_path / "watched.html").read_text()


@pytest.mark.parametrize(
    ("argument", "found"), [("optimizer", 3), ("optimizer", []), ("overhead", 0.0), ("model", "a name"), ("loss_fn", nn.MSELoss)]
)
def test_what_cannot_be_watched_is_refused(argument: str, found: Any) -> None:
    model = network()
    given: dict[str, Any] = {"model": model, "optimizer": torch.optim.SGD(model.parameters()), argument: found}
    with pytest.raises(InputError, match=argument):
        tdx.watch(**given)
