"""Do the labels of given validation rows (or of test rows, see `mismatch`) mean what those of the training rows mean?

Reference models are fitted on training rows and predict the other rows. Where another coding of these rows' labels, or an affine map of
their targets, fits the predictions far better than the labels as they are, the two were written down differently. Where reference models
see no such coding, as they have no skill on words or on pictures, the trained network says what it expects. No other network is trained.

What models expect of inputs that went through another pipeline says nothing about labels: where labels do not agree as is usual, and the inputs of
the two sides are told apart, a map of the inputs is looked for after which they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from traindx.experiments import surplus
from traindx.experiments.alignment import FAR_APART, alignments
from traindx.experiments.base import Lab
from traindx.experiments.cross_predictions import CrossPredictions, of_classes, of_numbers
from traindx.experiments.domain import domain_auc
from traindx.experiments.layout import coded_columns
from traindx.records import Evidence, Outcome, Question, Run
from traindx.tasks import Kind, Rows, Task, labels_of, predicted_labels
from traindx.tasks.features import Features, array_pairs
from traindx.tasks.rows import ArrayRows
from traindx.training import evaluate, evaluated_index, predict

MAX_ROWS = 3000
LEAST_ROWS = 40
# Rows of more numbers are pictures, and no targets that somebody wrote down in units.
MOST_NUMBERS = 64
# How much better labels of other rows must agree with models, by the lower end of the interval, to be looked into; and rows a side for that.
LEAST_SURPLUS, MOST_COMPARED, REREAD = 0.02, 1500, 16
# How much easier validation rows may be for a network without being told apart from training rows.
EASIER = 0.05
# A recoding counts where it brings agreement to this share of what it is within training; fewer agree where inputs come from elsewhere.
USUAL_SHARE = 0.8
# A validation loss beyond the training loss by this share of it is worth a look at the inputs.
WORSE = 0.5
# A network is asked what it expects where it is right so much more often than by chance on its own rows.
LEAST_SKILL = 0.2
# Held targets are in other units where they correlate with predictions by this much, and by this share of what is usual, while their
# slope against the usual lies outside these bounds, or their mean is off by this many of their standard deviations.
LEAST_CORRELATION, LEAST_SLOPE, LARGEST_SLOPE, LARGEST_OFFSET = 0.5, 0.6, 1.67, 1.5

Pair = tuple[np.ndarray, np.ndarray]


class LabelMap:
    """Validation labels against what reference models, or else the trained network, expect of them."""

    name, title, version, reads_test = "label_map", "validation labels against predictions", 7, False

    def run(self, lab: Lab, question: Question) -> Sequence[Evidence]:
        """``agreement`` and ``agreement_gain``, ``affine_map`` for numbers, and ``agreement_surplus`` where validation labels agree better."""
        if not lab.task.validation_given:
            return [_missing("the validation rows were split off the training rows: they have the same labels")]
        found = compared_labels(lab.task, lab.task.validation, "validation")
        found += _seen_through_maps(lab, found)
        network = _by_the_network(lab)
        agreement = next((e for e in found if e.measure == "agreement"), None)
        if agreement is None or agreement.low is None or agreement.low > float(agreement.details["chance"]):
            network = [e for e in network if e.measure != "agreement_gain"]
        return _clearest([*found, *network])


def _seen_through_maps(lab: Lab, found: Sequence[Evidence]) -> list[Evidence]:
    """Where labels do not agree as is usual, or the network does worse: ``auc`` of telling the inputs apart, and its loss after a map that makes them alike.

    Cost: some seconds where they are apart, one where they are not, nothing where all is well.
    """
    task, run = lab.task, lab.baseline()
    mine, theirs = (array_pairs(part, evaluated_index(len(part), MAX_ROWS)) for part in (task.train, task.validation))
    if mine is None or theirs is None or mine[0].shape[1:] != theirs[0].shape[1:]:
        return []
    trained = run.outcome in (Outcome.FINISHED, Outcome.STOPPED)
    if not (_disagree(found) or (trained and _does_worse(run))):
        return []
    features = Features(mine[0], coded_columns(task))
    auc, error = domain_auc(*(features(pair[0])[:MOST_COMPARED] for pair in (mine, theirs)))
    apart = Evidence(experiment="label_map", measure="auc", value=auc, low=auc - 1.96 * error, high=auc + 1.96 * error, subject="inputs")
    if auc <= FAR_APART or not trained:
        return [apart]
    model, cpu = lab.trained_model(), torch.device("cpu")
    mended = []
    for a in alignments(mine[0], theirs[0]):
        rows = ArrayRows([a.function(theirs[0]), theirs[1]])
        try:
            loss = evaluate(task, model, rows, cpu, torch.arange(len(rows))).loss
        except (IndexError, RuntimeError):  # mapped tokens may be none that the network knows
            continue
        details = {"kind": a.kind, "auc": a.auc}
        mended.append(Evidence(experiment="label_map", measure="aligned_validation_loss", value=loss, subject=a.measure, details=details))
    return [apart, *sorted(mended, key=lambda e: e.value)[:1]]


def _does_worse(run: Run) -> bool:
    train, validation = run.last("train_loss"), run.last("validation_loss")
    return validation - train > WORSE * abs(train)


def _disagree(found: Sequence[Evidence]) -> bool:
    """Whether labels agree less beyond chance than is usual, or are in other units."""
    if any(e.measure == "affine_map" and bool(e.details["wrong"]) for e in found):
        return True
    return any(e.value - float(e.details["chance"]) < USUAL_SHARE * float(e.details["skill"]) for e in found if e.measure == "agreement")


def _clearest(found: Sequence[Evidence]) -> list[Evidence]:
    """Of every measure what was said last, the network's word on codings; of surpluses the one of most standard errors."""
    said = {e.measure: e for e in sorted(found, key=lambda e: float(e.details.get("errors", 0.0)))}
    return list(said.values())


