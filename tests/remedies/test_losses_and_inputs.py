"""Remedies that change the loss of the training, or its inputs: what is changed, and that evaluation does not see it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patients import RECIPE, of_images, of_signals, regression, rows, sound
from torch import Tensor, nn
from torch.nn import functional as F

from traindx.records import NotApplicable
from traindx.remedies import (
    AugmentSignals,
    BlackBoxShift,
    ClassWeights,
    Ensemble,
    Erase,
    InputNoise,
    LabelSmoothing,
    MeanReduction,
    MixUp,
    Remedy,
    RemoveRegularization,
    RobustLoss,
    ShareParameters,
)
from traindx.remedies.augment_signals import SignalChange, neighbours, signal_shape
from traindx.remedies.ensemble import Averaged
from traindx.remedies.erase import Erasing
from traindx.remedies.match_test import LARGEST_WEIGHT
from traindx.remedies.remove_regularization import dropouts
from traindx.remedies.robust_loss import GeneralizedCrossEntropy
from traindx.remedies.share_parameters import Convolutional, grid_shape
from traindx.tasks import Task
from traindx.training import fit

LOGITS = st.integers(0, 10_000).map(lambda seed: torch.randn(9, 4, generator=torch.Generator().manual_seed(seed)))
LABELS = torch.arange(9) % 4


def inputs_of(task: Task) -> Tensor:
    assert task.train.inputs is not None
    return task.train.inputs


# --- Several networks --------------------------------------------------------------------------------------------------------------


def test_each_network_learns_as_it_would_alone() -> None:
    """The first one starts as the network does, sees the same batches, and takes the same steps."""
    for loss in (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(reduction="sum")):
        task, recipe = sound(loss=loss), RECIPE.replace(lr=1e-3)
        changed, _ = Ensemble(3).apply(task, recipe)
        alone, together = (fit(each, recipe, keep_weights=True).weights for each in (task, changed))
        assert alone is not None and together is not None
        for name, value in alone.items():
            torch.testing.assert_close(together[f"members.0.{name}"], value, rtol=1e-4, atol=1e-6)
            assert not torch.equal(together[f"members.1.{name}"], together[f"members.2.{name}"])


def test_the_mean_output_has_no_more_of_a_convex_loss_than_the_networks_on_average() -> None:
    task = sound()
    model = Ensemble(4).apply(task, RECIPE)[0].build(0).eval()
    assert isinstance(model, Averaged)
    labels = task.train.targets
    together, *each = (float(task.loss(network(inputs_of(task)), labels).detach()) for network in (model, *model.members))
    assert together <= np.mean(each) and min(each) < max(each)


def test_only_outputs_a_row_can_be_averaged() -> None:
    with pytest.raises(NotApplicable, match="averaged"):
        Ensemble().apply(sound(forward=lambda model, batch: (list(model(batch[0])), batch[1]), loss=of_lists), RECIPE)


def of_lists(outputs: list[Tensor], targets: Tensor) -> Tensor:
    return F.cross_entropy(torch.stack(outputs), targets)


# --- Losses ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remedy", [LabelSmoothing(), RobustLoss(), ClassWeights(), MixUp()])
def test_what_is_judged_stays_the_loss_as_it_was(remedy: Remedy) -> None:
    task = sound()
    changed, recipe = remedy.apply(task, RECIPE)
    assert changed.loss is task.loss
    first, second = fit(task, recipe).run, fit(changed, recipe).run
    assert first.curves["train_loss"].values[0] == second.curves["train_loss"].values[0], "before the first step nothing differs"
    assert first.last("train_loss") != second.last("train_loss")


@given(logits=LOGITS, share=st.floats(0.01, 0.5))
@settings(max_examples=25, deadline=None)
def test_smoothing_is_a_mixture_with_every_class_alike(logits: Tensor, share: float) -> None:
    loss = LabelSmoothing(share).apply(sound(), RECIPE)[0].training_loss
    by_hand = (1 - share) * F.cross_entropy(logits, LABELS) - share * F.log_softmax(logits, 1).mean()
    assert float(loss(logits, LABELS)) == pytest.approx(float(by_hand), rel=1e-4)


def test_smoothing_keeps_the_weights_of_classes() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0])
    loss = LabelSmoothing(0.1).apply(sound(loss=nn.CrossEntropyLoss(weight=weight)), RECIPE)[0].training_loss
    assert isinstance(loss, nn.CrossEntropyLoss) and torch.equal(loss.weight, weight) and loss.label_smoothing == 0.1
    with pytest.raises(NotApplicable, match="already"):
        LabelSmoothing(0.1).apply(sound(loss=nn.CrossEntropyLoss(label_smoothing=0.2)), RECIPE)


@given(logits=LOGITS, q=st.floats(0.05, 1.0))
@settings(max_examples=25, deadline=None)
def test_generalized_cross_entropy_is_as_in_the_paper(logits: Tensor, q: float) -> None:
    p = logits.softmax(1)[torch.arange(9), LABELS]
    assert float(GeneralizedCrossEntropy(q)(logits, LABELS)) == pytest.approx(float(((1 - p**q) / q).mean()), rel=1e-3)


def test_generalized_cross_entropy_is_cross_entropy_at_its_end() -> None:
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).double()
    assert float(GeneralizedCrossEntropy(1e-6)(logits, LABELS)) == pytest.approx(float(F.cross_entropy(logits, LABELS)), rel=1e-4)
    wrong = torch.tensor([[50.0, -50.0, 0.0, 0.0]]).double().requires_grad_()
    (gradient,) = torch.autograd.grad(GeneralizedCrossEntropy(0.7)(wrong, torch.tensor([1])), wrong)
    assert float(gradient.norm()) < 1e-6, "a label that the network is sure is wrong pulls no more"


def test_numbers_are_robust_by_their_own_scale() -> None:
    (small, _), (large, _) = (RobustLoss().apply(regression(), RECIPE), RobustLoss().apply(scaled_targets(1000), RECIPE))
    assert isinstance(small.training_loss, nn.HuberLoss) and isinstance(large.training_loss, nn.HuberLoss)
    assert large.training_loss.delta == pytest.approx(1000 * small.training_loss.delta, rel=1e-4)
    with pytest.raises(NotApplicable, match="neither"):
        RobustLoss().apply(regression(loss=nn.L1Loss()), RECIPE)


def test_numbers_that_are_mostly_one_value_have_no_robust_scale() -> None:
    y = np.where(np.arange(240) % 3 == 0, rows(240)[0][:, 3], 0).astype(np.float32)[:, None]
    with pytest.raises(NotApplicable, match="one value"):
        RobustLoss().apply(sound(lambda: nn.Linear(6, 1), nn.MSELoss(), y, test=None), RECIPE)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(reduction="sum"), nn.MSELoss(reduction="sum")])
def test_what_was_summed_over_the_batch_still_is(loss: nn.Module) -> None:
    task = sound(loss=loss) if isinstance(loss, nn.CrossEntropyLoss) else regression(loss=loss)
    summed = RobustLoss().apply(task, RECIPE)[0].training_loss
    outputs = task.build(0)(inputs_of(task)[:10]).detach()
    targets = task.train.targets
    assert targets is not None
    apart = sum(float(summed(o[None], t[None])) for o, t in zip(outputs, targets[:10], strict=True))
    assert float(summed(outputs, targets[:10])) == pytest.approx(apart, rel=1e-4)


def some_ignored() -> np.ndarray:
    return np.where(np.arange(240) % 7 == 0, -100, rows(240)[1])


@pytest.mark.parametrize("remedy", [MixUp(), RobustLoss()])
def test_rows_that_the_loss_ignores_have_no_class_to_change(remedy: Remedy) -> None:
    with pytest.raises(NotApplicable, match="no class"):
        remedy.apply(sound(y=some_ignored()), RECIPE)


def test_class_numbers_that_are_no_shares_are_not_mixed() -> None:
    def of_floats(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets.long())

    given = {"y": rows(240)[1].astype(np.float32), "test": None, "kind": "classification"}
    with pytest.raises(NotApplicable, match="shares"):
        MixUp().apply(sound(loss=of_floats, **given), RECIPE)
    x, y = rows(240)
    one_of_two = Task(lambda: nn.Linear(6, 1), nn.BCEWithLogitsLoss(), (x, (y > 0).astype(np.float32)[:, None]))
    assert MixUp().apply(one_of_two, RECIPE)[0].forward is not one_of_two.forward


def scaled_targets(factor: float) -> Task:
    task = regression()
    return task.changed(RobustLoss().ref, map_targets=lambda y: y * factor)


def test_every_class_weighs_the_same() -> None:
    task = sound()
    labels = task.labels
    loss = ClassWeights().apply(task, RECIPE)[0].training_loss
    assert labels is not None and isinstance(loss, nn.CrossEntropyLoss) and loss.weight is not None
    totals = loss.weight.double() * torch.bincount(labels)
    assert torch.allclose(totals, totals[:1].expand(3), rtol=1e-4)
    with pytest.raises(NotApplicable, match="weights already"):
        ClassWeights().apply(sound(loss=nn.CrossEntropyLoss(weight=torch.ones(3))), RECIPE)


# --- Inputs ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remedy", "patient"),
    [(Erase(0.5), of_images), (InputNoise(0.3), sound), (AugmentSignals(), of_signals)],
    ids=lambda value: getattr(value, "id", ""),
)
def test_inputs_change_in_training_mode_only(remedy: Remedy, patient: type[Task]) -> None:
    task = patient()
    changed, recipe = remedy.apply(task, RECIPE)
    model, inputs = changed.build(0), inputs_of(task)[:20]
    assert torch.equal(model.eval()(inputs), task.build(0)(inputs))
    assert not torch.equal(model.train()(inputs), task.build(0)(inputs))
    first, second = (fit(changed, recipe).run.curves["validation_loss"].values for _ in range(2))
    assert first == second, "a seed gives the same training again"


@given(share=st.floats(0.1, 0.9), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_square_is_covered_and_nothing_else(share: float, seed: int) -> None:
    torch.manual_seed(seed)
    images = torch.randn(5, 3, 12, 10)
    changed = (Erasing((3, 12, 10), share)(images) != images).any(1)
    for image in changed:
        down, across = image.any(1), image.any(0)
        assert torch.equal(image, down[:, None] & across[None, :]), "a rectangle"
        assert down.sum() <= share * 12 + 1 and across.sum() <= share * 10 + 1


def test_noise_is_as_wide_as_the_column_is_and_leaves_switches_alone() -> None:
    x = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 100.0, 0.0])
    x[:, 2] = torch.arange(2000) % 2
    task = Task(lambda: nn.Linear(3, 2), nn.CrossEntropyLoss(), (x, torch.arange(2000) % 2))
    model = InputNoise(0.1).apply(task, RECIPE)[0].build(0)
    noise = model.change(x) - x
    assert noise.std(0)[:2].tolist() == pytest.approx([0.1, 10.0], rel=0.1)
    assert float(noise[:, 2].abs().max()) == 0


def test_signals_move_scale_and_are_masked_by_no_more_than_is_said() -> None:
    torch.manual_seed(0)
    ramps = torch.arange(100.0).expand(50, 100)
    moved = SignalChange((1, 100), 0.05, 0.0, 0.0, 0.0)(ramps) - ramps
    assert float(moved.abs().max()) == 5 and float(moved[:, 50].unique().numel()) > 3
    scaled = SignalChange((1, 100), 0.0, 0.1, 0.0, 0.0)(ramps + 1) / (ramps + 1)
    assert float(scaled.min()) >= 0.9 and float(scaled.max()) <= 1.1 and float(scaled.std(1).max()) < 1e-4
    masked = (SignalChange((1, 100), 0.0, 0.0, 0.0, 0.2)(ramps) != ramps).sum(1)
    assert 0 < int(masked.max()) <= 21


def test_tables_are_no_signals() -> None:
    assert signal_shape(of_signals()) == (1, 48)
    rows = torch.randn(100, 48, generator=torch.Generator().manual_seed(0))
    table = Task(lambda: nn.Linear(48, 2), nn.CrossEntropyLoss(), (rows, torch.arange(100) % 2))
    assert signal_shape(table) is None
    with pytest.raises(NotApplicable, match="not signals"):
        AugmentSignals().apply(table, RECIPE)
    assert neighbours(torch.ones(5, 4)) == 0.0


class ChannelsLast(nn.Module):
    """A convolution over rows (N, length, channels)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv1d(channels, 4, 5), nn.Linear(4 * 44, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 48, channels) -> (N, 3)."""
        out: Tensor = self.last(self.first(x.reshape(len(x), 48, -1).transpose(1, 2)).flatten(1))
        return out


def test_signals_whose_channels_come_last_are_left_alone() -> None:
    x = inputs_of(of_signals())
    y = np.arange(len(x)) % 3
    one, two = (Task(lambda c=c: ChannelsLast(c), nn.CrossEntropyLoss(), (x[:, :, None].repeat(1, 1, c), y)) for c in (1, 2))
    assert signal_shape(one) == (1, 48) and signal_shape(two) is None


def test_images_whose_channels_come_last_are_left_alone() -> None:
    turned = nn.Sequential(nn.Unflatten(1, (8, 8, 3)), Turned(), nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3))
    x = torch.zeros(40, 8, 8, 3)
    task = Task(lambda: nn.Sequential(nn.Flatten(), *turned), nn.CrossEntropyLoss(), (x, torch.arange(40) % 3))
    with pytest.raises(NotApplicable, match="not images"):
        Erase().apply(task, RECIPE)


class Turned(nn.Module):
    """Channels first."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, C, H, W)."""
        return x.movedim(-1, 1)


