"""A reference for rows with places: a small convolutional network, trained well.

Classical models know nothing of neighbouring pixels, samples or words, so a poor convolutional, recurrent or attention network may beat them
all. Where the user's network has such layers, a network of two convolutions shows what these rows allow. It is trained by Adam with a cosine
schedule, stopped by rows held out of its own training rows, and sized by a count of its operations, so that the answer is the same on every
machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from traindx.experiments.layout import Layout
from traindx.tasks import Kind

# Floating-point operations that all its training passes may take: one to three seconds on one core.
OPERATIONS = 2e10
FEWEST_EPOCHS, MOST_EPOCHS = 5, 20
CHANNELS, RATE, DECAY, DROPOUT, BATCH = 32, 1e-2, 1e-2, 0.2, 64
# Of its training rows, this share chooses the epoch.
HELD_OUT = 0.15
# Places that are told apart along each direction after pooling, and the length from which rows are pooled between the convolutions.
PLACES, LONG = 4, 12
# Fewer rows do not teach a convolution.
FEWEST_ROWS = 200


class Convolutional(nn.Module):
    """Two convolutions with batch normalization, pooled to a few places, and one linear layer."""

    def __init__(self, shape: tuple[int, ...], outputs: int, tokens: int) -> None:
        super().__init__()
        flat = len(shape) < 3
        conv: Any = nn.Conv1d if flat else nn.Conv2d
        norm: Any = nn.BatchNorm1d if flat else nn.BatchNorm2d
        self.embedding = nn.Embedding(tokens, CHANNELS) if tokens else None
        channels, width = (CHANNELS if tokens else shape[0]), (5 if flat else 3)
        half = CHANNELS // 2
        self.first, self.first_norm = conv(channels, half, width, padding=width // 2), norm(half)
        self.second, self.second_norm = conv(half, CHANNELS, width, padding=width // 2), norm(CHANNELS)
        self.pooled: Any = (F.max_pool1d if flat else F.max_pool2d) if min(shape[1:] or shape) >= LONG else None
        self.averages: Any = F.adaptive_avg_pool1d if flat else F.adaptive_avg_pool2d
        self.largest: Any = F.adaptive_max_pool1d if flat else F.adaptive_max_pool2d
        places = PLACES if flat else PLACES**2
        self.dropout, self.last = nn.Dropout(DROPOUT), nn.Linear(CHANNELS * (places + 1), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) numbers or (N, T) tokens -> (N, outputs)."""
        if self.embedding is not None:
            x = self.embedding(x).transpose(1, 2)
        x = F.relu(self.first_norm(self.first(x)))
        x = x if self.pooled is None else self.pooled(x, 2)
        x = F.relu(self.second_norm(self.second(x)))
        x = torch.cat([self.averages(x, PLACES).flatten(1), self.largest(x, 1).flatten(1)], dim=1)
        scores: Tensor = self.last(self.dropout(x))
        return scores


class ConvolutionalReference:
    """Fits the network on some rows and predicts others: probabilities of classes or labels, or numbers."""

    def __init__(self, kind: Kind, inputs: Tensor, layout: Layout, outputs: int, folds: int) -> None:
        self.kind, self.shape, self.channels_last, self.outputs, self.folds = kind, *layout, outputs, folds
        self.tokens = 0 if inputs.is_floating_point() else int(inputs.max()) + 1

    def __call__(self, x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Predictions for the held rows, from a network trained on (x, y)."""
        mean, std = (y.mean(0), np.where(y.std(0) > 0, y.std(0), 1.0)) if self.kind is Kind.REGRESSION else (0.0, 1.0)
        targets = torch.from_numpy((y - mean) / std).float() if self.kind is not Kind.CLASSIFICATION else torch.from_numpy(y)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            rows, wanted = self._prepared(x, x), self._prepared(x, held)
            model = self._fitted(rows, targets)
            with torch.no_grad():
                outputs = model.eval()(wanted).double()
        if self.kind is Kind.CLASSIFICATION:
            outputs = outputs.softmax(1)
        elif self.kind is Kind.MULTILABEL:
            outputs = outputs.sigmoid()
        return np.asarray(outputs.numpy() * std + mean)

    def _prepared(self, known: np.ndarray, rows: np.ndarray) -> Tensor:
        """In the layout of places; every channel by the mean and spread of the known rows."""
        if self.tokens:
            return torch.from_numpy(rows).long()
        x, seen = self._shaped(rows), self._shaped(known)
        others = [0, *range(2, seen.ndim)]
        return (x - seen.mean(others, keepdim=True)) / seen.std(others, keepdim=True).clamp_min(1e-6)

    def _shaped(self, rows: np.ndarray) -> Tensor:
        """(N, ...) -> (N, channels, places...)."""
        values = torch.from_numpy(rows).float()
        if self.channels_last:
            return values.reshape(-1, *self.shape[1:], self.shape[0]).movedim(-1, 1)
        return values.reshape(-1, *self.shape)

    def _fitted(self, x: Tensor, y: Tensor) -> nn.Module:
        model = Convolutional(self.shape, self.outputs, self.tokens)
        kept, order = round(HELD_OUT * len(x)), torch.randperm(len(x))
        chosen, mine = order[:kept], order[kept:]
        size = min(BATCH, max(8, len(mine) // 20))
        epochs = self._epochs(model, x[:2], len(mine))
        optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * math.ceil(len(mine) / size))
        best, lowest = model.state_dict(), math.inf
        for _ in range(epochs):
            model.train()
            for batch in mine[torch.randperm(len(mine))].split(size):
                if len(batch) > 1:  # batch normalization of one row says nothing
                    optimizer.zero_grad()
                    self._loss(model(x[batch]), y[batch]).backward()
                    optimizer.step()
                schedule.step()
            with torch.no_grad():
                loss = float(self._loss(model.eval()(x[chosen]), y[chosen]))
            if loss < lowest:
                best, lowest = {k: v.clone() for k, v in model.state_dict().items()}, loss
        model.load_state_dict(best)
        return model

    def _epochs(self, model: nn.Module, rows: Tensor, count: int) -> int:
        """As many as the operations allow; a training pass takes about three forward passes."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()(rows)
        each = 3 * counter.get_total_flops() / len(rows) * count * self.folds
        return int(np.clip(OPERATIONS / each, FEWEST_EPOCHS, MOST_EPOCHS))

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.kind is Kind.CLASSIFICATION:
            return F.cross_entropy(outputs, targets)
        if self.kind is Kind.MULTILABEL:
            return F.binary_cross_entropy_with_logits(outputs, targets)
        return F.mse_loss(outputs, targets.reshape(outputs.shape))