def _by_the_network(lab: Lab) -> list[Evidence]:
    """The gain of the best recoding of the validation labels by what the trained network predicts, and their surplus.

    What it gets of its own rows is what is usual; it has seen their labels, so a surplus is told too low. The gain counts above chance: a network that
    predicts one class agrees with every coding as often as that class is frequent.
    """
    task = lab.task
    if task.kind is not Kind.CLASSIFICATION or lab.baseline().outcome not in (Outcome.FINISHED, Outcome.STOPPED):
        return []
    model = lab.trained_model()
    own, held = (_predicted(task, model, rows) for rows in (task.train, task.validation))
    if own is None or held is None:
        return []
    (mine, labels), (predicted, wanted) = own, held
    classes = int(max(mine.max(), predicted.max(), labels.max())) + 1
    predicted, wanted = (part[(wanted >= 0) & (wanted < classes)] for part in (predicted, wanted))
    if len(wanted) < LEAST_ROWS:
        return []
    usual = float((mine == labels).mean())
    skill = usual - surplus.chance(mine, labels)
    found = _recoded(predicted, wanted, classes, usual, skill, "of the validation labels are what the network expects")
    recoded = _best_order(predicted, wanted, classes)[wanted]
    above_chance = float((predicted == recoded).mean()) - surplus.chance(predicted, recoded)
    skilled = skill >= LEAST_SKILL and above_chance >= USUAL_SHARE * skill
    return [*(e for e in found if skilled and e.measure == "agreement_gain"), *_surplus_of_network(task, own, (predicted, wanted))]


def _surplus_of_network(task: Task, own: Pair, held: Pair) -> list[Evidence]:
    """Beyond EASIER: at equal confidence it cannot be compared, as the network has seen the labels of one side."""
    usual, agreement = (float((predicted == given).mean()) for predicted, given in (own, held))
    above = agreement - surplus.chance(*held) - (usual - surplus.chance(*own))
    value = min(above, agreement - usual) - EASIER
    error = math.hypot(surplus.share_error(usual, len(own[0])), surplus.share_error(agreement, len(held[0])))
    if not _worth_telling(value, error):
        return []
    pairs = [array_pairs(part, evaluated_index(len(part), MOST_COMPARED)) for part in (task.train, task.validation)]
    inputs = [pair[0] for pair in pairs if pair is not None]
    if len(inputs) < 2 or inputs[0].shape[1:] != inputs[1].shape[1:]:
        return []
    features = Features(inputs[0], coded_columns(task))
    said = f"the network agrees with {agreement:.0%} of the validation labels, and with {usual:.0%} of those it was trained on"
    return _surplus(task, (value, error), said, features(inputs[0]), features(inputs[1]))


def _predicted(task: Task, model: nn.Module, rows: Rows) -> tuple[np.ndarray, np.ndarray] | None:
    """(predicted, given) classes of at most as many rows as are evaluated elsewhere; None where outputs are not one row of scores a label."""
    parts: list[tuple[Tensor, Tensor]] = []
    for outputs, targets in zip(*predict(task, model, rows, torch.device("cpu")), strict=True):
        labels = labels_of(targets, task.kind) if isinstance(targets, Tensor) else None
        if labels is None or not isinstance(outputs, Tensor) or labels.ndim != 1 or outputs.ndim > 2 or len(outputs) != len(labels):
            return None
        predicted = predicted_labels(outputs, labels, task.loss)
        parts.append((predicted[labels >= 0], labels[labels >= 0]))
    expected, given = (torch.cat(part).long().numpy() for part in zip(*parts, strict=True))
    return (expected, given) if len(given) else None


