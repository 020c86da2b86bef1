"""Two draws of one distribution, shifted inputs, shifted proportions; and the seal of the test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_labs import RECIPE, DictRows, Net, answer, digits, digits_task, lab_for, named_forward, values, vectors_task
from torch import Tensor, nn

from traindx.diagnosis.rules.covariate_shift import AUC_BOUND
from traindx.diagnosis.rules.label_shift import DISTANCE_BOUND
from traindx.experiments.alignment import MOST_MAPS, _aucs_after
from traindx.experiments.domain import domain_auc
from traindx.records import Recipe
from traindx.remedies.alignments import FLEXIBLE, proposals
from traindx.remedies.match_test import MISMATCH
from traindx.store import MemoryStore
from traindx.tasks import Rows, SealedTest, Task
from traindx.tasks.features import Features

SHORT = RECIPE.replace(epochs=4)


def blobs(rows: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping classes, of which the second has this share."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < share).astype(np.int64)
    return (rng.normal(size=(rows, 3)) + 1.5 * y[:, None]).astype(np.float32), y


def compared(task: Task, recipe: Recipe = SHORT) -> dict[str, float]:
    return values(answer(lab_for(task, recipe), "two_sample"))


# --- The domain classifier ---------------------------------------------------------------------------------------------------------


def test_two_draws_of_one_distribution_look_alike() -> None:
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        auc, error = domain_auc(rng.normal(size=(300, 8)), rng.normal(size=(200, 8)))
        found.append(auc)
        assert abs(auc - 0.5) < 5 * error
        assert auc - 1.96 * error < AUC_BOUND
    assert abs(np.mean(found) - 0.5) < 0.05


def test_a_shift_is_seen_and_the_smaller_one_less() -> None:
    rng = np.random.default_rng(0)
    mine = rng.normal(size=(300, 8))
    aucs = [domain_auc(mine, rng.normal(size=(200, 8)) + shift)[0] for shift in (0.0, 0.3, 3.0)]
    assert aucs[0] < aucs[1] < aucs[2] and aucs[2] > 0.99


def test_a_shift_of_spread_alone_is_seen() -> None:
    rng = np.random.default_rng(0)
    assert domain_auc(rng.normal(size=(400, 4)), 3 * rng.normal(size=(300, 4)))[0] > 0.8


# --- Through the lab ---------------------------------------------------------------------------------------------------------------


def test_a_fair_test_set() -> None:
    found = compared(digits_task(500, test=digits(300, 500)))
    assert found["auc"] < AUC_BOUND and found["auc_within_classes"] < AUC_BOUND + 0.05
    assert found["label_distance"] < 2 * DISTANCE_BOUND
    assert found["shifted_features"] == 0
    assert 0 < found["test_metric"] <= 1 and found["test_loss"] > 0


def test_shifted_inputs() -> None:
    x, y = digits(300, 500)
    found = compared(digits_task(500, test=(1 - x, y)))
    assert found["auc"] > 0.99 and found["auc_within_classes"] > 0.95
    assert found["shifted_features"] > 0.3
    assert found["test_loss"] > 2 * compared(digits_task(500, test=(x, y)))["test_loss"]


def test_shifted_proportions_are_not_shifted_inputs() -> None:
    found = compared(vectors_task(*blobs(1000, 0.1, 0), test=blobs(500, 0.7, 1)))
    assert found["auc"] > AUC_BOUND
    assert abs(found["auc_within_classes"] - 0.5) < 0.08
    assert found["label_distance"] == pytest.approx(0.6, abs=0.06)
    assert found["reweighted_test_loss"] < found["test_loss"]


def test_a_class_that_training_never_saw() -> None:
    x, y = digits(500)
    known = y < 8
    task = Task(Net(), nn.CrossEntropyLoss(), (x[known], y[known]), test=digits(300, 500))
    found = next(e for e in answer(lab_for(task, SHORT), "two_sample") if e.measure == "label_distance")
    assert float(found.details["unseen_share"]) > 0.1


def test_another_coding_of_the_test_labels_is_read_back() -> None:
    x, y = digits(300, 500)
    found = compared(digits_task(500, test=(x, (y + 1) % 10)))
    assert found["auc"] < AUC_BOUND < found["auc_within_classes"]
    assert found["agreement_gain"] > 0.5
    assert found["repaired_test_loss"] < 0.2 * found["test_loss"]


def test_test_labels_drawn_at_random_agree_by_chance() -> None:
    x, y = digits(300, 500)
    found = compared(digits_task(500, test=(x, np.random.default_rng(0).permutation(y))))
    assert found["agreement"] < 0.2 and "repaired_test_loss" not in found


@pytest.mark.parametrize(("scale", "offset"), [(1000.0, 0.0), (-1.0, 0.0), (1.0, 20.0)])
def test_test_targets_in_other_units_are_read_back(scale: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 4)).astype(np.float32)
    y = (x.sum(1, keepdims=True) + 0.1 * rng.normal(size=(700, 1))).astype(np.float32)
    rows, test = (x[:500], y[:500]), (x[500:], scale * y[500:] + offset)
    found = compared(Task(Net(4, 8, 1), nn.MSELoss(), rows, test=test), SHORT.replace(lr=0.01))
    assert found["repaired_test_loss"] < 0.05 * found["test_loss"]


def test_sound_test_labels_are_not_read_otherwise() -> None:
    for test in (digits(300, 500), (1 - digits(300, 500)[0], digits(300, 500)[1])):
        assert "repaired_test_loss" not in compared(digits_task(500, test=test))


def measurements(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three columns of different shapes, of which the first and the third say the class."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    y = (x[:, 0] + x[:, 2] > 0).astype(np.int64)
    return np.stack([np.exp(x[:, 0]), x[:, 1], x[:, 2] + (x[:, 2] > 1)], 1).astype(np.float32), y


PIPELINES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "reordered": lambda x: x[:, [2, 0, 1]],
    "moments": lambda x: x * np.float32([1, 40, 1]) + np.float32([0, 7, 0]),
    "turned": lambda x: x * np.float32([1, 1, -1]),
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_another_pipeline_is_undone(kind: str) -> None:
    (x, y), (u, v) = measurements(1200, 0), measurements(600, 1)
    found = answer(lab_for(vectors_task(x, y, test=(PIPELINES[kind](u), v)), RECIPE), "two_sample")
    after, numbers = next(e for e in found if e.measure == "aligned_auc"), values(found)
    assert (after.details["kind"] == kind or kind == "moments") and after.value < AUC_BOUND < numbers["auc"]
    assert numbers["aligned_test_loss"] < numbers["test_loss"] / 2


def test_a_logarithm_is_undone_by_a_flexible_map() -> None:
    (x, y), (u, v) = measurements(1200, 0), measurements(600, 1)
    found = compared(vectors_task(x, y, test=(np.concatenate([np.log(u[:, :1]), u[:, 1:]], 1), v)), RECIPE)
    assert found["flexibly_aligned_auc"] < AUC_BOUND < found["aligned_auc"]
    assert found["flexibly_aligned_test_loss"] < found["test_loss"] / 2


def words(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Six of twenty words in a row, the earlier ones the commoner; the class is whether the first ten lead."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    first = rng.random((rows, 6)) < np.where(y, 0.8, 0.2)[:, None]
    word = np.minimum(rng.geometric(0.3, (rows, 6)) - 1, 9)
    return np.where(first, word, 10 + word), y


class Reader(nn.Module):
    """The mean of embeddings, of which there are exactly as many as words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(20, 8), nn.Linear(8, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.head(self.embedding(tokens).mean(1))
        return found


def test_tokens_that_the_network_has_no_place_for_are_mapped() -> None:
    (x, y), (u, v) = words(600, 0), words(300, 1)
    found = answer(lab_for(Task(Reader, nn.CrossEntropyLoss(), (x, y), test=(u + 1, v)), RECIPE), "two_sample")
    assert [(e.subject, e.text[:10]) for e in found if e.measure == "refused"] == [("inputs", "IndexError")]
    assert "test_loss" not in values(found) and values(found)["aligned_test_loss"] < 0.5


def test_bytes_are_mapped_to_the_numbers_that_training_has() -> None:
    x, y = digits(300, 500)
    found = compared(digits_task(500, test=((255 * x).astype(np.uint8), y)))
    assert found["aligned_auc"] < AUC_BOUND < found["auc"]
    assert found["aligned_test_loss"] < 1.3 * compared(digits_task(500, test=(x, y)))["test_loss"]


def test_what_is_said_of_a_map_does_not_depend_on_the_others() -> None:
    train, test = torch.from_numpy(measurements(400, 0)[0]), torch.from_numpy(measurements(300, 1)[0])[:, [2, 0, 1]]
    maps, features = proposals(train, test), Features(train)
    together = _aucs_after(maps, features, train, test)
    assert sum(kind not in FLEXIBLE for kind in together) == MOST_MAPS < len(together)
    kind = next(reversed(together))
    assert _aucs_after({kind: maps[kind]}, features, train, test)[kind] == together[kind]


def test_two_draws_are_not_aligned() -> None:
    (x, y), test = measurements(1200, 0), measurements(600, 1)
    assert not any("aligned" in measure for measure in compared(vectors_task(x, y, test=test)))


def test_a_true_shift_is_no_pipeline() -> None:
    """Rows from beyond what training knows: a flexible map makes the sets alike, and what it makes of the rows is wrong."""
    (x, y), (u, v) = measurements(3000, 0), measurements(3000, 1)
    inside, beyond = x[:, 0] < 1.0, u[:, 0] > 1.5
    inverse = np.abs(u[beyond, 2]) % 2 > 1  # what lies beyond follows a rule of its own
    found = compared(vectors_task(x[inside], y[inside], test=(u[beyond], np.where(inverse, 1 - v[beyond], v[beyond]))), RECIPE)
    for measure in ("aligned", "flexibly_aligned"):
        assert found.get(f"{measure}_test_loss", np.inf) > 0.5 * found["test_loss"]


def test_declines_without_a_test_set() -> None:
    lab = lab_for(digits_task(100))
    (found,) = answer(lab, "two_sample")
    assert (found.measure, found.text) == ("not-applicable", "there is no test set")
    assert not lab.runs


def test_batches_of_any_structure_have_a_test_loss_alone() -> None:
    task = Task(Net(), nn.CrossEntropyLoss(), DictRows(120), test=DictRows(60), forward=named_forward, kind="classification")
    found = answer(lab_for(task, SHORT), "two_sample")
    assert "test_loss" in values(found) and "auc" not in values(found)
    assert "not arrays" in next(e.text for e in found if e.measure == "not-applicable")


def test_numbers_have_no_proportions() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    task = vectors_task(x, x[:, :1].copy(), 1, nn.MSELoss(), test=(x[:90], x[:90, :1].copy()))
    found = compared(task, SHORT.replace(lr=0.01))
    assert "test_loss" in found and "label_distance" not in found


# --- The seal ----------------------------------------------------------------------------------------------------------------------


class Watched(SealedTest):
    """A sealed test set that writes down what is asked of it."""

    def __init__(self, rows: Rows, has_labels: bool) -> None:
        super().__init__(rows, has_labels)
        self.asked: list[tuple[str, str]] = []

    def inputs(self, question: str) -> Tensor | None:
        self.asked.append(("inputs", question))
        return super().inputs(question)

    def rows(self, question: str) -> Rows:
        self.asked.append(("rows", question))
        assert self.has_labels, "there are no labels to look at"
        return super().rows(question)


def watched(**arguments: Any) -> tuple[Task, Watched]:
    task = digits_task(200, **arguments)
    assert task.test is not None
    task.test = Watched(task.test._rows, task.test.has_labels)
    return task, task.test


def test_inputs_are_asked_for_before_labels_and_nothing_twice() -> None:
    task, test = watched(test=digits(100, 500))
    answer(lab_for(task, SHORT), "two_sample")
    assert test.asked == [("inputs", MISMATCH), ("rows", MISMATCH)]
    assert test.openings == 1, "one question, one opening"


def test_unknown_labels_are_never_touched() -> None:
    x, _ = digits(100, 500)
    task, test = watched(test=(x, None))
    found = answer(lab_for(task, SHORT), "two_sample")
    assert test.asked == [("inputs", MISMATCH)]
    assert "auc" in values(found) and "test_loss" not in values(found)
    assert [e.text for e in found if e.measure == "not-applicable"] == ["the test labels are unknown"]


def test_other_experiments_leave_the_test_set_sealed() -> None:
    (x, y), (u, v) = digits(600), digits(300, 600)
    task = Task(Net(64, 16, 2), nn.CrossEntropyLoss(), (x[y < 2], y[y < 2]), test=(u[v < 2], v[v < 2]))
    assert task.test is not None
    test = task.test = Watched(task.test._rows, True)
    lab = lab_for(task, SHORT)
    for experiment in ("audit", "baseline", "references", "label_noise"):
        answer(lab, experiment)
    answer(lab, "learning_curve", params={"repeats": 0})
    assert test.asked == [] and test.openings == 0


def test_another_test_set_is_another_question() -> None:
    memory = MemoryStore()
    x, y = digits(100, 500)
    one, other = digits_task(200, test=(x, y)), digits_task(200, test=(1 - x, y))
    assert one.fingerprint == other.fingerprint, "the sealed test set is no part of the task's content"
    found = [values(answer(lab_for(task, SHORT, memory=memory), "two_sample"))["auc"] for task in (one, other)]
    assert found[0] < 0.7 < 0.95 < found[1]
