"""Scripts on tables."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import data
from zoo.scripts.base import Draw, Training, initialized, scaled, script, settings

# -- the colour of a wine ----------------------------------------------------------------------------------------------------------------


@cache
def both_wines() -> tuple[np.ndarray, np.ndarray]:
    """(6497, 11) measures, the reds first, and whether the wine is red."""
    red, white = data.wine("red")[0], data.wine("white")[0]
    return np.concatenate([red, white]), np.r_[np.ones(len(red)), np.zeros(len(white))].astype(np.float32)


class Taster(nn.Module):
    """Two hidden layers and one number for a wine."""

    def __init__(self, width: int, last: str, reshape: bool) -> None:
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(11, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.last, self.reshape = last, reshape

    def forward(self, x: Tensor) -> Tensor:
        """(N, 11) -> (N,)."""
        x = self.out(F.relu(self.fc2(F.relu(self.fc1(x)))))
        x = x.squeeze(1) if self.reshape else x
        return {"": lambda: x, "softmax": lambda: F.softmax(x, 1), "sigmoid": lambda: torch.sigmoid(x)}[self.last]()


@script("wine-colour")
def wine_colour(
    draw: Draw, *, scale: bool = True, width: int = 24, last: str = "", reshape: bool = True, prior: float | None = None, **recipe: Any
) -> Training:
    """Red or white by eleven measures."""
    x, y = both_wines()
    (x, y), (u, v) = draw.rows(x, y, 2000)
    if scale:
        x, u = scaled(x, u)
    if not reshape:
        y, v = y[:, None], v[:, None]
    width = draw.units(width)

    def model() -> nn.Module:
        net = Taster(width, last, reshape)
        return net if prior is None else initialized(net, lambda w: nn.init.normal_(w, 0, 0.01), prior)

    loss = nn.BCELoss() if last == "softmax" else nn.BCEWithLogitsLoss()
    mine = {"optimizer": "sgd", "lr": draw.near(0.05), "momentum": 0.9, "batch_size": 32, "epochs": 10}
    return Training(model, loss, (x, y), (u, v), settings(mine, recipe), classes=2)


# -- infections by surveys ---------------------------------------------------------------------------------------------------------------


@cache
def surveys() -> tuple[np.ndarray, np.ndarray]:
    """(2699, 79) survey shares of five days and the share tested positive on the fifth."""
    x, y = data.covid_later()
    return x[:, 37:], y


@script("covid-layernorm")
def covid_layernorm(
    draw: Draw,
    *,
    rows: int = 1500,
    noise: float = 0.0,
    columns: tuple[int, ...] = (),
    standard: bool = True,
    percent: float = 1.0,
    width: int = 32,
    outputs: int = 1,
    last: type[nn.Module] | None = None,
    drop: float = 0.0,
    flat: bool = False,
    **recipe: Any,
) -> Training:
    """The share tested positive, from four days before and the surveys of five days."""
    x, y = surveys()
    (x, y), (u, v) = draw.rows(x, y, rows)
    x, u = scaled(x, u)
    if columns:
        x, u = np.round(x[:, columns]), np.round(u[:, columns])
    mean, std = (y.mean(), y.std()) if standard else (0.0, 1.0)
    y = y + noise * y.std() * draw.luck.normal(0, 1, len(y)).astype(np.float32)
    y, v = (y - mean) / std * percent, (v - mean) / std * percent
    width = draw.units(width)

    def model() -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(x.shape[1], width), nn.LayerNorm(width), nn.SiLU(), nn.Dropout(drop)]
        layers += [nn.Linear(width, width), nn.LayerNorm(width), nn.SiLU(), nn.Dropout(drop), nn.Linear(width, outputs)]
        return nn.Sequential(*layers, *([last()] if last else []))

    y, v = (y, v) if flat else (y[:, None], v[:, None])
    mine = {"optimizer": "adamw", "lr": draw.near(3e-3), "weight_decay": 1e-2, "batch_size": 64, "epochs": 24, "schedule": "cosine"}
    return Training(model, nn.MSELoss(), (x, y.astype(np.float32)), (u, v.astype(np.float32)), settings(mine, recipe))


# -- a gas by sixteen sensors ------------------------------------------------------------------------------------------------------------


@cache
def steady_states() -> tuple[np.ndarray, np.ndarray]:
    """(N, 16) steady-state responses and the gas, batches 2, 3, 5 and 6."""
    x, y = data.gas((2, 3, 5, 6))
    return x[:, ::8], y


@cache
def later_states() -> tuple[np.ndarray, np.ndarray]:
    """The same of batches 8 and 9, months later."""
    x, y = data.gas((8, 9))
    return x[:, ::8], y


@script("gas-steady")
def gas_steady(
    draw: Draw,
    *,
    rows: int = 2000,
    log: bool = True,
    scale: bool = True,
    months_later: bool = False,
    widths: tuple[int, ...] = (48, 48),
    act: type[nn.Module] = nn.ELU,
    frozen: int = 0,
    outputs: int = 6,
    index: bool = False,
    **recipe: Any,
) -> Training:
    """Six gases by the steady state of sixteen sensors."""
    x, y = steady_states()
    x, late = (np.log(np.maximum(a, 1)) if log else a for a in (x, later_states()[0]))
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        x, u, late = scaled(x, u, late)
    widths = tuple(w if w < 8 else draw.units(w) for w in widths)

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        before = 16
        for width in widths:
            layers += [nn.Linear(before, width), act()]
            before = width
        net = nn.Sequential(*layers, nn.Linear(before, 1 if index else outputs))
        for layer in net[:frozen]:
            layer.requires_grad_(False)
        return net

    mine = {"optimizer": "rmsprop", "lr": draw.near(4e-3), "batch_size": 32, "epochs": 20, "schedule": "cosine"}
    if index:
        y, v = y[:, None].astype(np.float32), v[:, None].astype(np.float32)
    made = Training(model, nn.MSELoss() if index else nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=6)
    made.spare["indices"] = index
    if months_later:
        made.test = (late, later_states()[1])
    return made


# -- married or not ----------------------------------------------------------------------------------------------------------------------


@cache
def census() -> tuple[np.ndarray, np.ndarray, list[int]]:
    """(32561, 13): six numbers and seven categories' codes; whether the person is married; how many codes each category has."""
    numbers, codes, sizes, status = data.adult_columns()
    married = np.array([s.startswith("Married") and "absent" not in s for s in status], dtype=np.int64)
    return np.concatenate([numbers, codes], 1), married, sizes