def compared_labels(task: Task, rows: Rows, side: str) -> list[Evidence]:
    """``agreement`` of the targets of these rows with what reference models expect, and ``agreement_gain`` or ``affine_map``."""
    mine, theirs = (array_pairs(part, evaluated_index(len(part), MAX_ROWS)) for part in (task.train, rows))
    if mine is None or theirs is None or min(len(mine[0]), len(theirs[0])) < LEAST_ROWS:
        return [_missing(f"needs {LEAST_ROWS} {side} rows as arrays")]
    if not all(bool(torch.isfinite(pair[1].float()).all()) for pair in (mine, theirs)) or mine[0].shape[1:] != theirs[0].shape[1:]:
        return [_missing("targets are not finite, or inputs differ in shape")]
    features = Features(mine[0], coded_columns(task))
    x, held = features(mine[0]), features(theirs[0])
    labels, wanted = (labels_of(pair[1], task.kind) for pair in (mine, theirs))
    if labels is not None and wanted is not None:
        return _recoding(task, x, labels.numpy(), held, wanted.numpy(), side)
    if task.kind in (Kind.REGRESSION, Kind.MULTILABEL):
        y, held_y = (pair[1].reshape(len(pair[1]), -1).double().numpy() for pair in (mine, theirs))
        if y.shape[1] == held_y.shape[1] <= MOST_NUMBERS:
            return _numbers(task, x, y, held, held_y, side)
    return [_missing(f"rows have no single class, and not the same {MOST_NUMBERS} numbers at most")]


def _missing(reason: str) -> Evidence:
    return Evidence(experiment="label_map", measure="not-applicable", value=math.nan, text=reason)


def _recoding(task: Task, x: np.ndarray, labels: np.ndarray, held: np.ndarray, wanted: np.ndarray, side: str) -> list[Evidence]:
    """What two reference models say together."""
    x, labels = x[labels >= 0], labels[labels >= 0]
    counts = np.bincount(labels)
    classes = len(counts)
    inside = (wanted >= 0) & (wanted < classes)
    if (counts > 0).sum() < 2 or counts[counts > 0].min() < 2 or inside.sum() < LEAST_ROWS:
        return [_missing("a class has a single row, or too few other rows have a class that training rows have")]
    held, wanted = held[inside], wanted[inside]
    expected = of_classes(x, labels, held, classes)
    usual, agreement = float((expected.own.argmax(1) == labels).mean()), float((expected.other.argmax(2) == wanted).mean())
    predicted = expected.other.mean(0).argmax(1)
    skill = usual - surplus.chance(expected.own.argmax(1), labels)
    found = _recoded(predicted, wanted, classes, usual, skill, f"of the {side} labels are what reference models expect")
    said = f"reference models agree with {agreement:.0%} of the {side} labels, and with {usual:.0%} of training labels they have not seen"
    return [*found, *_surplus(task, surplus.of_classes(expected, labels, wanted), said, x, held)]


def _worth_telling(value: float, error: float) -> bool:
    return value - 1.96 * error > LEAST_SURPLUS


def _surplus(task: Task, found: surplus.Surplus, said: str, x: np.ndarray, held: np.ndarray) -> list[Evidence]:
    """How much better labels of other rows agree with models than labels of training rows that these have not seen, where they clearly do.

    With it the area under the curve of telling the inputs apart, for labels to be the only reason. None where training rows are drawn anew every
    time they are read: what is read then are augmented rows on one side alone.
    """
    value, error = found
    if not _worth_telling(value, error) or _varies(task.train):
        return []
    sides = (part[np.random.default_rng(0).permutation(len(part))[:MOST_COMPARED]] for part in (x, held))
    auc, auc_error = domain_auc(*sides)
    details = {"auc": auc, "auc_high": auc + 1.96 * auc_error, "errors": value / error, "single": _single(task)}
    low, high = value - 1.96 * error, value + 1.96 * error
    text = f"{said}; a classifier tells their inputs apart with an AUC of {auc:.2f}"
    return [Evidence(experiment="label_map", measure="agreement_surplus", value=value, low=low, high=high, text=text, details=details)]


def _single(task: Task) -> bool:
    """Whether a row has one class or one number, and may be left out for it."""
    targets = task.train.targets
    return task.labels is not None or (task.kind is Kind.REGRESSION and targets is not None and targets[0].numel() == 1)


