"""The mistakes that are made in the scripts, by cause."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import nn
from torch.nn import functional as F

from zoo.scripts.base import (
    Edit,
    Training,
    balanced,
    by_label,
    copied,
    few,
    first_of,
    given_validation,
    honest_test,
    judged_by_validation,
    kept,
    relabelled,
    test_inputs,
    validation_among_training,
    validation_relabelled,
    wrong_share,
)
from zoo.scripts.clouds import hastie_silu, shells_deep
from zoo.scripts.images import digit_angle, fashion_attributes, patch_autoencoder, vehicles_residual
from zoo.scripts.signals import adding_gru, lorenz_dilated, majority_transformer, speaker_conv, spectral_lines
from zoo.scripts.tables import adult_embeddings, california_income, cancer_selu, covid_layernorm, gas_steady, red_wine, wine_colour

Softmax = partial(nn.Softmax, 1)

# -- the rate and its schedule -----------------------------------------------------------------------------------------------------------

wine_colour.fault("learning-rate-too-high", "decimal-slip", "medium", lr=2.0)
hastie_silu.fault("learning-rate-too-high", "rate-of-sgd-for-adam", "medium", lr=1.0)
patch_autoencoder.fault("learning-rate-too-high", "rate-of-another-width", "mild", lr=0.05)
vehicles_residual.fault("learning-rate-too-high", "one", "gross", lr=3.0)
digit_angle.fault("learning-rate-too-high", "minus-sign-lost", "gross", lr=1.0)

covid_layernorm.fault("learning-rate-too-low", "rate-of-fine-tuning", "medium", lr=3e-5)
adding_gru.fault("learning-rate-too-low", "cautious", "mild", lr=3e-4)
lorenz_dilated.fault("learning-rate-too-low", "one-zero-too-many", "mild", lr=1e-4)
california_income.fault("learning-rate-too-low", "rate-of-fine-tuning", "gross", lr=1e-6)
shells_deep.fault("learning-rate-too-low", "rate-of-adam-for-sgd", "medium", lr=3e-4)

shells_deep.fault("learning-rate-decays-too-fast", "per-step-for-per-epoch", "medium", schedule="exponential:0.1")
speaker_conv.fault("learning-rate-decays-too-fast", "step-every-epoch", "gross", schedule="step:1:0.01")
covid_layernorm.fault("learning-rate-decays-too-fast", "impatient", "mild", schedule="exponential:0.35")
hastie_silu.fault("learning-rate-decays-too-fast", "adagrad", "medium", optimizer="adagrad", lr=3e-3, schedule="constant")

lorenz_dilated.fault(
    "missing-warmup",
    "rmsprop-from-cold",
    "mild",
    twin={"blocks": 6, "optimizer": "rmsprop", "lr": 8e-3, "epochs": 8, "warmup_steps": 60},
    warmup_steps=0,
)
lorenz_dilated.fault(
    "missing-warmup",
    "long-memory-from-cold",
    "medium",
    twin={"blocks": 6, "optimizer": "rmsprop", "optimizer_options": {"alpha": 0.999}, "lr": 4e-3, "epochs": 8, "warmup_steps": 60},
    warmup_steps=0,
)
majority_transformer.fault(
    "missing-warmup",
    "post-norm-from-cold",
    "gross",
    twin={
        "depth": 2,
        "first": False,
        "optimizer": "rmsprop",
        "optimizer_options": {"alpha": 0.999},
        "lr": 8e-3,
        "warmup_steps": 60,
    },
    warmup_steps=0,
)


hastie_silu.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.012, "batch_size": 16, "epochs": 8}, schedule="constant")
california_income.fault(
    "missing-decay", "schedule-forgotten", "gross", twin={"lr": 0.03, "batch_size": 16, "epochs": 8}, schedule="constant"
)
patch_autoencoder.fault(
    "missing-decay", "schedule-forgotten", "mild", twin={"lr": 0.01, "batch_size": 16, "epochs": 12}, schedule="constant"
)
lorenz_dilated.fault("missing-decay", "schedule-forgotten", "mild", twin={"lr": 0.05, "batch_size": 32}, schedule="constant")
shells_deep.fault("missing-decay", "schedule-forgotten", "medium", twin={"lr": 0.15, "batch_size": 16}, schedule="constant")

wine_colour.fault("momentum-too-high", "a-nine-too-many", "medium", momentum=0.999)
cancer_selu.fault("momentum-too-high", "a-nine-too-many", "gross", momentum=0.999)
shells_deep.fault("momentum-too-high", "averaging-weight", "medium", momentum=0.995)
vehicles_residual.fault("momentum-too-high", "averaging-weight", "mild", momentum=0.999)

# -- the optimizer, the batch, the budget ------------------------------------------------------------------------------------------------

adult_embeddings.fault("optimizer-unsuited", "sgd-for-embeddings", "mild", optimizer="sgd", lr=0.02)
majority_transformer.fault("optimizer-unsuited", "sgd-for-attention", "medium", optimizer="sgd", lr=0.05)
adding_gru.fault("optimizer-unsuited", "sgd-for-recurrence", "gross", optimizer="sgd", lr=0.05)
california_income.fault("optimizer-unsuited", "adadelta-default", "medium", optimizer="adadelta", lr=0.01)

cancer_selu.fault("batch-too-large", "all-rows", "medium", batch_size=312)
shells_deep.fault("batch-too-large", "all-rows", "gross", batch_size=2000)
majority_transformer.fault("batch-too-large", "as-much-as-fits", "medium", batch_size=1000)
vehicles_residual.fault("batch-too-large", "as-much-as-fits", "gross", batch_size=1600)
lorenz_dilated.fault("batch-too-large", "as-much-as-fits", "mild", batch_size=800)

shells_deep.fault("batch-too-small", "one-row", "medium", batch_size=1, epochs=3)
cancer_selu.fault("batch-too-small", "one-row", "mild", batch_size=1)
wine_colour.fault("batch-too-small", "one-row", "gross", batch_size=1, epochs=2)
vehicles_residual.fault("batch-too-small", "two-rows", "medium", batch_size=2, epochs=2)

covid_layernorm.fault("trained-too-briefly", "one-epoch", "mild", epochs=1)
adding_gru.fault("trained-too-briefly", "two-epochs", "mild", epochs=2)
patch_autoencoder.fault("trained-too-briefly", "one-epoch", "medium", epochs=1)
california_income.fault("trained-too-briefly", "steps-for-epochs", "gross", max_steps=12, epochs=1)
digit_angle.fault("trained-too-briefly", "one-epoch", "medium", epochs=1)

# -- gradients and activations -----------------------------------------------------------------------------------------------------------

patch_autoencoder.fault("vanishing-gradient", "sigmoid-autoencoder", "medium", widths=(48, 32, 24, 16), act=nn.Sigmoid)
california_income.fault("vanishing-gradient", "sigmoid-everywhere", "gross", depth=10, act=nn.Sigmoid)
shells_deep.fault("vanishing-gradient", "sigmoid-everywhere", "mild", depth=5, act=nn.Sigmoid)
gas_steady.fault("vanishing-gradient", "sigmoid-everywhere", "medium", widths=(48,) * 8, act=nn.Sigmoid)
adding_gru.fault("vanishing-gradient", "long-plain-recurrence", "medium", twin={"length": 20}, kind="tanh", gain=0.3)

shells_deep.fault("exploding-gradient", "doubled-gain", "medium", twin={"depth": 8, "he": True, "optimizer": "adam", "lr": 2e-3}, gain=3.0)
adding_gru.fault("exploding-gradient", "recurrent-gain", "gross", twin={"lr": 6e-3}, gain=25.0, clip_norm=None)
lorenz_dilated.fault("exploding-gradient", "gain-in-every-block", "medium", twin={"blocks": 6}, gain=6.0)
lorenz_dilated.fault(
    "exploding-gradient", "gain-without-momentum", "gross", twin={"blocks": 6, "optimizer": "sgd", "lr": 0.02, "momentum": 0.9}, gain=8.0
)

wine_colour.fault("dead-units", "prior-in-every-bias", "gross", prior=-8.0)
shells_deep.fault("dead-units", "low-biases", "medium", bias=-4.0)
digit_angle.fault("dead-units", "low-biases", "medium", twin={"act": F.relu}, bias=-5.0)
fashion_attributes.fault("dead-units", "prior-in-every-bias", "gross", bias=-12.0)
vehicles_residual.fault("dead-units", "low-biases", "mild", twin={"norm": False, "lr": 0.06, "epochs": 10}, bias=-6.0)

california_income.fault("saturating-activation", "unit-variance-weights", "mild", std=2.0)
patch_autoencoder.fault("saturating-activation", "unit-variance-weights", "medium", std=2.0)
shells_deep.fault("saturating-activation", "forgotten-fan-in", "gross", twin={"act": nn.Tanh}, std=8.0)
digit_angle.fault("saturating-activation", "sharp-sigmoid", "medium", act=lambda x: (60 * x).sigmoid())
gas_steady.fault("saturating-activation", "raw-into-tanh", "gross", twin={"act": nn.Tanh}, log=False, scale=False)

# -- the first weights -------------------------------------------------------------------------------------------------------------------

california_income.fault("bad-initialization", "zeros", "gross", std=0.0)
fashion_attributes.fault("bad-initialization", "unit-variance", "medium", std=1.5, bias=0.0)
shells_deep.fault("bad-initialization", "a-thousandth", "mild", std=1e-3)
digit_angle.fault("bad-initialization", "unit-variance", "mild", std=1.0, bias=0.0)
majority_transformer.fault("bad-initialization", "unit-variance", "medium", std=1.5)

patch_autoencoder.fault("saddle-point", "around-the-origin", "medium", twin={"optimizer": "sgd", "lr": 0.3, "momentum": 0.9}, std=1e-4)
hastie_silu.fault("saddle-point", "units-alike", "mild", alike=1e-3)
hastie_silu.fault("saddle-point", "units-alike", "gross", alike=1e-6)
shells_deep.fault("saddle-point", "around-the-origin", "medium", twin={"act": nn.Tanh, "depth": 4}, std=0.01)
california_income.fault("saddle-point", "around-the-origin", "gross", twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}, std=3e-3)

spectral_lines.fault("local-minimum", "lines-on-one-side", "medium", centres=(2.3, 2.8, 3.3))
spectral_lines.fault("local-minimum", "two-on-one-line", "mild", centres=(-3.2, -2.6, 2.5))
spectral_lines.fault("local-minimum", "all-in-the-middle", "mild", spread=0.05, centres=(0.2, 0.3, 0.4))
spectral_lines.fault("local-minimum", "all-on-the-first", "gross", centres=(-3.1, -2.9, -2.7), spread=0.05)

# -- the network -------------------------------------------------------------------------------------------------------------------------

speaker_conv.fault(
    "missing-normalization", "no-batch-norm", "medium", twin={"depth": 9, "optimizer": "sgd", "lr": 0.05, "momentum": 0.9}, norm=False
)
vehicles_residual.fault(
    "missing-normalization", "no-group-norm", "mild", twin={"blocks": 5, "lr": 0.05, "skip": False, "epochs": 12}, norm=False
)
shells_deep.fault("missing-normalization", "no-batch-norm", "medium", twin={"depth": 12, "norm": nn.BatchNorm1d, "epochs": 15}, norm=None)
majority_transformer.fault("missing-normalization", "no-layer-norm", "gross", twin={"depth": 3, "lr": 0.01}, norm=False)

vehicles_residual.fault(
    "too-deep-without-skips", "plain-net", "medium", twin={"blocks": 7, "norm": False, "lr": 0.02, "epochs": 14}, skip=False
)
lorenz_dilated.fault("too-deep-without-skips", "plain-net", "medium", twin={"blocks": 12, "lr": 1e-3}, skip=False)
shells_deep.fault("too-deep-without-skips", "plain-net", "gross", twin={"depth": 20, "skip": True, "lr": 3e-3, "epochs": 15}, skip=False)
shells_deep.fault(
    "too-deep-without-skips",
    "plain-tanh-net",
    "mild",
    twin={"depth": 16, "act": nn.Tanh, "skip": True, "lr": 0.01, "epochs": 12},
    skip=False,
)

gas_steady.fault("model-too-simple", "one-small-layer", "mild", widths=(2,))
california_income.fault("model-too-simple", "linear", "medium", depth=0)
hastie_silu.fault("model-too-simple", "two-units", "medium", widths=(2,))
shells_deep.fault("model-too-simple", "two-units", "gross", depth=1, width=2)
adding_gru.fault("model-too-simple", "one-state", "mild", width=1)

shells_deep.fault("missing-nonlinearity", "activations-left-out", "gross", act=nn.Identity)
hastie_silu.fault("missing-nonlinearity", "activations-not-called", "gross", act=lambda x: x)
lorenz_dilated.fault("missing-nonlinearity", "activations-left-out", "mild", act=nn.Identity)

patch_autoencoder.fault("bottleneck", "narrow-code", "mild", widths=(48, 3))
patch_autoencoder.fault("bottleneck", "narrow-code", "gross", widths=(48, 1))
gas_steady.fault("bottleneck", "narrow-middle", "medium", twin={"widths": (48, 24, 48)}, widths=(48, 1, 48))
gas_steady.fault("bottleneck", "narrow-end", "mild", twin={"widths": (48, 48, 16)}, widths=(48, 48, 1))

gas_steady.fault("frozen-parameters", "all-but-head", "medium", twin={"widths": (32, 12, 12)}, frozen=6)
patch_autoencoder.fault("frozen-parameters", "encoder", "medium", frozen=True)
majority_transformer.fault("frozen-parameters", "all-but-head", "gross", frozen=True)
adding_gru.fault("frozen-parameters", "recurrence", "medium", frozen="rnn")
spectral_lines.fault("frozen-parameters", "centres", "mild", fixed=True)

# -- outputs and losses ------------------------------------------------------------------------------------------------------------------

covid_layernorm.fault("unnormalized-target", "basis-points", "medium", percent=1000.0)
digit_angle.fault("unnormalized-target", "compass-degrees", "gross", unit=0.01, offset=180.0)
adding_gru.fault("unnormalized-target", "millimetres", "mild", unit=200.0)
patch_autoencoder.fault("unnormalized-target", "grey-levels", "medium", grey=True)
lorenz_dilated.fault("unnormalized-target", "kelvin", "mild", offset=273.0)


fashion_attributes.fault("wrong-loss", "one-class-for-many-labels", "medium", loss=nn.CrossEntropyLoss())
gas_steady.fault("wrong-loss", "names-as-quantities", "gross", index=True)


def column(t: Training) -> None:
    """Two classes as a column of numbers."""
    t.train, t.clean = ((x, y[:, None].astype(np.float32)) for x, y in (t.train, t.clean))


def quantities(t: Training) -> None:
    """Names of classes taken for numbers."""
    column(t)
    t.loss, t.spare["indices"] = nn.MSELoss(), True


speaker_conv.fault("wrong-loss", "names-as-quantities", "medium", outputs=1, edit=quantities)
majority_transformer.fault("wrong-loss", "names-as-quantities", "gross", outputs=1, edit=quantities)

fashion_attributes.fault("wrong-loss", "absolute-error", "mild", last="sigmoid", loss=nn.L1Loss())


hastie_silu.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", last="sigmoid", loss=nn.BCEWithLogitsLoss())
fashion_attributes.fault("softmax-before-cross-entropy", "sigmoid-twice", "medium", last="sigmoid")
wine_colour.fault("softmax-before-cross-entropy", "sigmoid-twice", "mild", last="sigmoid")


wine_colour.fault("single-unit-softmax", "softmax-of-one", "gross", last="softmax", reshape=False)
hastie_silu.fault("single-unit-softmax", "softmax-of-one", "gross", last="softmax")
adult_embeddings.fault("single-unit-softmax", "softmax-of-one", "gross", outputs=1, last=Softmax, loss=nn.BCELoss(), edit=column)

covid_layernorm.fault("wrong-output-activation", "no-negative-shares", "mild", last=nn.ReLU)
digit_angle.fault("wrong-output-activation", "no-negative-angles", "medium", last="relu")
lorenz_dilated.fault("wrong-output-activation", "tanh-of-another-unit", "gross", twin={"unit": 4.0}, last=nn.Tanh)
patch_autoencoder.fault("wrong-output-activation", "sigmoid-for-pixels", "medium", last=nn.Sigmoid)


def summed(t: Training) -> None:
    """The loss adds up rows."""
    t.loss.reduction = "sum"  # type: ignore[assignment]


wine_colour.fault("loss-summed-over-batch", "sum", "medium", edit=summed, batch_size=128)
shells_deep.fault("loss-summed-over-batch", "sum", "medium", reduction="sum")
vehicles_residual.fault("loss-summed-over-batch", "sum", "gross", reduction="sum")
cancer_selu.fault("loss-summed-over-batch", "sum", "gross", edit=summed, batch_size=64)

speaker_conv.fault("output-width-wrong", "one-speaker-forgotten", "mild", outputs=5)
california_income.fault("output-width-wrong", "two-classes-left-over", "medium", outputs=2)
covid_layernorm.fault("output-width-wrong", "one-output-a-day", "gross", outputs=5)
gas_steady.fault("output-width-wrong", "half-of-the-gases", "medium", outputs=3)

covid_layernorm.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
digit_angle.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
adding_gru.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)
lorenz_dilated.fault("output-target-shape-mismatch", "flat-targets", "medium", flat=True)

wine_colour.fault("gradient-clipping-too-tight", "a-thousandth", "mild", clip_norm=1e-3)
shells_deep.fault("gradient-clipping-too-tight", "by-value-for-norm", "medium", clip_norm=2e-3)
cancer_selu.fault("gradient-clipping-too-tight", "one-over-steps", "gross", clip_norm=1e-4)
vehicles_residual.fault("gradient-clipping-too-tight", "a-hundredth", "mild", clip_norm=3e-3)

# -- inputs and their order --------------------------------------------------------------------------------------------------------------

wine_colour.fault("unnormalized-input", "scaler-forgotten", "medium", scale=False)
fashion_attributes.fault("unnormalized-input", "bytes", "mild", twin={"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}, bytes_=True)
adult_embeddings.fault("unnormalized-input", "raw-numbers", "gross", scale=False)
cancer_selu.fault("unnormalized-input", "scaler-forgotten", "medium", scale=False)
red_wine.fault("unnormalized-input", "scaler-forgotten", "mild", scale=False)

shells_deep.fault("data-not-shuffled", "shell-by-shell", "medium", prepare=by_label, shuffle=False)
speaker_conv.fault("data-not-shuffled", "file-order", "gross", twin={"in_file_order": True}, shuffle=False)
california_income.fault("data-not-shuffled", "sorted-by-income", "medium", twin={"file_order": True}, shuffle=False)
majority_transformer.fault("data-not-shuffled", "topic-by-topic", "medium", prepare=by_label, shuffle=False)
digit_angle.fault("data-not-shuffled", "sorted-by-angle", "mild", prepare=by_label, shuffle=False)

# -- features, data and capacity ---------------------------------------------------------------------------------------------------------

adult_embeddings.fault("features-insufficient", "age-alone", "gross", only=(0,))
adult_embeddings.fault("features-insufficient", "age-and-origin", "medium", only=(0, 9))
hastie_silu.fault("features-insufficient", "two-coarse-columns", "medium", columns=2, levels=3)
covid_layernorm.fault("features-insufficient", "two-rounded-surveys", "mild", columns=(2, 20))

red_wine.fault("over-regularized", "decay-of-one", "gross", weight_decay=1.0)
patch_autoencoder.fault("over-regularized", "decay-copied", "mild", weight_decay=0.03)
digit_angle.fault("over-regularized", "drop-nine-in-ten", "medium", drop=0.9)
covid_layernorm.fault("over-regularized", "decay-for-adamw", "medium", weight_decay=60.0)
adult_embeddings.fault("over-regularized", "decay-copied", "mild", weight_decay=0.1)

hastie_silu.fault("too-little-data", "two-hundred-rows", "mild", edit=few(200))
digit_angle.fault("too-little-data", "hundred-rows", "medium", edit=few(100))
fashion_attributes.fault("too-little-data", "fifty-rows", "gross", edit=few(50))
speaker_conv.fault("too-little-data", "sixty-rows", "medium", edit=few(60))
shells_deep.fault("too-little-data", "hundred-rows", "medium", edit=few(100))

red_wine.fault(
    "model-too-flexible",
    "two-wide-layers",
    "medium",
    twin={"rows": 300, "noise": 0.4, "hidden": (), "lr": 0.01, "epochs": 20, "schedule": "cosine"},
    hidden=(512, 512),
)
red_wine.fault(
    "model-too-flexible",
    "three-wide-layers",
    "gross",
    twin={"rows": 200, "noise": 0.5, "hidden": (), "lr": 0.01, "epochs": 22, "schedule": "cosine"},
    hidden=(256, 256, 256),
)
red_wine.fault(
    "model-too-flexible",
    "too-wide",
    "mild",
    twin={"rows": 500, "noise": 0.4, "hidden": (), "lr": 0.01, "epochs": 15, "schedule": "cosine"},
    hidden=(1024,),
)
spectral_lines.fault(
    "model-too-flexible",
    "a-line-everywhere",
    "medium",
    twin={"rows": 300, "noise": 0.4, "epochs": 25, "lr": 0.04, "batch_size": 16},
    centres=tuple(i / 6 - 5 for i in range(60)),
    width=0.15,
)

red_wine.fault(
    "trained-too-long", "hundred-fifty-epochs", "medium", twin={"rows": 400, "hidden": (64, 64), "lr": 2e-3, "epochs": 8}, epochs=150
)
adult_embeddings.fault("trained-too-long", "eighty-epochs", "mild", twin={"rows": 600, "width": 96, "epochs": 8, "drop": 0.0}, epochs=80)
red_wine.fault("trained-too-long", "overnight", "gross", twin={"rows": 250, "hidden": (128, 64), "lr": 2e-3, "epochs": 8}, epochs=300)


def moved(x: np.ndarray, reach: int, rng: np.random.Generator, axes: tuple[int, ...]) -> np.ndarray:
    """Every row moved by up to ``reach`` places along the axes, edges repeated."""
    pad = [(0, 0)] * x.ndim
    for axis in axes:
        pad[axis] = (reach, reach)
    wide = np.pad(x, pad, mode="edge")
    out = np.empty_like(x)
    for i, row in enumerate(wide):
        for axis in axes:
            start = int(rng.integers(0, 2 * reach + 1))
            row = np.take(row, range(start, start + x.shape[axis]), axis - 1)
        out[i] = row
    return out


def moving(count: int, reach: int, axes: tuple[int, ...], copies: int) -> Edit:
    """The first rows, seen in many places; others in any place are validation and judge."""

    def edit(t: Training) -> None:
        rng = np.random.default_rng(count)
        (x, y), (u, v) = t.train, t.clean
        t.clean = (moved(u, reach, rng, axes), v)
        t.validation = (moved(x[count : count + 300], reach, rng, axes), y[count : count + 300])
        t.train = (np.concatenate([moved(x[:count], reach, rng, axes) for _ in range(copies)]), np.concatenate([y[:count]] * copies))
        t.set(epochs=max(3, round(t.recipe.epochs * 2000 / (count * copies))))

    return edit


def still(count: int, copies: int) -> Edit:
    """The rows as they are, seen as often."""

    def edit(t: Training) -> None:
        t.train = (t.train[0][:count], t.train[1][:count])
        t.set(epochs=t.recipe.epochs * copies)

    return edit


fashion_attributes.fault("missing-augmentation", "never-moved", "medium", prepare=moving(200, 3, (2, 3), 12), edit=still(200, 12))
speaker_conv.fault("missing-augmentation", "never-delayed", "mild", prepare=moving(120, 4, (2,), 12), edit=still(120, 12))
digit_angle.fault("missing-augmentation", "never-moved", "medium", prepare=moving(250, 3, (2, 3), 12), edit=still(250, 12))
fashion_attributes.fault("missing-augmentation", "never-moved-far", "gross", prepare=moving(100, 4, (2, 3), 16), edit=still(100, 16))

# -- another test set --------------------------------------------------------------------------------------------------------------------


def beyond(column: int, share: float) -> Edit:
    """Training rows low in a column, test rows high in it."""

    def edit(t: Training) -> None:
        (x, y), (u, v) = t.train, t.clean
        low, high = x[:, column] < np.quantile(x[:, column], share), u[:, column] > np.quantile(u[:, column], 0.7)
        t.train, t.test = (x[low], y[low]), (u[high], v[high])

    return edit


def noisy(level: float) -> Edit:
    """Noise on test inputs."""
    return test_inputs(lambda x: x + np.random.default_rng(8).normal(0, level * x.std(), x.shape))


gas_steady.fault("covariate-shift", "months-later", "medium", prepare=honest_test, months_later=True)
covid_layernorm.fault("covariate-shift", "higher-incidence", "mild", prepare=honest_test, edit=beyond(-1, 0.4))
fashion_attributes.fault("covariate-shift", "another-frame", "medium", prepare=honest_test, edit=test_inputs(lambda x: np.roll(x, 3, 2)))
speaker_conv.fault("covariate-shift", "noisy-room", "gross", prepare=honest_test, edit=noisy(1.0))
california_income.fault("covariate-shift", "another-latitude", "mild", prepare=honest_test, edit=beyond(1, 0.5))
digit_angle.fault("covariate-shift", "noisy-scanner", "medium", prepare=honest_test, edit=noisy(0.8))


def other_shares(rare: tuple[int, ...], count: int) -> Edit:
    """Classes that are rare in training and make up most of the test set."""

    def edit(t: Training) -> None:
        kept(first_of(count, *rare))(t)
        u, v = t.clean
        rows = np.isin(v, rare) | (np.random.default_rng(9).random(len(v)) < 0.1)
        t.test = (u[rows], v[rows])

    return edit


gas_steady.fault("label-shift", "new-customers", "medium", twin={"epochs": 12}, prepare=honest_test, edit=other_shares((1, 4), 8))
speaker_conv.fault("label-shift", "new-speakers", "gross", prepare=honest_test, edit=other_shares((0, 2), 6))
california_income.fault("label-shift", "rich-districts-later", "medium", prepare=honest_test, edit=other_shares((2,), 15))
majority_transformer.fault("label-shift", "other-topics", "mild", prepare=honest_test, edit=other_shares((0, 3), 25))
adult_embeddings.fault("label-shift", "older-sample", "medium", prepare=honest_test, edit=other_shares((1,), 60))


def other_units(t: Training) -> None:
    """Test columns divided by what somebody remembered instead of the training set's spread."""
    rng = np.random.default_rng(10)
    u = t.clean[0]
    t.test = ((u * np.exp(rng.normal(0, 0.5, u.shape[1])) + rng.normal(0, 1.2, u.shape[1])).astype(np.float32), t.clean[1])


