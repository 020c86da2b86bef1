"""Update rules as rate, direction and scale: momentum, Adagrad, RMSProp, Adam (claims 21 and 25)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from traindx.labs.base import Context, Seen
from traindx.records import Check, Plot

UPDATES, EXACT = 100, 1e-12
Gradients = np.ndarray


def momentum(gradients: Gradients, rate: float = 0.1, keep: float = 0.9) -> np.ndarray:
    """The way of theta by m = keep m - rate g."""
    m, theta, way = np.zeros(gradients.shape[1]), np.zeros(gradients.shape[1]), []
    for g in gradients:
        m = keep * m - rate * g
        theta = theta + m
        way.append(theta)
    return np.array(way)


def adagrad(gradients: Gradients, rate: float = 0.1) -> np.ndarray:
    """The original form: rate / sqrt(sum of squares), which is the lecture's with its decay."""
    total = np.cumsum(gradients**2, axis=0)
    return np.cumsum(-rate * gradients / (np.sqrt(total) + 1e-10), axis=0)


def rmsprop(gradients: Gradients, rate: float = 0.01, keep: float = 0.99) -> np.ndarray:
    """Scale by a moving average of squares that starts at zero, as torch's does."""
    scale, theta, way = np.zeros(gradients.shape[1]), np.zeros(gradients.shape[1]), []
    for g in gradients:
        scale = keep * scale + (1 - keep) * g * g
        theta = theta - rate * g / (np.sqrt(scale) + 1e-8)
        way.append(theta)
    return np.array(way)


def adam(gradients: Gradients, rate: float = 1e-3, first: float = 0.9, second: float = 0.999) -> np.ndarray:
    """Algorithm 1 of Kingma and Ba 2015."""
    m, v, theta, way = np.zeros(gradients.shape[1]), np.zeros(gradients.shape[1]), np.zeros(gradients.shape[1]), []
    for t, g in enumerate(gradients, 1):
        m, v = first * m + (1 - first) * g, second * v + (1 - second) * g * g
        theta = theta - rate * (m / (1 - first**t)) / (np.sqrt(v / (1 - second**t)) + 1e-8)
        way.append(theta)
    return np.array(way)


def by_torch(gradients: Gradients, make: Callable[[list[torch.Tensor]], torch.optim.Optimizer]) -> np.ndarray:
    """The way of torch's own optimizer on the same gradients."""
    theta = torch.zeros(gradients.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer, way = make([theta]), []
    for g in gradients:
        theta.grad = torch.tensor(g)
        optimizer.step()
        way.append(theta.detach().numpy().copy())
    return np.array(way)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, in shares of the largest entry of the same parameter."""
    return float((np.abs(one - other).max(0) / np.abs(other).max(0)).max())


PAIRS: dict[str, tuple[Callable[[Gradients], np.ndarray], Callable[[list[torch.Tensor]], torch.optim.Optimizer]]] = {
    "momentum": (momentum, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "Adagrad": (adagrad, lambda p: torch.optim.Adagrad(p, lr=0.1)),
    "RMSProp": (rmsprop, lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "Adam": (adam, lambda p: torch.optim.Adam(p, lr=1e-3)),
}


def hill(keep: float) -> np.ndarray:
    """The way over a shallow minimum at 0 and a small hill behind it, towards a deeper one."""
    x, m, way = -2.0, 0.0, [-2.0]
    for _ in range(400):
        slope = 0.4 * x * x * x - 1.5 * x * x + 0.9 * x if x > -0.5 else 0.9 * x
        m = keep * m - 0.03 * slope
        x += m
        way.append(x)
    return np.array(way)


class Updates:
    """The formulas, and momentum on a small hill."""

    name, claims = "updates", (21, 25)
    question = "What do momentum and adaptive rates do, formula by formula?"
    claim = "Momentum keeps the direction of past gradients and passes small hills; the scale of Adam keeps only their sizes, so the two do not cancel."
    source = "Lee, Machine Learning 2021, error surface is rugged; Kingma and Ba 2015"

    def run(self, context: Context) -> Seen:
        """Each rule against torch's on random gradients; the hill with and without momentum."""
        gradients = np.random.default_rng(context.seeds[0]).normal(size=(UPDATES, 3)) * np.array([1e-3, 1.0, 1e3])
        apart = {name: difference(ours(gradients), by_torch(gradients, theirs)) for name, (ours, theirs) in PAIRS.items()}
        keep, rate = 0.9, 0.1
        summed = -rate * sum(keep ** (1 - i) * gradients[i] for i in range(2))
        m2 = momentum(gradients, rate, keep)[1] - momentum(gradients, rate, keep)[0]
        plain, rolling = hill(0.0), hill(0.9)
        checks = (
            *(
                Check(
                    label=f"{name}: largest difference to torch's, of the largest entry",
                    measured=value,
                    lecture="below 1e-12",
                    holds=value < EXACT,
                )
                for name, value in apart.items()
            ),
            Check(
                label="m2 + rate (keep g0 + g1)",
                measured=float(np.abs(m2 / summed - 1).max()),
                lecture="0",
                holds=bool(np.abs(m2 / summed - 1).max() < EXACT),
            ),
            Check(
                label="end without momentum (shallow minimum at 0)",
                measured=float(plain[-1]),
                lecture="stays",
                holds=bool(abs(plain[-1]) < 0.1),
            ),
            Check(label="end with momentum 0.9", measured=float(rolling[-1]), lecture="passes the hill", holds=bool(rolling[-1] > 1.5)),
        )
        steps = tuple(range(len(plain)))
        plot = Plot(
            title="A small hill",
            caption="Gradient descent stays in the shallow minimum at 0; with momentum 0.9 it passes the hill to the deeper one.",
            x_label="updates",
            y_label="position",
            lines={"gradient descent": (steps, tuple(plain)), "momentum 0.9": (steps, tuple(rolling))},
        )
        return Seen(
            sentence=f"Four rules agree with torch's to {max(apart.values()):.1g}; momentum ends at {rolling[-1]:.2f}, plain descent at {plain[-1]:.2f}.",
            checks=checks,
            plots=(plot,),
        )