def _varies(rows: Rows) -> bool:
    """Whether rows are other ones when they are read again: in the reverse order, as the same draws are made every time."""
    index = torch.arange(min(REREAD, len(rows)))
    first, second = array_pairs(rows, index), array_pairs(rows, index.flip(0))
    return first is None or second is None or not torch.equal(first[0], second[0].flip(0))


def _recoded(predicted: np.ndarray, wanted: np.ndarray, classes: int, usual: float, skill: float, said: str) -> list[Evidence]:
    """``agreement`` of labels with predictions, and ``agreement_gain`` where another coding agrees nearly as often as is ``usual``.

    ``skill`` is by how much more often than by chance that is: where a class is as rare as it is not among other rows, by hardly any.

    The coding is one to one; it is found on one half of the rows and counted on the other.
    """
    agreement = float((predicted == wanted).mean())
    half = np.random.default_rng(0).permutation(len(wanted)) % 2
    recoded = np.zeros(len(wanted), dtype=bool)
    for chosen in (half == 0, half == 1):
        order = _best_order(predicted[chosen], wanted[chosen], classes)
        recoded[~chosen] = order[wanted[~chosen]] == predicted[~chosen]
    gains = recoded.astype(float) - (predicted == wanted)
    gain, gain_error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    order = _best_order(predicted, wanted, classes)
    moved = [f"{v} for {c}" for v, c in enumerate(order) if v != c]
    after = float(recoded.mean())
    text = (
        f"{agreement:.0%} {said}, and {after:.0%} are if they are read as another coding: "
        f"{', '.join(moved[:5])}{', ...' if len(moved) > 5 else ''}"
    )
    error = 2 * math.sqrt(max(agreement * (1 - agreement), 1 / len(wanted)) / len(wanted))
    counted = {"usual": usual, "skill": skill, "chance": surplus.chance(predicted, wanted), "rows": len(wanted)}
    found = [
        Evidence(
            experiment="label_map", measure="agreement", value=agreement, low=agreement - error, high=agreement + error, details=counted
        )
    ]
    if after < USUAL_SHARE * usual:
        return found
    details = {"order": ",".join(map(str, order.tolist())), "after": after, "usual": usual, "rows": len(wanted)}
    low, high = gain - 1.96 * gain_error, gain + 1.96 * gain_error
    return [*found, Evidence(experiment="label_map", measure="agreement_gain", value=gain, low=low, high=high, text=text, details=details)]


def _best_order(predicted: np.ndarray, wanted: np.ndarray, classes: int) -> np.ndarray:
    """The class that every label stands for: the one-to-one assignment under which most predictions agree, the identity where it is as good."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((classes, classes))
    np.add.at(table, (wanted, predicted), 1.0)
    return np.asarray(linear_sum_assignment(table + 0.5 * np.eye(classes), maximize=True)[1])


def _numbers(task: Task, x: np.ndarray, y: np.ndarray, held: np.ndarray, wanted: np.ndarray, side: str) -> list[Evidence]:
    """Targets (N, k) and (n, k) of both sides against what the same reference models expect: units, the order of columns, a surplus."""
    expected = of_numbers(x, y, held)
    theirs = expected.other.mean(0)
    varying = np.min([part.std(0) for part in (y, wanted, expected.own, theirs)], axis=0) > 1e-12
    if not varying.any():
        return [_missing("targets or predictions are constant")]
    expected = CrossPredictions(expected.own[:, varying], expected.other[:, :, varying])
    y, wanted, theirs = y[:, varying], wanted[:, varying], theirs[:, varying]
    found = _line_of(expected.own, y, theirs, wanted, side, units=task.kind is Kind.REGRESSION)
    found += _columns(theirs, wanted, _correlations(expected.own, y).diagonal(), varying, side)
    if any(e.measure == "agreement_gain" or (e.measure == "affine_map" and e.details["wrong"]) for e in found):
        return found
    compare = surplus.of_numbers if task.kind is Kind.REGRESSION else surplus.of_labels
    usual, agreement = (float(np.mean(_correlations(*pair).diagonal())) for pair in ((expected.own, y), (theirs, wanted)))
    said = (
        f"the {side} targets lie nearer to what reference models expect of their rows (correlation {agreement:.2f}) than training targets that these have"
        f" not seen ({usual:.2f})"
    )
    return [*found, *_surplus(task, compare(expected, y, wanted), said, x, held)]


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(k, k) of every column of one with every column of the other."""
    a, b = ((part - part.mean(0)) / np.maximum(part.std(0), 1e-12) for part in (a, b))
    return np.asarray(a.T @ b / len(a))


