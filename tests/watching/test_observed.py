"""A diagnosis that starts from a watched run: the sound loop decides whether what was seen is to blame."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

import traindx as tdx
from traindx.records import Branch, Curve, Run, Standing
from traindx.watching.observed import SUPERIORITY, with_observed

RECIPE = tdx.Recipe(lr=0.1, momentum=0.9, batch_size=32, epochs=12)


def rows() -> tuple[Tensor, Tensor]:
    x = torch.randn(320, 8, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + x[:, 1] > 0).long()


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))


def task() -> tdx.Task:
    return tdx.Task(network, nn.CrossEntropyLoss(), rows())


@functools.cache
def diagnosed() -> tdx.Diagnosis:
    return tdx.diagnose(task(), RECIPE, budget=2)


def watched(harm: str) -> Run:
    """The same training in a loop that never clears its gradients; ``harm`` says what else it does about that."""
    torch.manual_seed(0)
    x, y = rows()
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum)
    loss_fn = nn.CrossEntropyLoss()
    with tdx.watch(model, optimizer, loss_fn, quiet=True, strict=True) as w:
        for index in torch.randint(0, len(x), (100, 32)):
            if harm == "none":
                for parameter in model.parameters():
                    parameter.grad = None if parameter.grad is None else 1e-9 * torch.ones_like(parameter.grad)
            loss = loss_fn(model(x[index]), y[index]) * (-1 if harm == "sign" else 1)
            if harm == "sign":
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss)
    return w.run


@pytest.mark.parametrize(("harm", "cause"), [("", "missing-zero-grad"), ("sign", "loss-sign-flipped")])
def test_a_defect_is_confirmed_where_a_sound_loop_gets_lower(harm: str, cause: str) -> None:
    diagnosis = with_observed(diagnosed(), watched(harm))
    assert diagnosis.top is not None
    assert (diagnosis.top.cause, diagnosis.top.standing) == (cause, Standing.CONFIRMED)
    assert diagnosis.branch is Branch.DEFECT
    gain = diagnosis.top.evidence[1]
    assert gain.threshold is not None and gain.value > gain.threshold
    assert diagnosis.path[0].answer == "yes"
    assert cause.replace("-", " ") in diagnosis.sentence


def test_a_defect_is_cleared_where_a_sound_loop_gets_no_lower() -> None:
    run = watched("none")
    seen = run.replace(curves={**run.curves, "watch/missing-zero-grad": Curve(steps=(3,), values=(1.0,))})
    diagnosis = with_observed(diagnosed(), seen)
    found = next(f for f in diagnosis.findings if f.cause == "missing-zero-grad")
    assert found.standing is Standing.CLEARED
    assert diagnosis.branch is diagnosed().branch
    assert diagnosis.path[0].answer == "no"


def test_a_loop_whose_losses_swing_is_at_fault_where_they_end_far_above() -> None:
    run, steps = watched("none"), len(watched("none").curves["batch_loss"])
    swinging = Curve(steps=tuple(range(1, steps + 1)), values=tuple(0.0 if i % 3 == 0 else 3.0 for i in range(steps)))
    seen = run.replace(curves={**run.curves, "batch_loss": swinging, "watch/missing-zero-grad": Curve(steps=(3,), values=(1.0,))})
    diagnosis = with_observed(diagnosed(), seen)
    assert diagnosis.top is not None and diagnosis.top.cause == "missing-zero-grad"
    assert float(diagnosis.top.evidence[1].details["superiority"]) < SUPERIORITY


def test_what_is_in_the_model_itself_is_not_cleared_by_another_loop() -> None:
    run = watched("none")
    seen = run.replace(curves={**run.curves, "watch/detached-graph": Curve(steps=(2,), values=(1.0,))})
    diagnosis = with_observed(diagnosed(), seen)
    found = [f for f in diagnosis.findings if f.cause == "detached-graph"]
    assert [f.standing for f in found] == [Standing.SUSPECTED]
    assert "the model and the data are the same" in found[0].summary


def test_diagnose_takes_an_observed_run() -> None:
    diagnosis = tdx.diagnose(task(), RECIPE, budget=1, observed=watched(""))
    assert diagnosis.top is not None and diagnosis.top.cause == "missing-zero-grad"
    assert diagnosis.task is not None
    assert "missing-zero-grad" in str(diagnosis)