class Named(nn.Module):
    """A network with an argument that is given by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """(N, 6) -> (N, 3)."""
        out: Tensor = self.layer(x * scale)
        return out


def test_what_changes_inputs_passes_on_arguments_by_name() -> None:
    task = sound(Named, forward=lambda model, batch: (model(batch[0], scale=0.1), batch[1]))
    changed, recipe = InputNoise(0.2).apply(task, RECIPE)
    assert fit(changed, recipe).run.outcome == "finished"


def test_mixtures_have_the_shares_of_their_rows() -> None:
    task = sound()
    changed, _ = MixUp(1.0).apply(task, RECIPE)
    model, batch = task.build(0), tuple(column[:32] for column in task.train.columns)
    seen: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    torch.manual_seed(1)
    _, shares = changed.forward(model.train(), batch)
    x, y = batch
    assert shares.shape == (32, 3) and torch.allclose(shares.sum(1), torch.ones(32))
    sums = shares.sum(0), F.one_hot(y, 3).sum(0)
    assert torch.allclose(sums[0], sums[1].float(), atol=1e-4), "every row is mixed in as often as it is there"
    assert torch.allclose(seen[0].mean(0), x.mean(0), rtol=1e-3)
    _, labels = changed.forward(model.eval(), batch)
    assert torch.equal(labels, y), "evaluation sees labels as they are"


# --- Fewer, shared parameters ------------------------------------------------------------------------------------------------------


@given(side=st.integers(6, 20), channels=st.sampled_from([1, 3]), outputs=st.integers(1, 7), width=st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_convolutions_of_images_fit_any_size(side: int, channels: int, outputs: int, width: int) -> None:
    model = Convolutional((channels, side, side), outputs, width)()
    assert model(torch.zeros(2, channels * side * side)).shape == (2, outputs)
    assert model(torch.zeros(2, channels, side, side)).shape == (2, outputs)


@given(length=st.integers(24, 300), channels=st.integers(1, 3), outputs=st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_convolutions_of_signals_fit_any_length(length: int, channels: int, outputs: int) -> None:
    assert Convolutional((channels, length), outputs, 4)()(torch.zeros(2, channels, length)).shape == (2, outputs)


def test_convolutions_take_the_place_of_full_connections_only_on_a_grid() -> None:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    pixels = (x[:400] / 16).astype(np.float32)
    model = lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))  # noqa: E731
    task = Task(model, nn.CrossEntropyLoss(), (pixels, y[:400]))
    assert grid_shape(task) == (1, 8, 8)
    changed, _ = ShareParameters(8).apply(task, RECIPE)
    assert sum(p.numel() for p in changed.build(0).parameters()) < sum(p.numel() for p in task.build(0).parameters())
    shuffled = pixels[:, np.random.default_rng(0).permutation(64)]
    assert grid_shape(Task(model, nn.CrossEntropyLoss(), (shuffled, y[:400]))) is None
    with pytest.raises(NotApplicable, match="shares parameters already"):
        ShareParameters().apply(of_images(), RECIPE)


def test_convolutions_give_no_logarithms_of_probabilities() -> None:
    """The negative log-likelihood of raw outputs falls without end: a network that is no good would look better than any other."""
    model = lambda: nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 3), nn.LogSoftmax(1))  # noqa: E731
    signals = of_signals()
    task = Task(model, nn.NLLLoss(), signals.train.columns)
    with pytest.raises(NotApplicable, match="logits"):
        ShareParameters().apply(task, RECIPE)
    assert ShareParameters().apply(signals, RECIPE)[0] is not signals


# --- Proportions without labels ----------------------------------------------------------------------------------------------------


def test_proportions_are_estimated_without_the_labels_of_the_test_set() -> None:
    unlabelled = sound(y=rows(240)[1], test=(rows(200, 2, (0.1, 0.3, 0.6))[0], None))
    weights = BlackBoxShift().apply(unlabelled, RECIPE)[0].sample_weight
    labels = unlabelled.labels
    assert weights is not None and labels is not None and float(weights.max()) <= LARGEST_WEIGHT
    shares = torch.stack([weights[labels == c].sum() for c in range(3)]) / weights.sum()
    assert shares.tolist() == pytest.approx([0.1, 0.3, 0.6], abs=0.08)


def test_one_class_has_no_proportions() -> None:
    x, y = rows(100)
    task = Task(lambda: nn.Linear(6, 3), nn.CrossEntropyLoss(), (x, np.zeros_like(y)), test=rows(80, 2))
    with pytest.raises(NotApplicable, match="two classes"):
        BlackBoxShift().apply(task, RECIPE)


# --- Regularization and reductions -------------------------------------------------------------------------------------------------


class Dropping(nn.Module):
    """Dropout that is called as a function, in a forward pass that branches on its data or does not."""

    def __init__(self, branches: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.branches = branches

    def forward(self, x: Tensor) -> Tensor:
        if self.branches and x.sum() > 1e9:
            x = -x
        return self.last(F.dropout(torch.relu(self.first(x)), 0.9, self.training))


def spread_in_training(task: Task) -> float:
    model, x = task.build(0).train(), inputs_of(task)[:8]
    with torch.no_grad():
        return float((model(x) - model(x)).abs().max())


def test_dropout_that_is_called_as_a_function_is_taken_away() -> None:
    dropping = sound(lambda: Dropping(branches=False))
    assert dropouts(dropping.build(0), lambda model: model(inputs_of(dropping)[:4])) == [0.9]
    changed, _ = RemoveRegularization().apply(dropping, RECIPE)
    assert spread_in_training(changed) == 0 < spread_in_training(dropping)


def test_dropout_that_tracing_does_not_reach_stays_and_weight_decay_goes() -> None:
    dropping = sound(lambda: Dropping(branches=True))
    changed, recipe = RemoveRegularization().apply(dropping, RECIPE.replace(weight_decay=0.1))
    assert recipe.weight_decay == 0 and spread_in_training(changed) > 0
    with pytest.raises(NotApplicable, match="traced"):
        RemoveRegularization().apply(dropping, RECIPE.replace(weight_decay=0.0))


def test_a_sum_over_rows_of_several_numbers_becomes_the_mean_of_all() -> None:
    x, _ = rows(60)
    summed = Task(lambda: nn.Linear(6, 5), nn.MSELoss(reduction="sum"), (x, np.zeros((60, 5), np.float32)))
    changed, _ = MeanReduction().apply(summed, RECIPE)
    outputs, targets = torch.randn(7, 5), torch.randn(7, 5)
    assert changed.training_loss(outputs, targets) == pytest.approx(float(F.mse_loss(outputs, targets)))
    assert changed.loss is summed.loss, "losses are told as before"
