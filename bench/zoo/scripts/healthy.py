"""Healthy trainings that are no twins: odd, hard or imperfect, but sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

import traindx as tdx
from zoo.healthy import Built, Healthy, plain, r
from zoo.scripts.base import Edit, Script, by_label, honest_test, scaled
from zoo.scripts.clouds import hastie_silu, shells_deep
from zoo.scripts.images import digit_angle, fashion_attributes, patch_autoencoder, vehicles_residual
from zoo.scripts.mistakes import moving, summed
from zoo.scripts.signals import adding_gru, lorenz, lorenz_dilated, majority_transformer, speaker_conv, spectral_lines
from zoo.scripts.tables import adult_embeddings, california_income, covid_layernorm, gas_steady, red_wine, wine_colour

SOUND: list[Healthy] = []


def sound(build: Callable[[], Built]) -> Callable[[], Built]:
    """List a training under the function's name."""
    SOUND.append(Healthy(build.__name__.replace("_", "-"), build))
    return build


def held_out(build: Callable[[], Built]) -> Callable[[], Built]:
    """List one that judges."""
    SOUND.append(Healthy(build.__name__.replace("_", "-"), build, held_out=True))
    return build


def other(name: str, script: Script, edit: Edit | None = None, variant: int = 98, held_out: bool = False, **options: Any) -> None:
    """A script with harmless options."""

    def build() -> Built:
        made = script.training(variant, **options)
        if edit is not None:
            edit(made)
        return made.task(), made.recipe

    SOUND.append(Healthy(name, build, held_out))


# Imperfect, but it does the work.
other("wine-rate-times-three", wine_colour, lr=0.15)
other("hastie-rate-times-three", hastie_silu, lr=0.015)
other("covid-rate-a-third", covid_layernorm, lr=1e-3, epochs=50)
other("shells-rate-a-third", shells_deep, lr=0.017, epochs=30)
other("hastie-large-batch", hastie_silu, batch_size=256, epochs=30, lr=0.01)
other("income-wide", california_income, width=128, epochs=8)
other("gas-narrow", gas_steady, widths=(20,), epochs=40, lr=8e-3)
other("voices-momentum", speaker_conv, optimizer="sgd", lr=0.05, momentum=0.95)
other("shells-nadam", shells_deep, optimizer="nadam", lr=5e-3, momentum=0.0)
other("lines-long", spectral_lines, epochs=40)
other("tokens-long", majority_transformer, epochs=24, lr=2e-3)
other("patches-relu", patch_autoencoder, act=nn.ELU, lr=4e-3)
other("angles-dropout", digit_angle, drop=0.1, epochs=25, lr=6e-3)
other("shells-residual", shells_deep, depth=8, skip=True, lr=0.02, epochs=15)
other("vehicles-deeper", vehicles_residual, blocks=3, epochs=7)
other("wine-summed-suitably", wine_colour, summed, lr=0.05 / 32)
other("voices-in-file-order", speaker_conv, in_file_order=True)
other("income-sorted-but-shuffled", california_income, by_label)
other("voices-honest-test", speaker_conv, honest_test)
other("covid-honest-test", covid_layernorm, honest_test)
other("census-small-network", adult_embeddings, width=8, epochs=10, lr=8e-3)
other("red-wine-early-stopping", red_wine, hidden=(32,), early_stopping=6, epochs=40, lr=3e-3)
other("clothes-moved", fashion_attributes, moving(700, 1, (2, 3), 3))
other("adding-clipped", adding_gru, clip_norm=0.5, epochs=30)
other("lorenz-leaky", lorenz_dilated, act=nn.LeakyReLU, epochs=20)


@sound
def overlapping_classes() -> Built:
    """Three clouds that overlap: nothing gets beyond the noise floor."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs(2400, 8, centers=3, cluster_std=4.0, center_box=(-3, 3), random_state=1)
    (x,) = scaled(x)
    task = tdx.Task(lambda: plain(8, 16, 3), nn.CrossEntropyLoss(), (x, y), name="overlapping-classes")
    return task, r("adam", 4e-3, 8, schedule="cosine")


@sound
def four_columns_matter() -> Built:
    """A line in four of twenty columns, more noise than signal, a linear model."""
    from sklearn.datasets import make_sparse_uncorrelated

    x, y = make_sparse_uncorrelated(1500, 20, random_state=2)
    y = y + np.random.default_rng(2).normal(0, 3, len(y))
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    task = tdx.Task(lambda: nn.Linear(20, 1), nn.MSELoss(), (x.astype(np.float32), y[:, None]), name="four-columns-matter")
    return task, r("sgd", 0.02, 12, momentum=0.9, schedule="cosine")


@sound
def flowers_in_centimetres() -> Built:
    """150 flowers, measured in centimetres and not standardised."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    task = tdx.Task(lambda: plain(4, 16, 3), nn.CrossEntropyLoss(), (x.astype(np.float32), y), name="flowers-in-centimetres")
    return task, r("adam", 0.02, 60, batch_size=16)


