"""Small models of many families with data, in float64, and their dense Hessians: the slower truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from traindx.curvature import Objective

ROWS = 12


class Case(NamedTuple):
    """A model, its loss and its batches."""

    model: nn.Module
    loss: Any
    batches: list[Any]
    training: bool = False


class LastStep(nn.Module):
    """A recurrent layer, and a linear one on its last output."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrent, self.head = kind(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


class Encoder(nn.Module):
    """The stock transformer encoder, averaged over positions."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).mean(dim=1))


class Attention(nn.Module):
    """One attention by the fused function."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(4, 12), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inward(x).chunk(3, dim=-1)
        return self.head(nn.functional.scaled_dot_product_attention(q, k, v).mean(dim=1))


class Tied(nn.Module):
    """An embedding whose weight is used a second time as the output layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.embedding(x).mean(dim=1)))


class Residual(nn.Module):
    """A block around which its input is added."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


def vectors(width: int = 4) -> Tensor:
    return torch.randn(ROWS, width, dtype=torch.float64)


def classes(count: int = 3) -> Tensor:
    return torch.randint(count, (ROWS,))


def uneven(inputs: Tensor, targets: Tensor) -> list[Any]:
    """Three batches of different lengths."""
    return list(zip(inputs.split([5, 4, 3]), targets.split([5, 4, 3]), strict=True))


def mlp(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), *between, nn.Linear(5, 3))


def classifier(model: nn.Module, inputs: Tensor | None = None, training: bool = False) -> Case:
    return Case(model.double(), nn.CrossEntropyLoss(), uneven(vectors() if inputs is None else inputs, classes()), training)


def images() -> Tensor:
    return torch.randn(ROWS, 1, 5, 5, dtype=torch.float64)


def sequences(width: int = 4) -> Tensor:
    return torch.randn(ROWS, 3, width, dtype=torch.float64)


FAMILIES: dict[str, Callable[[], Case]] = {
    "tanh": lambda: classifier(mlp(nn.Tanh())),
    "relu": lambda: classifier(mlp(nn.ReLU())),
    "gelu-residual": lambda: classifier(mlp(nn.GELU(), Residual(nn.Linear(5, 5)), nn.SiLU())),
    "regression": lambda: Case(mlp(nn.Tanh()).double(), nn.MSELoss(), uneven(vectors(), vectors(3))),
    "summed": lambda: Case(mlp(nn.Softplus()).double(), nn.MSELoss(reduction="sum"), uneven(vectors(), vectors(3))),
    "multilabel": lambda: Case(mlp(nn.Tanh()).double(), nn.BCEWithLogitsLoss(), uneven(vectors(), (vectors(3) > 0).double())),
    "class-weights": lambda: Case(
        mlp(nn.Tanh()).double(), nn.CrossEntropyLoss(torch.tensor([1.0, 3.0, 0.2]).double(), ignore_index=2), uneven(vectors(), classes())
    ),
    "linear": lambda: classifier(nn.Linear(4, 3)),
    "deep-linear": lambda: Case(
        nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)).double(), nn.MSELoss(), uneven(vectors(), vectors(2))
    ),
    "convolution": lambda: classifier(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3)), images()
    ),
    "batch-norm-evaluation": lambda: classifier(mlp(nn.BatchNorm1d(5), nn.Tanh())),
    "batch-norm-training": lambda: classifier(mlp(nn.BatchNorm1d(5), nn.Tanh()), training=True),
    "layer-norm": lambda: classifier(mlp(nn.LayerNorm(5), nn.Tanh())),
    "group-norm": lambda: classifier(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(18, 3)), images()
    ),
    "dropout-training": lambda: classifier(mlp(nn.Tanh(), nn.Dropout(0.4)), training=True),
    "rnn": lambda: classifier(LastStep(nn.RNN), sequences(3)),
    "lstm": lambda: classifier(LastStep(nn.LSTM), sequences(3)),
    "gru": lambda: classifier(LastStep(nn.GRU), sequences(3)),
    "encoder": lambda: classifier(Encoder(), sequences()),
    "encoder-training": lambda: classifier(Encoder(), sequences(), training=True),
    "attention": lambda: classifier(Attention(), sequences()),
    "tied": lambda: Case(Tied().double(), nn.CrossEntropyLoss(), uneven(torch.randint(5, (ROWS, 3)), classes(5))),
    "weight-norm": lambda: classifier(
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)), nn.Tanh(), nn.Linear(5, 3)),
    ),
    "spectral-norm-training": lambda: classifier(
        nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)), nn.Tanh(), nn.Linear(5, 3)), training=True
    ),
}
NO_PLAIN_TRUTH = ("dropout-training", "spectral-norm-training", "weight-norm")
"""Random or moving state, and a fused kernel whose second derivative is wrong: plain autograd is no truth to compare these with."""


def make(name: str, seed: int = 0) -> Case:
    """The case of a family, drawn by seed, without a trace in the global random state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return FAMILIES[name]()


def whole_loss(case: Case, parameters: list[Tensor]) -> Tensor:
    """The loss of all batches by hand, for cases whose mode is set: each batch's sum of losses over what the mean divides by."""
    total, weight = torch.zeros((), dtype=torch.float64), 0.0
    with sdpa_kernel(SDPBackend.MATH):
        for inputs, targets in case.batches:
            loss = case.loss(case.model(inputs), targets)
            if getattr(case.loss, "reduction", "mean") == "sum":
                total, weight = total + loss, 1.0
                continue
            if isinstance(case.loss, nn.CrossEntropyLoss):
                each = torch.ones(int(targets.max()) + 1, dtype=torch.float64) if case.loss.weight is None else case.loss.weight
                share = float(each[targets[targets != case.loss.ignore_index]].sum())
            else:
                share = float(len(targets))
            total, weight = total + share * loss, weight + share
    return total / weight


def differences(objective: Objective, step: float = 1e-5) -> Tensor:
    """(P, P): by central differences of the gradient, good to about 1e-8: no second derivative of autograd in it."""
    start, columns = objective.flat(), []
    for direction in torch.eye(objective.size, dtype=torch.float64):
        with objective.at(start + step * direction):
            ahead = objective.gradient()
        with objective.at(start - step * direction):
            columns.append((ahead - objective.gradient()) / (2 * step))
    return torch.stack(columns, dim=1)


def dense_hessian(case: Case) -> Tensor:
    """(P, P): column by column, by plain double backward on the model itself."""
    parameters: list[Tensor] = [p for p in case.model.parameters() if p.requires_grad]
    case.model.train(case.training)
    before = {name: buffer.clone() for name, buffer in case.model.named_buffers()}
    gradient = torch.autograd.grad(whole_loss(case, parameters), parameters, create_graph=True, allow_unused=True, materialize_grads=True)
    flat = torch.cat([part.reshape(-1) for part in gradient])
    rows = []
    for entry in flat:
        if entry.requires_grad:
            row = torch.autograd.grad(entry, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
            rows.append(torch.cat([part.reshape(-1) for part in row]))
        else:
            rows.append(torch.zeros_like(flat))
    with torch.no_grad():
        for name, buffer in case.model.named_buffers():
            buffer.copy_(before[name])
    return torch.stack(rows).detach()
