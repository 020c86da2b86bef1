"""Tasks from Lightning, Hugging Face and skorch: what is learned is what the framework learns, and diagnose and treat work for it."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import traindx as tdx
from traindx.records import InputError
from traindx.tasks import ArrayRows, Kind

ROWS, FEATURES = 300, 8
RECIPE = tdx.Recipe(optimizer="sgd", lr=1e-4, batch_size=32, epochs=4)
"""A rate at which nothing is learned."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The frameworks warn of much; that is not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        yield


def rows(count: int = ROWS) -> tuple[Tensor, Tensor]:
    x = torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + x[:, 1] > 0).long()


def network(outputs: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, outputs))


def assert_slow_rate_is_found_and_mended(task: tdx.Task) -> None:
    diagnosis = tdx.diagnose(task, RECIPE, budget=8)
    assert diagnosis.top is not None
    assert (diagnosis.branch, diagnosis.top.cause) == (tdx.Branch.OPTIMIZATION, "learning-rate-too-low")
    treatment = tdx.treat(diagnosis, budget=20)
    assert treatment.recipe.lr > RECIPE.lr
    assert all(comparison.low > 0 for comparison in treatment.comparisons)


# --- Lightning ---------------------------------------------------------------------------------------------------------------------

pl = pytest.importorskip("lightning.pytorch")


class Lit(pl.LightningModule):  # type: ignore[misc,name-defined]
    def __init__(self, loss: str = "cross-entropy", manual: bool = False) -> None:
        super().__init__()
        self.network, self.kind = network(), loss
        self.automatic_optimization = not manual
        if loss == "smoothed":
            self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def training_step(self, batch: Any, index: int) -> Tensor:
        x, y = batch
        outputs = self(x)
        self.log("train_loss", outputs.mean())
        if self.kind == "needs its trainer":
            return F.cross_entropy(outputs, y) / self.trainer.max_epochs
        if self.kind == "smoothed":
            return self.criterion(outputs, y)
        if self.kind == "of its own":
            return F.cross_entropy(outputs, y) + 0.01 * outputs.square().mean()
        return F.cross_entropy(outputs, y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-4)


class Data(pl.LightningDataModule):  # type: ignore[misc,name-defined]
    def __init__(self, validation: bool = False) -> None:
        super().__init__()
        self.validation, self.stages = validation, []
        if validation:
            self.val_dataloader = lambda: DataLoader(TensorDataset(*rows(64)), batch_size=32)

    def setup(self, stage: str) -> None:
        self.stages.append(stage)
        self.data = TensorDataset(*rows())

    def train_dataloader(self) -> Any:
        return DataLoader(self.data, batch_size=32, shuffle=True)

    def test_dataloader(self) -> Any:
        return DataLoader(TensorDataset(*rows(50)), batch_size=32)


def test_lightning_a_common_loss_is_recognised() -> None:
    data = Data()
    task = tdx.Task.from_lightning(Lit, data, name="lit")
    assert isinstance(task.loss, nn.CrossEntropyLoss) and task.kind is Kind.CLASSIFICATION and task.name == "lit"
    assert (len(task.train), len(task.validation)) == (240, 60)
    assert task.test is not None and len(task.test) == 50
    assert data.stages == ["fit", "test"]


def test_lightning_the_modules_own_criterion_with_its_settings() -> None:
    module = functools.partial(Lit, "smoothed")
    task = tdx.Task.from_lightning(module, Data(validation=True))
    assert isinstance(task.loss, nn.CrossEntropyLoss) and task.loss.label_smoothing == 0.1
    assert len(task.validation) == 64 and task.validation_given


def test_lightning_a_loss_of_its_own_is_trained_as_it_is() -> None:
    task = tdx.Task.from_lightning(functools.partial(Lit, "of its own"), Data())
    assert task.kind is Kind.OTHER and task.metric is None
    run = tdx.train(task, RECIPE.replace(lr=0.1, epochs=5))
    assert run.outcome is tdx.Outcome.FINISHED
    model, batch = task.build(0), next(iter(task.train.batches([torch.arange(16)], torch.device("cpu"))))
    assert torch.equal(task.loss(*task.forward(model, batch)), model.training_step(batch, 0))
    assert run.curves["validation_loss"].last < 0.8 * run.curves["validation_loss"].values[0]


class OtherStep(Lit):
    def training_step(self, batch: Any, index: int) -> Tensor:
        return 2 * super().training_step(batch, index)


def test_lightning_another_step_is_another_task() -> None:
    first, second = (tdx.Task.from_lightning(functools.partial(kind, "of its own"), Data()) for kind in (Lit, OtherStep))
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint == tdx.Task.from_lightning(functools.partial(Lit, "of its own"), Data()).fingerprint


