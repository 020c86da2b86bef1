"""Trainings of every kind: compiled, scaled, distributed, with closures, several optimizers, sparse gradients; and the budget of a watch."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, nn

import traindx as tdx
from traindx.watching import Watch
from traindx.watching.budget import FIRST_LOOKS, FOR_LOOKS, Budget

STEPS = 30


def rows() -> tuple[Tensor, Tensor]:
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0).long()


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))


def equal(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


def watched(model: nn.Module, optimizer: Any, **options: Any) -> Watch:
    return tdx.watch(model, optimizer, nn.CrossEntropyLoss(), quiet=True, strict=True, **options)


# --- Kinds of training -------------------------------------------------------------------------------------------------------------


def plain_loop(model: nn.Module, w: Watch | None, optimizer: torch.optim.Optimizer, zero: bool = True) -> None:
    x, y = rows()
    for _ in range(STEPS):
        if zero:
            optimizer.zero_grad()
        outputs = model(x)
        loss = nn.functional.cross_entropy(outputs, y)
        loss.backward()
        optimizer.step()
        if w:
            w.step(loss, outputs, y)


@pytest.mark.parametrize("zero", [True, False])
def test_a_compiled_model(zero: bool) -> None:
    module = network()
    compiled = torch.compile(module, backend="aot_eager")
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    torch._dynamo.reset()
    with watched(compiled, optimizer) as w:
        plain_loop(compiled, w, optimizer, zero)
    assert [f.cause for f in w.findings] == ([] if zero else ["missing-zero-grad"])
    assert w.run.curves["gradient_norm"].steps[:3] == (1, 2, 3)
    other = network()
    compiled = torch.compile(other, backend="aot_eager")
    plain_loop(compiled, None, torch.optim.SGD(other.parameters(), lr=0.05), zero)
    assert equal(module, other)


def test_a_compiled_model_is_not_compiled_again() -> None:
    module = network()
    graphs: list[Any] = []

    def counting(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    compiled = torch.compile(module, backend=counting)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    with watched(compiled, optimizer, overhead=1.0) as w:
        for _ in range(5):  # past the first updates, and past a look after them
            plain_loop(compiled, w, optimizer)
    assert len(w.run.curves["gradient_norm"]) > len(FIRST_LOOKS)
    assert len(graphs) == 1


def test_an_optimizer_with_a_closure() -> None:
    x, y = rows()
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss

    with watched(model, optimizer) as w:
        for _ in range(STEPS):
            w.step(optimizer.step(closure))
    assert w.findings == ()


def test_two_optimizers_share_the_parameters() -> None:
    x, y = rows()
    model = network()
    optimizers = [torch.optim.SGD(model[0].parameters(), lr=0.05), torch.optim.Adam(model[2].parameters())]
    with watched(model, optimizers) as w:
        for _ in range(STEPS):
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            w.step(loss)
    assert w.findings == ()
    assert w.run.steps == STEPS


def test_a_second_optimizer_that_nobody_watches_is_no_finding() -> None:
    x, y = rows()
    model = network()
    first, second = torch.optim.SGD(model[0].parameters(), lr=0.05), torch.optim.SGD(model[2].parameters(), lr=0.05)
    with watched(model, first) as w:
        for _ in range(STEPS):
            model.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            first.step()
            second.step()
            w.step(loss)
    assert w.findings == ()


def test_gradients_cleared_through_data_are_cleared() -> None:
    x, y = rows()
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for _ in range(STEPS):
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad.data.zero_()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            w.step(loss)
    assert w.findings == ()


def test_sparse_gradients() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 8, sparse=True), nn.Flatten(), nn.Linear(24, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for _ in range(STEPS):
            optimizer.zero_grad()
            words = torch.randint(0, 10, (16, 3))
            outputs = model(words)
            loss = nn.functional.cross_entropy(outputs, words[:, 0] % 2)
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, words[:, 0] % 2)
    assert w.findings == ()


def test_a_frozen_trained_part_and_a_pooler_that_nobody_uses_are_no_findings() -> None:
    class Tuned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.pooler, self.head = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 2)
            with torch.no_grad():
                self.body.weight.mul_(1.7)
            self.body.requires_grad_(False)
            self.middle = nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            features = torch.relu(self.middle(torch.relu(self.body(x))))
            self.pooler(features)
            return self.head(features)

    torch.manual_seed(0)
    model = Tuned()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    with watched(model, optimizer) as w:
        plain_loop(model, w, optimizer)
    assert w.findings == ()


@pytest.mark.parametrize("zero", [True, False])
def test_a_model_that_is_copied_and_saved_while_it_is_watched(zero: bool, tmp_path: Path) -> None:
    model, saved = network(), tmp_path / "model.pt"
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = rows()
    with watched(model, optimizer) as w:
        for _ in range(STEPS):
            if zero:
                optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            w.step(loss)
            torch.save(model, saved)
            w.loop.evaluations.clear()
            teacher = copy.deepcopy(model)
            teacher(x)
            torch.load(saved, weights_only=False)(x)
            assert w.loop.evaluations == []  # others than the watched model are not watched
        assert b"traindx" not in saved.read_bytes()
    assert [f.cause for f in w.findings] == ([] if zero else ["missing-zero-grad"])


def test_only_the_loss_as_a_number() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = rows()
    with tdx.watch(model, optimizer, quiet=True, strict=True) as w:
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            w.step(loss.item())
    assert w.findings == ()
    assert len(w.run.curves["batch_loss"]) == STEPS


# --- Two processes -----------------------------------------------------------------------------------------------------------------


def process(rank: int, folder: str, defective: bool) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    told: list[str] = []
    for watch in (True, False):
        model = nn.parallel.DistributedDataParallel(network())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        x, y = (part[rank::2] for part in rows())
        w = tdx.watch(model, optimizer, strict=True, on_alert=lambda f: told.append(f.cause)).__enter__() if watch else None
        for _ in range(STEPS):
            if not defective:
                optimizer.zero_grad()
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
            loss.backward()
            optimizer.step()
            if w:
                w.step(loss, outputs, y)
        if w:
            w.close()
        torch.save(model.module.state_dict(), f"{folder}/{rank}-{watch}.pt")
    Path(folder, f"{rank}.txt").write_text(",".join(told))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("defective", [True, False])
def test_data_parallel_training_in_two_processes(defective: bool, capfd: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(process, (folder, defective), nprocs=2)
        for rank in (0, 1):
            states = [torch.load(f"{folder}/{rank}-{watch}.pt", weights_only=True) for watch in (True, False)]
            assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
            assert Path(folder, f"{rank}.txt").read_text() == ("missing-zero-grad" if defective else "")
    assert capfd.readouterr().err.count("suspected missing-zero-grad") == defective  # the first process writes


# --- The budget --------------------------------------------------------------------------------------------------------------------


def looks(share: float, step_s: float, look_s: float, steps: int) -> tuple[int, float]:
    """How many of so many updates are looked at, and the share of the training's time spent, with a clock by hand."""
    now = 0.0
    budget = Budget(share, lambda: now)
    looked = 0
    for step in range(steps):
        if budget.affords_look(step):
            looked += 1
            budget.look_begins(step)
            now += look_s
            budget.spent += look_s
            budget.look_ends()
        now += step_s
    return looked, budget.spent / budget.training_seconds