def _columns(expected: np.ndarray, wanted: np.ndarray, usual: np.ndarray, varying: np.ndarray, side: str) -> list[Evidence]:
    """The gain of another order of the columns, those ``varying`` of all; found on one half of the rows and counted on the other.

    None where the order is right, or targets do not correlate with predictions nearly as usual in another.
    """
    from scipy.optimize import linear_sum_assignment

    known = np.flatnonzero(usual >= LEAST_CORRELATION / 2)  # columns that nobody predicts cannot be told apart
    if len(known) < 2:
        return []
    expected, wanted = expected[:, known], wanted[:, known]
    half = np.random.default_rng(0).permutation(len(wanted)) % 2
    gains, after = [], []
    for chosen in (half == 0, half == 1):
        order = linear_sum_assignment(_correlations(expected[chosen], wanted[chosen]), maximize=True)[1]
        table = _correlations(expected[~chosen], wanted[~chosen])
        after.append(float(table[np.arange(len(known)), order].mean()))
        gains.append(after[-1] - float(table.diagonal().mean()))
    order = linear_sum_assignment(_correlations(expected, wanted), maximize=True)[1]
    mean_usual, gain, error = float(usual[known].mean()), float(np.mean(gains)), 1 / math.sqrt(len(wanted))
    if np.mean(after) < USUAL_SHARE * mean_usual or (order == np.arange(len(known))).all():
        return []
    places, columns = np.flatnonzero(varying)[known], np.arange(len(varying))
    columns[places] = places[order]
    moved = [f"{j} is in {column}" for j, column in enumerate(columns) if j != column]
    text = (
        f"the {side} targets correlate with what reference models expect by {np.mean(after):.2f}, not {np.mean(after) - gain:.2f}, if their columns are"
        f" read in another order: {', '.join(moved[:5])}{', ...' if len(moved) > 5 else ''}"
    )
    details = {"columns": ",".join(map(str, columns.tolist())), "after": float(np.mean(after)), "usual": mean_usual, "rows": len(wanted)}
    low, high = gain - 1.96 * error, gain + 1.96 * error
    return [Evidence(experiment="label_map", measure="agreement_gain", value=gain, low=low, high=high, text=text, details=details)]


def _line_of(mine: np.ndarray, y: np.ndarray, expected: np.ndarray, wanted: np.ndarray, side: str, units: bool) -> list[Evidence]:
    """The straight line from predictions to the held rows' targets (n, k), against the one from held-out predictions to training targets.

    Rows of several numbers lie on one line together: units are those of the row. Every number counts from its own mean, or the differences
    between the means would be all that is seen. Labels of 0 and 1 have no ``units``.
    """
    spread = y.std(0)
    (correlation, slope), (usual_correlation, usual_slope) = (_line(*pair, spread) for pair in ((expected, wanted), (mine, y)))
    error = 2 / math.sqrt(len(wanted))
    agreement = Evidence(
        experiment="label_map",
        measure="agreement",
        value=abs(correlation),
        low=abs(correlation) - error,
        high=abs(correlation) + error,
        details={"usual": usual_correlation, "skill": usual_correlation, "chance": 0.0, "rows": len(wanted)},
    )
    if not units:
        return [agreement]
    scale = slope / usual_slope
    offset = float((wanted.mean(0) - scale * expected.mean(0)).mean())
    shift = float(np.abs((wanted.mean(0) - expected.mean(0)) / np.maximum(spread, wanted.std(0))).mean())
    # Noise among the training targets flattens what is learned from them: targets without it lie as much steeper as they correlate better.
    steeper = max(1.0, correlation / max(usual_correlation, 1e-12))
    clear = abs(correlation) >= max(LEAST_CORRELATION, USUAL_SHARE * usual_correlation)
    wrong = clear and (not LEAST_SLOPE <= scale <= LARGEST_SLOPE * steeper or shift > LARGEST_OFFSET)
    text = f"the {side} targets are {scale:.3g} times what reference models expect, {offset:+.3g}, with a correlation of {correlation:.2f}"
    details = {"wrong": wrong, "scale": scale, "offset": offset, "correlation": correlation, "usual": usual_correlation, "shift": shift}
    return [Evidence(experiment="label_map", measure="affine_map", value=scale, text=text, details=details), agreement]


def _line(predicted: np.ndarray, targets: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """(correlation, slope) of targets (n, k) on predictions, each number from its mean and in units of its spread (k,)."""
    p, t = ((part - part.mean(0)) / spread for part in (predicted, targets))
    return float((p * t).sum() / math.sqrt((p * p).sum() * (t * t).sum())), float((p * t).sum() / (p * p).sum())