def test_lightning_diagnose_and_treat() -> None:
    assert_slow_rate_is_found_and_mended(tdx.Task.from_lightning(Lit, Data()))


def test_lightning_diagnose_a_loss_of_its_own() -> None:
    assert_slow_rate_is_found_and_mended(tdx.Task.from_lightning(functools.partial(Lit, "of its own"), Data()))


@pytest.mark.parametrize(
    ("module", "data", "argument"),
    [
        (Lit(), Data(), "module_factory"),
        (network, Data(), "module_factory"),
        (functools.partial(Lit, manual=True), Data(), "module_factory"),
        (functools.partial(Lit, "needs its trainer"), Data(), "module_factory"),
        (Lit, DataLoader(TensorDataset(*rows())), "datamodule"),
    ],
)
def test_lightning_what_cannot_be_rerun_is_refused(module: Any, data: Any, argument: str) -> None:
    with pytest.raises(InputError, match=argument):
        tdx.Task.from_lightning(module, data)


# --- Hugging Face ------------------------------------------------------------------------------------------------------------------

transformers = pytest.importorskip("transformers")


def sentences(count: int = ROWS) -> list[dict[str, Any]]:
    words = torch.randint(3, 20, (count, 6), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": w, "attention_mask": torch.ones(6, dtype=torch.long), "label": int(w[0] > 10), "text": "unused"} for w in words]


def bert(labels: int = 2) -> nn.Module:
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=8,
        num_labels=labels,
    )
    return transformers.BertForSequenceClassification(config)