@pytest.mark.parametrize(("step_s", "look_s"), [(5e-4, 2e-3), (5e-3, 4e-3), (2.5e-2, 5e-3)])
def test_the_budget_is_kept_by_looking_less(step_s: float, look_s: float) -> None:
    looked, spent = looks(0.05, step_s, look_s, 4000)
    assert spent <= 0.05 + 1e-9
    assert looked > len(FIRST_LOOKS)


def test_late_looks_take_a_tenth_of_the_budget() -> None:
    step_s, look_s, steps = 5e-3, 4e-3, 4000
    looked, _ = looks(0.05, step_s, look_s, steps)
    late = (looked - len(FIRST_LOOKS)) * look_s
    assert 0.9 * FOR_LOOKS * 0.05 * steps * step_s < late <= FOR_LOOKS * 0.05 * steps * step_s


def test_what_is_cheap_is_looked_at_more_often_and_a_long_run_not_without_end() -> None:
    dear, _ = looks(0.05, 1e-3, 1e-2, 2000)
    cheap, _ = looks(0.05, 1e-3, 1e-5, 2000)
    assert dear < cheap < 400


def test_losses_that_are_not_finite_are_noticed_whatever_the_budget() -> None:
    model = network()
    x, y = rows()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer, overhead=1e-9) as w:
        for step in range(60):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y) + (torch.inf if step == 55 else 0.0)
            loss.backward()
            optimizer.step()
            w.step(loss)
    assert [f.cause for f in w.findings] == ["non-finite-loss"]
    assert w.run.outcome is tdx.Outcome.DIVERGED
    assert "at step 56" in w.run.reason


