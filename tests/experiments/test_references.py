"""Reference models are judged on rows that they have not seen, on the user's own loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_labs import Net, answer, dict_task, digits, lab_for, vectors_task
from torch import Tensor, nn
from torch.nn import functional as F

from traindx.diagnosis.reading import REFERENCES
from traindx.experiments.references import LEAST, MAX_ROWS, MAX_TARGETS, SMOOTHING, as_outputs, narrowest, out_of_fold, reference_rows
from traindx.records import Evidence
from traindx.tasks import Form, Kind, Task, find_form, number_form
from traindx.tasks.features import MAX_FEATURES, Features


def losses(task: Task) -> dict[str, float]:
    return {e.subject: e.value for e in answer(lab_for(task), "references") if e.measure == "out_of_fold_loss"}


def three_digits(loss: Callable[[Tensor, Tensor], Tensor] | None = None) -> Task:
    """Zeros, ones and twos."""
    x, y = digits(600)
    return Task(Net(64, 16, 3), loss or nn.CrossEntropyLoss(), (x[y < 3], y[y < 3]))


@pytest.fixture(scope="module")
def on_digits() -> tuple[Evidence, ...]:
    return answer(lab_for(three_digits()), "references")


def noise(rows: int = 300, width: int = 5, classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs that say nothing of their labels."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)).astype(np.float32), rng.integers(0, classes, rows)


# --- Out of fold -------------------------------------------------------------------------------------------------------------------


def test_a_memorizing_predictor_stays_at_chance_on_random_labels() -> None:
    task = vectors_task(*noise())
    sample = reference_rows(task)
    assert sample is not None

    def by_heart(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
        known = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
        return np.eye(2)[[known.get(row.tobytes(), 0) for row in held]]

    features, targets, form = sample
    seen = by_heart(features, targets.numpy(), features).argmax(1)
    assert (seen == targets.numpy()).all(), "it learns everything by heart"
    unseen = out_of_fold(task, by_heart, features, targets, form).argmax(1)
    assert (unseen == 0).all(), "it is only asked for rows that it has not seen"


def test_no_reference_beats_chance_on_random_labels() -> None:
    for seed in range(2):
        found = losses(vectors_task(*noise(seed=seed)))
        assert min(found.values()) > math.log(2) - 0.03
        assert len(found) == 5


def test_references_find_what_is_there(on_digits: tuple[Evidence, ...]) -> None:
    found = {(e.measure, e.subject): e.value for e in on_digits}
    assert found["out_of_fold_metric", "constant"] < 0.6 and found["out_of_fold_metric", "linear"] > 0.9
    assert found["out_of_fold_loss", "linear"] < 0.5 * found["out_of_fold_loss", "constant"]
    assert {e.subject for e in on_digits} == {"constant", *REFERENCES} - {"convolutional-network"}


def test_equal_in_two_calls(on_digits: tuple[Evidence, ...]) -> None:
    assert answer(lab_for(three_digits()), "references") == on_digits


def test_nothing_is_drawn_from_the_global_random_states() -> None:
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    answer(lab_for(vectors_task(*noise())), "references")
    assert (np.random.get_state()[1] == before[0]).all() and torch.equal(torch.get_rng_state(), before[1])


# --- The constant predictor --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.6, 0.3, 0.1)])
def test_the_constant_predictor_pays_the_entropy(shares: tuple[float, ...]) -> None:
    rows = 1000
    x, _ = noise(rows)
    y = np.repeat(np.arange(len(shares)), [round(share * rows) for share in shares])
    entropy = -sum(share * math.log(share) for share in shares)
    found = losses(vectors_task(x, y, len(shares), validation=(x, y)))
    assert found["constant"] == pytest.approx(entropy, abs=2 * SMOOTHING)
    assert found["constant"] >= entropy - 1e-6


def test_the_constant_predictor_of_numbers_pays_the_variance() -> None:
    x, _ = noise()
    y = np.random.default_rng(1).normal(3, 2, len(x)).astype(np.float32)[:, None]
    found = losses(vectors_task(x, y, 1, nn.MSELoss(), validation=(x, y)))
    assert found["constant"] == pytest.approx(float(y.var()), rel=0.02)


def test_the_constant_predictor_of_distances_is_the_median() -> None:
    x, _ = noise()
    y = np.random.default_rng(1).exponential(1, len(x)).astype(np.float32)[:, None]
    found = losses(vectors_task(x, y, 1, nn.L1Loss(), validation=(x, y)))
    assert found["constant"] == pytest.approx(float(np.abs(y - np.median(y)).mean()), rel=0.02)


def test_the_interval_holds_the_loss(on_digits: tuple[Evidence, ...]) -> None:
    for found in on_digits:
        if found.measure == "out_of_fold_loss":
            assert found.low is not None and found.high is not None and found.low < found.value < found.high


# --- Inputs and targets of many forms ----------------------------------------------------------------------------------------------


def test_wide_inputs_are_projected() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 500)).astype(np.float32))
    assert Features(x)(x).shape == (200, MAX_FEATURES)
    assert Features(x[:, :10])(x[:, :10]).shape == (200, 10)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    wide = (rng.normal(size=(300, 400)) + y[:, None]).astype(np.float32)
    assert min(losses(vectors_task(wide, y)).values()) < 0.2


def test_tokens_are_counted() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    tokens = np.where(rng.random((300, 12)) < 0.5, rng.integers(0, 40, (300, 12)), 40 + y[:, None])
    task = Task(lambda: nn.Sequential(nn.Embedding(42, 4), nn.Flatten(), nn.Linear(48, 2)), nn.CrossEntropyLoss(), (tokens, y))
    assert min(losses(task).values()) < 0.2


def test_no_more_rows_than_need_be() -> None:
    x, y = noise(MAX_ROWS + 800, 2)
    sample = reference_rows(vectors_task(x, y, validation=(x[:50], y[:50])))
    assert sample is not None and len(sample[1]) == MAX_ROWS


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss(), nn.BCELoss()])
def test_one_output_for_two_classes(shape: tuple[int, ...], loss: nn.Module) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    x = (rng.normal(size=(400, 3)) + 3 * y[:, None]).astype(np.float32)

    def build() -> nn.Module:
        last: list[nn.Module] = [nn.Sigmoid()] if isinstance(loss, nn.BCELoss) else []
        return nn.Sequential(nn.Linear(3, 1), *([nn.Flatten(0)] if len(shape) == 1 else []), *last)

    found = losses(Task(build, loss, (x, y.astype(np.float32).reshape(shape))))
    assert found["constant"] == pytest.approx(math.log(2), abs=0.01)
    assert found["linear"] < 0.15


def test_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5] * 100 + 1000 + rng.normal(size=400)).astype(np.float32)[:, None]
    found = losses(vectors_task(x, y, 1, nn.MSELoss()))
    assert found["linear"] == pytest.approx(1.0, abs=0.4), "the variance of the noise"
    assert found["constant"] > 1e4


def test_several_numbers_a_row() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    y = (x @ rng.normal(size=(5, 3)) * [1, 10, 100] + [0, 5, 1000]).astype(np.float32)
    found = losses(vectors_task(x, y, 3, nn.MSELoss()))
    assert set(found) == {"constant", *REFERENCES} - {"convolutional-network"}
    assert found["constant"] == pytest.approx(float(y.var(0).mean()), rel=0.05)
    assert found["linear"] < 1e-3 * found["constant"]


def test_many_numbers_a_row_are_left_to_the_cheap_references() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = np.sin(x @ rng.normal(size=(5, 100))).astype(np.float32)
    assert set(losses(vectors_task(x, y, 100, nn.MSELoss()))) == {"constant", "linear", "nearest-neighbours"}


@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss(), nn.BCELoss(), nn.MSELoss()])
def test_several_labels_a_row(loss: nn.Module) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 6)) > 0).astype(np.float32)
    task = vectors_task(x, y, 6, loss)
    assert task.kind is Kind.MULTILABEL
    found = losses(task)
    assert found["small-network"] < 0.6 * found["constant"]
    if not isinstance(loss, nn.MSELoss):
        assert found["constant"] == pytest.approx(math.log(2), abs=0.02)


def test_an_autoencoder_is_held_against_principal_components_as_many_as_its_code_is_wide() -> None:
    x, _ = digits(400)
    task = Task(lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 7), nn.Linear(7, 64)), nn.MSELoss(), (x, x.copy()))
    assert narrowest(task) == 7
    found = losses(task)
    assert set(found) == {"constant", "linear"}
    rows = task.train.inputs
    assert rows is not None
    centred = (rows - rows.mean(0)).double().numpy()
    left = (np.linalg.svd(centred, compute_uv=False)[7:] ** 2).sum() / centred.size
    assert left < found["linear"] < 1.2 * left, "out of fold a little more than in it"


def test_an_autoencoder_without_a_narrow_layer_has_no_reference_but_the_constant() -> None:
    x, _ = digits(100)
    assert set(losses(Task(lambda: nn.Linear(64, 64), nn.MSELoss(), (x, x.copy())))) == {"constant"}


# --- Declines ----------------------------------------------------------------------------------------------------------------------


def refusal(task: Task) -> Evidence:
    return next(e for e in answer(lab_for(task), "references") if e.measure == "not-applicable")


def test_declines_batches_of_any_structure() -> None:
    assert "not plain arrays" in refusal(dict_task()).text


def test_declines_more_numbers_a_row_than_it_can_predict_and_targets_that_are_missing() -> None:
    x, _ = noise(60)
    assert refusal(vectors_task(x, np.zeros((60, MAX_TARGETS + 1), np.float32), MAX_TARGETS + 1, nn.MSELoss()))
    broken = x[:, :1].copy()
    broken[3] = np.nan
    assert refusal(vectors_task(x, broken, 1, nn.MSELoss()))


def test_declines_a_loss_that_takes_the_outputs_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)

    def of_mean_and_variance(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs[:, 1:] + (targets - outputs[:, :1]) ** 2 / outputs[:, 1:].exp()).mean()

    task = vectors_task(x, x[:, :1].copy(), 2, of_mean_and_variance)
    assert refusal(task)
    found = answer(lab_for(task), "baseline")
    assert any(e.measure == "validation_loss" and math.isfinite(e.value) for e in found), "nobody asked for the metric of its kind"


def test_declines_a_single_class() -> None:
    x, _ = noise(60)
    assert refusal(vectors_task(x, np.zeros(60, np.int64)))


def test_the_constant_is_known_where_the_targets_are() -> None:
    class Ragged(torch.utils.data.Dataset):
        targets = np.arange(500) % 2

        def __len__(self) -> int:
            return 500

        def __getitem__(self, index: int) -> tuple[dict[str, Tensor], int]:
            return {"x": torch.ones(3)}, int(self.targets[index])

    task = Task(Net(3, 4, 2), nn.CrossEntropyLoss(), Ragged(), forward=lambda m, b: (m(b[0]["x"]), b[1]))
    found = losses(task)
    assert set(found) == {"constant"} and found["constant"] == pytest.approx(math.log(2), abs=0.02)


# --- The form that an unknown loss expects -----------------------------------------------------------------------------------------


def focal(outputs: Tensor, targets: Tensor) -> Tensor:
    log_p = outputs.log_softmax(1).gather(1, targets[:, None])[:, 0]
    return -((1 - log_p.exp()) ** 2 * log_p).mean()


def brier(outputs: Tensor, targets: Tensor) -> Tensor:
    if bool((outputs < 0).any()):
        raise ValueError("needs probabilities")
    return (outputs - F.one_hot(targets, outputs.shape[1])).square().sum(1).mean()


def blind(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.sum() * 0 + 1


@pytest.mark.parametrize(("loss", "form"), [(focal, Form.LOGITS), (brier, Form.PROBABILITIES), (blind, Form.UNKNOWN)])
def test_an_unknown_loss_is_known_by_what_it_does(loss: Callable[[Tensor, Tensor], Tensor], form: Form) -> None:
    assert find_form(loss, Kind.CLASSIFICATION, torch.arange(30) % 3, False, 3) is form


def test_references_are_judged_on_the_users_own_loss() -> None:
    found = losses(three_digits(focal))
    assert min(found.values()) < 0.5 * found["constant"]
    assert refusal(three_digits(blind))


def test_outputs_keep_the_meaning_of_the_probabilities() -> None:
    task = vectors_task(*noise(40))
    targets = torch.arange(40) % 2
    p = np.full((40, 2), 0.5)
    outputs = as_outputs(task, p, targets, Form.LOGITS)
    assert outputs.softmax(1) == pytest.approx(torch.full((40, 2), 0.5))


# --- Counts ------------------------------------------------------------------------------------------------------------------------


def visits(rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Counts whose rate depends on what is known."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    return x, rng.poisson(np.exp(0.8 * x[:, 0] + 1.5))[:, None].astype(np.float32)


@pytest.mark.parametrize(
    ("loss", "form"),
    [
        (nn.MSELoss(), Form.NUMBERS),
        (nn.PoissonNLLLoss(log_input=False), Form.POSITIVE),
        (nn.PoissonNLLLoss(), Form.LOGARITHMS),
        (lambda o, t: (o - t).abs().pow(1.5).mean(), Form.NUMBERS),
        (lambda o, t: o.mean(), Form.UNKNOWN),
    ],
    ids=["distance", "rates", "their logarithms", "a distance of one's own", "no sense"],
)
def test_what_a_loss_of_numbers_wants(loss: Callable[[Tensor, Tensor], Tensor], form: Form) -> None:
    assert number_form(loss, torch.from_numpy(visits()[1])) is form


@pytest.mark.parametrize("log_input", [True, False])
def test_references_of_counts(log_input: bool) -> None:
    x, y = visits()
    found = losses(vectors_task(x, y, 1, nn.PoissonNLLLoss(log_input=log_input)))
    gap = found["constant"] - found[LEAST]
    assert gap > 0
    assert found["linear"] < found["constant"] - 0.5 * gap, "the logarithm of the rate is linear in what is known"
    assert all(value > found[LEAST] for name, value in found.items() if name != LEAST)


def test_numbers_far_from_a_prediction_are_no_wrong_labels_where_they_are_counts() -> None:
    x, y = visits()
    found = answer(lab_for(vectors_task(x, y, 1, nn.PoissonNLLLoss())), "label_noise")
    assert [e.measure for e in found] == ["not-applicable"]


def test_the_constant_is_judged_on_the_validation_rows_too() -> None:
    x = np.zeros((300, 2), dtype=np.float32)
    y = np.concatenate([np.zeros(200), np.full(100, 3.0)]).astype(np.float32)[:, None]
    task = Task(lambda: nn.Linear(2, 1), nn.MSELoss(), (x[:200], y[:200]), (x[200:], y[200:]))
    (found,) = (e for e in answer(lab_for(task), "references") if e.measure == "validation_loss")
    assert found.subject == "constant" and found.value == pytest.approx(9.0)
