"""Real trainings of Lightning, Hugging Face, skorch and Accelerate: a defect each, a correct twin, and weights that the watch leaves alone."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from traindx.integrations.base import Watching
from traindx.records import Finding, TraindxError
from traindx.watching import Watch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from watched_frameworks import CAUSES, Network, hf_train, lightning_fit, rows


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The frameworks warn of much; that is not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        yield


def causes(found: tuple[Finding, ...]) -> list[str]:
    return [f.cause for f in found]


def assert_right(found: tuple[Finding, ...], defect: str) -> None:
    assert causes(found)[:1] == ([CAUSES[defect]] if defect else [])
    assert all((f.evidence[0].step or 0) <= 50 for f in found[:1])


def equal(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


# --- Lightning ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("defect", ["", *CAUSES])
def test_lightning(defect: str, tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    _, callback = lightning_fit(tmp_path, defect)
    assert_right(callback.findings, defect)


def test_lightning_leaves_the_weights_alone_and_reports_validation(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    watched, callback = lightning_fit(tmp_path)
    plain, _ = lightning_fit(tmp_path, watched=False)
    assert equal(watched, plain)
    assert len(callback.run.curves["validation_loss"]) == 3
    assert callback.run.steps == 30


def test_lightning_reports_updates_under_accumulation(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    _, callback = lightning_fit(tmp_path, accumulate=5)
    assert callback.run.steps == 6
    assert causes(callback.findings) == []


# --- Hugging Face ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("defect", ["", *[d for d in CAUSES if d != "eval"]])
def test_hugging_face(defect: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    _, callback = hf_train(tmp_path, defect)
    assert_right(callback.findings, defect)


def test_hugging_face_leaves_the_weights_alone_and_reports_validation(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    watched, callback = hf_train(tmp_path)
    plain, _ = hf_train(tmp_path, watched=False)
    assert equal(watched, plain)
    assert len(callback.run.curves["validation_loss"]) == 3
    assert callback.run.steps == 30


# --- skorch ------------------------------------------------------------------------------------------------------------------------


def skorch_fit(defect: str = "", watched: bool = True, strict: bool = True) -> tuple[nn.Module, Any]:
    skorch = pytest.importorskip("skorch")
    from traindx.integrations.skorch import TraindxCallback

    torch.manual_seed(0)
    callback = TraindxCallback(quiet=True, strict=strict)
    net = skorch.NeuralNetClassifier(
        Network,
        module__defect=defect,
        criterion=nn.CrossEntropyLoss,
        lr=0.05,
        batch_size=16,
        max_epochs=3,
        verbose=0,
        callbacks=[callback] if watched else [],
    )
    net.fit(*(part.numpy() for part in rows()))
    return net.module_, callback


@pytest.mark.parametrize("defect", ["", "frozen", "detached", "root of zero"])
def test_skorch(defect: str) -> None:
    _, callback = skorch_fit(defect)
    assert_right(callback.findings, defect)


def test_skorch_leaves_the_weights_alone_and_its_callback_can_be_cloned() -> None:
    from sklearn.base import clone

    watched, callback = skorch_fit()
    plain, _ = skorch_fit(watched=False)
    assert equal(watched, plain)
    assert len(callback.run.curves["validation_loss"]) == 3
    assert clone(callback).get_params()["overhead"] == 0.05


# --- Accelerate --------------------------------------------------------------------------------------------------------------------


def accelerated(defect: str = "", watched: bool = True, strict: bool = True) -> tuple[nn.Module, Any]:
    accelerate = pytest.importorskip("accelerate")
    from traindx.integrations.accelerate import TraindxCallback

    torch.manual_seed(0)
    model: Any = Network(defect)
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.05)
    callback = TraindxCallback(model, optimizer, quiet=True, strict=strict)
    accelerator = accelerate.Accelerator(cpu=True, log_with=callback if watched else None)
    model, optimizer, loader = accelerator.prepare(model, optimizer, DataLoader(TensorDataset(*rows()), 16))
    accelerator.init_trackers("watched")
    for _ in range(3):
        for x, y in loader:
            if defect != "no zero_grad":
                optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            accelerator.log({"loss": loss})
        accelerator.log({"validation_loss": loss.item()})
    accelerator.end_training()
    return accelerator.unwrap_model(model), callback


@pytest.mark.parametrize(("defect", "cause"), [("", []), ("no zero_grad", ["missing-zero-grad"]), ("frozen", ["frozen-parameters"])])
def test_accelerate(defect: str, cause: list[str]) -> None:
    _, callback = accelerated(defect)
    assert causes(callback.findings) == cause
    assert callback.run.steps == 30


def test_accelerate_leaves_the_weights_alone() -> None:
    watched, callback = accelerated()
    plain, _ = accelerated(watched=False)
    assert equal(watched, plain)
    assert len(callback.run.curves["validation_loss"]) == 3


# --- Errors of the watch -----------------------------------------------------------------------------------------------------------


def broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("planted")


@pytest.mark.parametrize("method", ["begin", "step", "validate"])
@pytest.mark.parametrize("framework", ["lightning", "hf", "skorch", "accelerate"])
def test_an_error_of_the_watch_is_logged_once_and_the_training_goes_on(
    framework: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip({"hf": "transformers"}.get(framework, framework))

    def fit(watched: bool, **options: bool) -> nn.Module:
        if framework in ("skorch", "accelerate"):
            return (skorch_fit if framework == "skorch" else accelerated)(watched=watched, **options)[0]
        return (lightning_fit if framework == "lightning" else hf_train)(tmp_path, watched=watched, **options)[0]

    plain = fit(watched=False)
    monkeypatch.setattr(Watching if method == "begin" else Watch, method, broken)
    with caplog.at_level(logging.WARNING, logger="traindx"):
        trained = fit(watched=True, strict=False)
    assert [str(r.exc_info[1]) for r in caplog.records if r.name == "traindx" and r.exc_info] == ["planted"]
    assert equal(trained, plain)
    with pytest.raises(RuntimeError, match="planted"):
        fit(watched=True, strict=True)


def test_before_the_training_there_is_nothing_to_say() -> None:
    pytest.importorskip("transformers")
    from traindx.integrations.hf import TraindxCallback

    with pytest.raises(TraindxError, match="not begun"):
        _ = TraindxCallback().diagnosis