class Census(nn.Module):
    """An embedding for every category, and numbers beside them."""

    def __init__(self, sizes: list[int], width: int, drop: float, outputs: int = 2) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 4) for size in sizes)
        self.fc1 = nn.Linear(6 + 4 * len(sizes), width)
        self.fc2 = nn.Linear(width, outputs)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 13) -> (N, outputs)."""
        parts = [table(x[:, 6 + i].long()) for i, table in enumerate(self.tables)]
        return self.fc2(self.drop(F.gelu(self.fc1(torch.cat([x[:, :6], *parts], 1)))))


@script("adult-embeddings")
def adult_embeddings(
    draw: Draw,
    *,
    rows: int = 2500,
    scale: bool = True,
    only: tuple[int, ...] = (),
    width: int = 32,
    drop: float = 0.1,
    outputs: int = 2,
    last: type[nn.Module] | None = None,
    loss: nn.Module | None = None,
    **recipe: Any,
) -> Training:
    """Married or not, by age, work, income and origin."""
    x, y, sizes = census()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if scale:
        x[:, 3:5], u[:, 3:5] = np.log1p(x[:, 3:5]), np.log1p(u[:, 3:5])
        x[:, :6], u[:, :6] = scaled(x[:, :6], u[:, :6])
    if only:
        for table in (x, u):
            table[:, [j for j in range(13) if j not in only]] = 0
            table[:, 0] = np.round(table[:, 0] / 2)
    width = draw.units(width)

    def model() -> nn.Module:
        net = Census(sizes, width, drop, outputs)
        return nn.Sequential(net, last()) if last else net

    mine = {"optimizer": "adam", "lr": draw.near(5e-3), "batch_size": 64, "epochs": 8, "schedule": "cosine"}
    return Training(model, loss or nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)


# -- rich and poor districts -------------------------------------------------------------------------------------------------------------


@cache
def districts() -> tuple[np.ndarray, np.ndarray]:
    """(N, 8) place, age, logarithms of counts and of the value, and the quarter of incomes to which the district belongs."""
    x = data.california_districts()
    income = x[:, 7]
    columns = np.concatenate([x[:, :3], np.log1p(x[:, 3:7]), np.log1p(x[:, 8:])], 1)
    return columns, np.searchsorted(np.quantile(income, (0.25, 0.5, 0.75)), income)


@script("california-income")
def california_income(
    draw: Draw,
    *,
    rows: int = 3000,
    file_order: bool = False,
    depth: int = 3,
    width: int = 48,
    act: type[nn.Module] = nn.Tanh,
    std: float | None = None,
    outputs: int = 4,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """Which quarter of incomes a district belongs to, by its place on the map and its houses."""
    x, y = districts()
    (x, y), (u, v) = draw.rows(x, y, rows)
    if file_order:
        order = np.lexsort((x[:, 0], y))
        x, y = x[order], y[order]
    x, u = scaled(x, u)
    width = draw.units(width) if width > 4 else width

    def model() -> nn.Module:
        sizes = [8, *([width] * depth)]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), act()]
        net = nn.Sequential(*layers, nn.Linear(sizes[-1], outputs), *([last()] if last else []))
        return net if std is None else initialized(net, lambda w: nn.init.normal_(w, 0, std) if std else nn.init.zeros_(w), 0.0)

    mine = {"optimizer": "adam", "lr": draw.near(5e-3), "batch_size": 64, "epochs": 12, "schedule": "cosine"}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=4)


# -- the score of a red wine -------------------------------------------------------------------------------------------------------------


@script("red-wine")
def red_wine(
    draw: Draw,
    *,
    rows: int = 1000,
    noise: float = 0.0,
    scale: bool = True,
    hidden: tuple[int, ...] = (16,),
    act: type[nn.Module] = nn.ReLU,
    last: type[nn.Module] | None = None,
    **recipe: Any,
) -> Training:
    """The score that tasters gave, in points from the mean."""
    x, y = data.wine("red")
    (x, y), (u, v) = draw.rows(x, y, max(rows, 1000))
    x, y = x[:rows], y[:rows]
    if scale:
        x, u = scaled(x, u)
    mean, std = y.mean(), y.std()
    y, v = (y - mean) / std, (v - mean) / std
    y = (y + noise * draw.luck.normal(0, 1, len(y))).astype(np.float32)

    def model() -> nn.Module:
        sizes = [11, *hidden]
        layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), act())]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], 1), *([last()] if last else []))

    mine = {"optimizer": "adam", "lr": draw.near(5e-3), "batch_size": 32, "epochs": 14, "weight_decay": 1e-4}
    return Training(model, nn.MSELoss(), (x, y[:, None]), (u, v[:, None].astype(np.float32)), settings(mine, recipe))


# -- a small clinic ----------------------------------------------------------------------------------------------------------------------


@script("cancer-selu")
def cancer_selu(
    draw: Draw,
    *,
    scale: bool = True,
    **recipe: Any,
) -> Training:
    """Malignant or benign, by the worst of ten measures of a cell nucleus."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    (x, y), (u, v) = draw.rows(x[:, 20:].astype(np.float32), y, 390)
    if scale:
        x, u = scaled(x, u)
    width = draw.units(16)

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(10, width), nn.SELU(), nn.Linear(width, 8), nn.SELU(), nn.Linear(8, 2))

    mine = {"optimizer": "sgd", "lr": draw.near(0.04), "momentum": 0.9, "batch_size": 16, "epochs": 12, "weight_decay": 1e-3}
    mine["optimizer_options"] = {"nesterov": True}
    return Training(model, nn.CrossEntropyLoss(), (x, y), (u, v), settings(mine, recipe), classes=2)