gas_steady.fault("preprocessing-mismatch", "another-logarithm", "medium", prepare=honest_test, edit=test_inputs(lambda x: x / 2.303 - 2))
covid_layernorm.fault("preprocessing-mismatch", "scaler-left-out", "gross", prepare=honest_test, edit=test_inputs(lambda x: x * 9 + 30))
digit_angle.fault("preprocessing-mismatch", "bytes", "gross", prepare=honest_test, edit=test_inputs(lambda x: x * 255))
california_income.fault("preprocessing-mismatch", "another-scaler", "mild", prepare=honest_test, edit=other_units)
fashion_attributes.fault("preprocessing-mismatch", "inverted", "medium", prepare=honest_test, edit=test_inputs(lambda x: 1.3 - x))

# -- the table itself --------------------------------------------------------------------------------------------------------------------

wine_colour.fault("label-noise", "hasty-tasters", "gross", edit=relabelled(wrong_share(0.35, 2)))
speaker_conv.fault("label-noise", "crowd-workers", "gross", edit=relabelled(wrong_share(0.6, 6)))
hastie_silu.fault("label-noise", "flipped", "medium", edit=relabelled(wrong_share(0.25, 2)))
majority_transformer.fault("label-noise", "crowd-workers", "medium", edit=relabelled(wrong_share(0.6, 4)))
shells_deep.fault("label-noise", "flipped", "gross", edit=relabelled(wrong_share(0.45, 3)))