class Mapped(nn.Module):
    """A model of the user's own that a Trainer takes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.network(x)
        return {"logits": logits} if labels is None else {"loss": F.cross_entropy(logits, labels), "logits": logits}


def dictionaries() -> list[dict[str, Any]]:
    return [{"x": x, "labels": y} for x, y in zip(*rows(), strict=True)]


def test_hf_a_classifier_of_sentences() -> None:
    task = tdx.Task.from_trainer(bert, sentences(), sentences(40))
    assert isinstance(task.loss, nn.CrossEntropyLoss) and task.kind is Kind.CLASSIFICATION
    assert len(task.validation) == 40
    run = tdx.train(task, tdx.Recipe(optimizer="adamw", lr=3e-3, batch_size=32, epochs=6))
    assert run.outcome is tdx.Outcome.FINISHED, run.reason
    assert run.curves["validation_metric"].last > 0.9


def test_hf_a_regressor_is_aligned_as_the_model_does() -> None:
    data = [{**row, "label": float(row["label"])} for row in sentences()]
    task = tdx.Task.from_trainer(functools.partial(bert, labels=1), data)
    assert isinstance(task.loss, nn.MSELoss) and task.kind is Kind.REGRESSION


def gpt() -> nn.Module:
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=20, n_positions=8, n_embd=16, n_layer=1, n_head=2))


def test_hf_a_language_model_computes_its_own_loss() -> None:
    data = [{"input_ids": row["input_ids"], "labels": row["input_ids"]} for row in sentences()]
    task = tdx.Task.from_trainer(gpt, data)
    assert task.kind is Kind.OTHER
    model, batch = task.build(0), next(iter(task.train.batches([torch.arange(16)], torch.device("cpu"))))
    with torch.no_grad():
        assert torch.equal(task.loss(*task.forward(model.eval(), batch)), model(batch[0], labels=batch[1]).loss)
    run = tdx.train(task, tdx.Recipe(optimizer="adamw", lr=3e-3, batch_size=32, epochs=3))
    assert run.outcome is tdx.Outcome.FINISHED, run.reason
    assert run.curves["train_loss"].last < run.curves["train_loss"].values[0]


def test_hf_a_collator_that_makes_the_labels() -> None:
    def masked(features: list[dict[str, Any]]) -> dict[str, Tensor]:
        words = torch.stack([f["input_ids"] for f in features])
        return {"input_ids": words, "labels": words.clone()}

    task = tdx.Task.from_trainer(gpt, [{"input_ids": row["input_ids"]} for row in sentences()], data_collator=masked)
    assert task.kind is Kind.OTHER
    assert tdx.train(task, RECIPE.replace(epochs=1)).outcome is tdx.Outcome.FINISHED


def test_hf_a_loss_function_of_the_trainers() -> None:
    def weighted(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        return F.cross_entropy(outputs["logits"], labels, weight=torch.tensor([1.0, 3.0]))

    task = tdx.Task.from_trainer(Mapped, dictionaries(), compute_loss_func=weighted)
    model, batch = task.build(0), next(iter(task.train.batches([torch.arange(16)], torch.device("cpu"))))
    assert torch.equal(task.loss(*task.forward(model, batch)), weighted(model(batch[0]), batch[1]))


def test_hf_diagnose_and_treat() -> None:
    task = tdx.Task.from_trainer(lambda trial: Mapped(), dictionaries())
    assert isinstance(task.train, ArrayRows)  # one feature of one shape: reference models can be trained
    assert_slow_rate_is_found_and_mended(task)


@pytest.mark.parametrize(
    ("model", "data", "argument"),
    [(Mapped(), dictionaries(), "model_init"), (Mapped, rows(), "train_dataset"), (Mapped, [], "train_dataset")],
)
def test_hf_what_cannot_be_rerun_is_refused(model: Any, data: Any, argument: str) -> None:
    with pytest.raises(InputError, match=argument):
        tdx.Task.from_trainer(model, data)


# --- skorch ------------------------------------------------------------------------------------------------------------------------

skorch = pytest.importorskip("skorch")


class Sized(nn.Module):
    def __init__(self, width: int = 16, outputs: int = 2, probabilities: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, outputs))
        self.probabilities = probabilities

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).softmax(1) if self.probabilities else self.layers(x)


def arrays() -> tuple[np.ndarray, np.ndarray]:
    x, y = rows()
    return x.numpy(), y.numpy()


def test_skorch_the_modules_parameters_and_the_criterion() -> None:
    net = skorch.NeuralNetClassifier(
        Sized, module__width=24, criterion=nn.CrossEntropyLoss, criterion__label_smoothing=0.1, max_epochs=1, verbose=0
    )
    task = tdx.Task.from_skorch(net, *arrays())
    assert isinstance(task.loss, nn.CrossEntropyLoss) and task.loss.label_smoothing == 0.1
    assert task.build(0).layers[0].out_features == 24
    assert not net.initialized_  # the user's net stays as it is


def test_skorch_probabilities_are_what_the_net_makes_of_them() -> None:
    x, y = rows()
    net = skorch.NeuralNetClassifier(Sized, module__probabilities=True, verbose=0)
    task = tdx.Task.from_skorch(net, *arrays())
    fitted = net.initialize()
    outputs = fitted.module_(x)
    assert torch.equal(task.loss(outputs, y), fitted.get_loss(outputs, y))
    assert task.kind is Kind.CLASSIFICATION


def test_skorch_two_classes_by_one_output() -> None:
    x, y = arrays()
    task = tdx.Task.from_skorch(skorch.NeuralNetBinaryClassifier(Sized, module__outputs=1), x, y.astype("float32"))
    batch = next(iter(task.train.batches([torch.arange(16)], torch.device("cpu"))))
    outputs, targets = task.forward(task.build(0), batch)
    assert outputs.shape == targets.shape == (16,)
    assert isinstance(task.loss, nn.BCEWithLogitsLoss)


def test_skorch_validation_rows_that_were_given() -> None:
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    x, y = arrays()
    net = skorch.NeuralNetClassifier(Sized, criterion=nn.CrossEntropyLoss, train_split=predefined_split(Dataset(x[:50], y[:50])))
    task = tdx.Task.from_skorch(net, x, y)
    assert (len(task.train), len(task.validation)) == (300, 50)


def test_skorch_inputs_by_name() -> None:
    class Named(Sized):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return super().forward(torch.cat([first, second], 1))

    x, y = arrays()
    net = skorch.NeuralNetClassifier(Named, criterion=nn.CrossEntropyLoss)
    task = tdx.Task.from_skorch(net, {"first": x[:, :3], "second": x[:, 3:]}, y)
    run = tdx.train(task, RECIPE.replace(lr=0.3))
    assert run.outcome is tdx.Outcome.FINISHED, run.reason
    assert run.curves["train_loss"].last < 0.5 * run.curves["train_loss"].values[0]


@pytest.mark.parametrize("probabilities", [False, True])
def test_skorch_diagnose_and_treat(probabilities: bool) -> None:
    criterion = nn.NLLLoss if probabilities else nn.CrossEntropyLoss
    net = skorch.NeuralNetClassifier(Sized, module__probabilities=probabilities, criterion=criterion)
    assert_slow_rate_is_found_and_mended(tdx.Task.from_skorch(net, *arrays()))


def test_skorch_what_is_no_net_is_refused() -> None:
    with pytest.raises(InputError, match="net"):
        tdx.Task.from_skorch(network(), *arrays())