@sound
def cultivars() -> Built:
    """178 wines of three cultivars, half of the units dropped."""
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    (x,) = scaled(x)

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 3))

    return tdx.Task(model, nn.CrossEntropyLoss(), (x, y), name="cultivars"), r("adamw", 5e-3, 30, batch_size=16, weight_decay=1e-2)


@sound
def principal_axes() -> Built:
    """Five principal axes of a clinic's table, a logistic regression."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.decomposition import PCA

    x, y = load_breast_cancer(return_X_y=True)
    (x,) = scaled(PCA(5, random_state=0).fit_transform(scaled(x)[0]))
    task = tdx.Task(lambda: nn.Linear(5, 1), nn.BCEWithLogitsLoss(), (x, y[:, None].astype(np.float32)), name="principal-axes")
    return task, r("adam", 0.03, 30, batch_size=32)


@sound
def three_targets() -> Built:
    """Three numbers at once by a linear map, in units of their noise."""
    from sklearn.datasets import make_regression

    x, y = make_regression(1500, 12, n_informative=8, n_targets=3, noise=40.0, random_state=3)
    x, y = scaled(x)[0], scaled(y)[0]
    task = tdx.Task(lambda: nn.Linear(12, 3), nn.MSELoss(), (x, y), name="three-targets")
    return task, r("sgd", 0.05, 12, momentum=0.9, schedule="cosine")


@sound
def one_sigmoid_layer() -> Built:
    """A single layer of sigmoid units, which learns well."""
    made = gas_steady.training(94, widths=(48,), act=nn.Sigmoid, lr=0.02, epochs=25)
    return made.task(), made.recipe


@sound
def zero_head() -> Built:
    """The last layer starts at zero, as is good practice."""
    made = gas_steady.training(97)
    first = made.model

    def model() -> nn.Module:
        net = first()
        nn.init.zeros_(net[-1].weight)  # type: ignore[index,arg-type]
        return net

    made.model = model
    return made.task(), made.recipe


@sound
def orthogonal() -> Built:
    """Orthogonal weights in a stack of tanh."""
    made = california_income.training(97)
    first = made.model

    def model() -> nn.Module:
        net = first()
        for layer in net:  # type: ignore[attr-defined]
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight)
        return net

    made.model = model
    return made.task(), made.recipe


@sound
def two_gases_less() -> Built:
    """Two of six classes are three times rarer than they were."""
    made = gas_steady.training(96)
    rows = ~np.isin(made.train[1], (1, 4)) | (np.random.default_rng(4).random(len(made.train[1])) < 0.33)
    made.train = (made.train[0][rows], made.train[1][rows])
    made.set(epochs=28)
    return made.task(), made.recipe


@sound
def constant_columns() -> Built:
    """Columns that are always zero beside those that tell something."""
    made = wine_colour.training(96)
    x, y = made.train
    x = np.concatenate([x, np.zeros((len(x), 6), np.float32)], 1)
    task = tdx.Task(lambda: plain(17, 24, 1), nn.BCEWithLogitsLoss(), (x, y[:, None]), name="constant-columns")
    return task, r("adam", 5e-3, 10, batch_size=32)


@sound
def started_at_the_mean() -> Built:
    """A share in per cent, not standardised; the last bias starts at its mean."""
    made = covid_layernorm.training(96, standard=False)
    first, mean = made.model, float(made.train[1].mean())

    def model() -> nn.Module:
        net = first()
        nn.init.constant_(net[-1].bias, mean)  # type: ignore[index,arg-type]
        return net

    made.model = model
    made.set(lr=0.02, epochs=40)
    return made.task(), made.recipe


@sound
def latest_rows_validate() -> Built:
    """A series whose latest fifth is the validation set."""
    x, y = lorenz()
    x, y = x[:2500].reshape(2500, -1), y[:2500, None]
    task = tdx.Task(lambda: plain(48, 64, 64, 1), nn.MSELoss(), (x, y), time=np.arange(2500), name="latest-rows-validate")
    return task, r("adam", 2e-3, 15, schedule="cosine")


@sound
def unlabelled_later() -> Built:
    """A test set without labels, from the same batches."""
    made = gas_steady.training(95)
    task = tdx.Task(made.model, made.loss, made.train, test=(made.clean[0], None), name="unlabelled-later")
    return task, made.recipe