covid_layernorm.fault("labels-unrelated-to-inputs", "one-row-late", "medium", edit=relabelled(lambda y: np.roll(y, 1, 0)))
majority_transformer.fault(
    "labels-unrelated-to-inputs", "shuffled-apart", "gross", edit=relabelled(lambda y: np.random.default_rng(11).permutation(y))
)
digit_angle.fault("labels-unrelated-to-inputs", "one-row-early", "medium", edit=relabelled(lambda y: np.roll(y, -1, 0)))
wine_colour.fault(
    "labels-unrelated-to-inputs", "sorted-apart", "gross", edit=relabelled(lambda y: np.random.default_rng(12).permutation(y))
)

speaker_conv.fault("wrong-labels", "counted-from-one", "gross", edit=relabelled(lambda y: y + 1))
digit_angle.fault(
    "wrong-labels", "validation-in-degrees", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: y * 30)
)
california_income.fault(
    "wrong-labels", "highest-first", "medium", prepare=judged_by_validation, edit=validation_relabelled(lambda y: 3 - y)
)
gas_steady.fault("wrong-labels", "another-alphabet", "medium", prepare=given_validation, edit=relabelled(lambda y: (y + 2) % 6))
covid_layernorm.fault(
    "wrong-labels",
    "training-in-another-unit",
    "mild",
    prepare=given_validation,
    edit=relabelled(lambda y: (y * 0.3 + 2).astype(np.float32)),
)