def test_memory_that_was_never_written_is_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)  # what a dropout has asked for and not yet written is then NaN
    try:
        model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.Linear(16, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        x, y = rows()
        with watched(model, optimizer) as w:
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y) * torch.log(torch.tensor(-1.0))
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y)
    finally:
        torch.use_deterministic_algorithms(False)
    (finding,) = w.findings
    assert finding.cause == "non-finite-loss" and "empty" not in finding.summary
    assert "the loss is not finite, although the weights of the model were" in finding.summary  # before the update that spoilt them


@pytest.mark.parametrize("build", [lambda: nn.LSTM(4, 8, batch_first=True), lambda: nn.MultiheadAttention(8, 2, batch_first=True)])
def test_layers_that_return_tuples(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    layer = build()
    x = torch.randn(16, 5, 4 if isinstance(layer, nn.LSTM) else 8)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05)
    with tdx.watch(layer, optimizer, quiet=True, strict=True) as w:
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = (layer(x) if isinstance(layer, nn.LSTM) else layer(x, x, x))[0].square().mean()
            loss.backward()
            optimizer.step()
            w.step(loss)
    assert w.findings == ()


# --- Hooks that come and go ----------------------------------------------------------------------------------------------------------


def hooks(model: nn.Module, *optimizers: torch.optim.Optimizer) -> int:
    """How many there are, on modules, parameters and optimizers."""
    on_modules = sum(len(m._forward_hooks) for m in model.modules())
    on_parameters = sum(len(p._post_accumulate_grad_hooks or ()) for p in model.parameters())
    return on_modules + on_parameters + sum(len(o._optimizer_step_pre_hooks) + len(o._optimizer_step_post_hooks) for o in optimizers)


def updated(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Tensor, Tensor, Tensor]:
    x, y = rows()
    optimizer.zero_grad()
    outputs = model(x)
    loss = nn.functional.cross_entropy(outputs, y)
    loss.backward()
    optimizer.step()
    return loss, outputs, y


def test_reports_from_a_hook_of_the_optimizer_do_not_stop_the_training() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watched(model, optimizer) as w:
        mine = optimizer.register_step_post_hook(lambda *_: w.step(1.0))
        for _ in range(300):
            updated(model, optimizer)
        mine.remove()
    assert w.run.steps == 300 and hooks(model, optimizer) == 0


def test_a_watch_that_is_entered_again_finds_nothing_in_a_sound_loop() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    w = watched(model, optimizer)
    for _ in range(3):
        with w:
            for _ in range(20):
                w.step(*updated(model, optimizer))
    assert w.findings == () and hooks(model, optimizer) == 0


def test_no_hook_of_a_look_outlives_it_where_no_update_came() -> None:
    model = network()
    x, y = rows()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    most = 0
    with watched(model, optimizer, overhead=1.0) as w:
        for i in range(200):
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y) / 4
            loss.backward()
            if i % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
            w.step(loss, outputs, y)
            most = max(most, len(model[0]._forward_hooks))
    assert most <= 1 and hooks(model, optimizer) == 0


def test_a_watch_that_an_alert_ends_leaves_nothing() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    ended: list[tdx.Finding] = []
    w = tdx.watch(model, optimizer, quiet=True, on_alert=lambda finding: (ended.append(finding), w.close()))
    with w:
        for _ in range(5):
            updated(model, optimizer)
            w.step(float("nan"))
        assert ended and hooks(model, optimizer) == 0


def test_the_sum_of_halves_is_no_alarm() -> None:
    half = nn.Linear(8, 2).half()
    optimizer = torch.optim.SGD(half.parameters(), 0.0)
    with watched(half, optimizer) as w:
        for _ in range(3):
            for p in half.parameters():
                p.grad = torch.full_like(p, 30_000.0)
            optimizer.step()
            w.step(1.0)
    assert "non-finite-loss" not in {f.cause for f in w.findings}


def test_what_a_scaler_has_a_fused_optimizer_skip_is_no_alarm() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    with watched(model, optimizer) as w:
        for _ in range(3):
            for p in model.parameters():
                p.grad = torch.full_like(p, float("inf"))
            optimizer.grad_scale, optimizer.found_inf = torch.tensor(65536.0), torch.tensor(1.0)  # as torch.amp.GradScaler sets them
            optimizer.step()
            del optimizer.grad_scale, optimizer.found_inf
            w.step(1.0)
    assert "non-finite-loss" not in {f.cause for f in w.findings}


def test_rows_that_are_not_finite_are_told_where_the_training_ends_before_its_report() -> None:
    model = network()
    x, y = rows()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(KeyboardInterrupt), watched(model, optimizer) as w:
        w.step(*updated(model, optimizer))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x * float("nan")), y).backward()
        optimizer.step()
        raise KeyboardInterrupt
    assert next(f.cause for f in w.findings) == "non-finite-data"