wine_colour.fault("class-imbalance", "few-reds", "mild", prepare=balanced, edit=kept(first_of(10, 1)))
speaker_conv.fault("class-imbalance", "few-of-two-speakers", "medium", prepare=balanced, edit=kept(first_of(5, 1, 4)))
california_income.fault("class-imbalance", "few-poor-districts", "medium", prepare=balanced, edit=kept(first_of(12, 0)))
gas_steady.fault("class-imbalance", "few-of-two-gases", "gross", prepare=balanced, edit=kept(first_of(4, 0, 2)))
adult_embeddings.fault("class-imbalance", "few-married", "medium", prepare=balanced, edit=kept(first_of(30, 1)))


def missing(share: float, column: int | None = None) -> Edit:
    """Values that are not there, in a column or anywhere."""

    def edit(t: Training) -> None:
        x, rng = t.train[0].copy(), np.random.default_rng(13)
        if column is None:
            x[rng.random(x.shape) < share] = np.nan
        else:
            x[rng.random(len(x)) < share, column] = np.nan
        t.train = (x, t.train[1])

    return edit


def missing_targets(t: Training) -> None:
    """Targets of a few rows are not numbers."""
    y = t.train[1].copy()
    y[np.random.default_rng(14).permutation(len(y))[:25]] = np.nan
    t.train = (t.train[0], y)


covid_layernorm.fault("non-finite-data", "unanswered-questions", "medium", edit=missing(0.01))
lorenz_dilated.fault("non-finite-data", "sensor-dropouts", "medium", edit=missing(0.005))
adult_embeddings.fault("non-finite-data", "age-unknown", "mild", edit=missing(0.02, 0))
digit_angle.fault("non-finite-data", "angles-not-measured", "gross", edit=missing_targets)


def flattered(t: Training) -> None:
    """Judged by how far validation flatters."""
    t.scored = "optimism"


def flattered_validation(t: Training) -> None:
    """A fifth of the rows is handed over as validation; judged by how far it flatters."""
    given_validation(t)
    t.scored = "optimism"


red_wine.fault(
    "train-test-leakage",
    "upsampled-before-split",
    "medium",
    twin={"rows": 300, "hidden": (64, 64), "lr": 2e-3, "epochs": 10},
    prepare=flattered,
    edit=copied(6),
)
hastie_silu.fault(
    "train-test-leakage",
    "jittered-before-split",
    "mild",
    twin={"rows": 300, "lr": 6e-3, "epochs": 11},
    prepare=flattered,
    edit=copied(6, 0.02),
)
digit_angle.fault(
    "train-test-leakage",
    "jittered-before-split",
    "medium",
    twin={"rows": 250, "epochs": 14, "lr": 5e-3},
    prepare=flattered,
    edit=copied(5, 0.02),
)
vehicles_residual.fault(
    "train-test-leakage",
    "validation-not-taken-out",
    "gross",
    twin={"rows": 300, "epochs": 10, "batch_size": 16, "lr": 0.03},
    prepare=flattered_validation,
    edit=validation_among_training,
)
