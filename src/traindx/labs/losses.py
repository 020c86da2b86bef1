"""Softmax, and the error surfaces of cross-entropy and squared error (claims 27 and 28)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from traindx.labs.base import Context, Seen, near
from traindx.records import Check, Plot

THIRD = -1000.0
# Where cross-entropy has learned the rows, and the updates that both losses are given.
LEARNED, UPDATES, RATE = 0.9, 1000, 0.1


def gradient(y1: float, y2: float, squared: bool) -> float:
    """The norm of the gradient by the logits (y1, y2, -1000), for the target (1, 0, 0)."""
    logits = torch.tensor([y1, y2, THIRD], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    value = (logits.softmax(0) - target).square().sum() if squared else -(logits.log_softmax(0) * target).sum()
    return float(torch.autograd.grad(value, logits)[0].norm())


def saturated(squared: bool, rows: int = 300) -> tuple[list[float], float]:
    """(training loss, final accuracy) of softmax regression that starts sure of the wrong class."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 3
    x = (
        torch.randn(rows, 2, generator=draws, dtype=torch.float64) * 0.3
        + torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.5]], dtype=torch.float64)[labels]
    )
    model = nn.Linear(2, 3).double()
    wrong = torch.tensor([[-30.0, 0.0], [30.0, 0.0], [0.0, -30.0]], dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(wrong), model.bias.zero_()
    losses = []
    for _ in range(UPDATES):
        outputs = model(x)
        value = (outputs.softmax(1) - F.one_hot(labels, 3)).square().sum(1).mean() if squared else F.cross_entropy(outputs, labels)
        model.zero_grad()
        value.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                assert parameter.grad is not None
                parameter.sub_(parameter.grad, alpha=RATE)
        losses.append(value.item())
    return losses, float((model(x).argmax(1) == labels).double().mean())


class Softmax:
    """Softmax turns numbers into shares."""

    name, claims = "softmax", (27,)
    question = "What does softmax do to three numbers?"
    claim = "(3, 1, -3) become 0.88, 0.12 and nearly 0; for two classes it is the sigmoid."
    source = "Lee, Machine Learning 2021, classification"

    def run(self, context: Context) -> Seen:
        """The shares, two classes, and the likelihood."""
        shares = torch.tensor([3.0, 1.0, -3.0], dtype=torch.float64).softmax(0)
        x = torch.linspace(-8, 8, 81, dtype=torch.float64)
        two: Tensor = torch.stack([x, torch.zeros_like(x)], 1).softmax(1)[:, 0]
        apart = float((two - x.sigmoid()).abs().max())
        logits, label = torch.tensor([[0.3, -1.2, 0.7]], dtype=torch.float64), torch.tensor([2])
        likelihood = float(F.cross_entropy(logits, label) + logits.softmax(1)[0, 2].log())
        wanted = (0.8789, 0.1189, 0.0022)
        checks = (
            *(near(f"share of {logit}", float(share), value, 5e-5) for logit, share, value in zip((3, 1, -3), shares, wanted, strict=True)),
            near("two classes: softmax - sigmoid", apart, 0, 1e-12),
            near("cross-entropy + log-likelihood", likelihood, 0, 1e-12),
        )
        plot = Plot(
            title="Softmax of two numbers",
            caption="The share of the first of two classes is the sigmoid of the difference.",
            x_label="first logit - second logit",
            y_label="share of the first class",
            lines={"softmax": (tuple(x.tolist()), tuple(two.tolist())), "sigmoid": (tuple(x.tolist()), tuple(x.sigmoid().tolist()))},
        )
        return Seen(sentence="(3, 1, -3) become 0.88, 0.12 and 0.002.", checks=checks, plots=(plot,))


class LossSurfaces:
    """Squared error is flat where cross-entropy slopes."""

    name, claims = "loss-surfaces", (28,)
    question = "Why train classes by cross-entropy and not by squared error?"
    claim = "Where the network is sure and wrong, squared error is flat and training sticks; cross-entropy slopes."
    source = "Lee, Machine Learning 2021, classification"

    def run(self, context: Context) -> Seen:
        """Gradient norms at three points, and softmax regression from a wrong start."""
        context.progress("softmax regression from a wrong start")
        (squared, squared_share), (crossed, crossed_share) = saturated(True), saturated(False)
        checks = (
            near("squared error at (-10, 10)", gradient(-10, 10, True), 1.17e-8, 1e-10),
            near("cross-entropy at (-10, 10)", gradient(-10, 10, False), 1.414, 5e-4),
            near("squared error at (-5, 5)", gradient(-5, 5, True), 2.57e-4, 1e-6),
            near("cross-entropy at (0, 0)", gradient(0, 0, False), 0.7071, 5e-5),
            near("squared error at (0, 0)", gradient(0, 0, True), 0.7071, 5e-5),
            Check(
                label="accuracy by cross-entropy after 1,000 updates",
                measured=crossed_share,
                lecture="learns",
                holds=crossed_share >= LEARNED,
            ),
            Check(label="accuracy by squared error", measured=squared_share, lecture="at most chance", holds=squared_share <= 1 / 3 + 0.02),
        )
        y1 = np.linspace(-10, 10, 81)
        slopes = Plot(
            title="Slope of two losses",
            caption="The norm of the gradient by the logits, along the line from sure and wrong (left) to sure and right.",
            x_label="y1 = -y2",
            y_label="norm of the gradient",
            lines={
                name: (tuple(y1), tuple(gradient(v, -v, squared) for v in y1))
                for name, squared in (("squared error", True), ("cross-entropy", False))
            },
            log=True,
        )
        curves = Plot(
            title="From a wrong start",
            caption="Softmax regression that starts sure of the wrong class, at the same rate.",
            x_label="updates",
            y_label="training loss",
            lines={"squared error": (tuple(range(UPDATES)), tuple(squared)), "cross-entropy": (tuple(range(UPDATES)), tuple(crossed))},
        )
        said = f"At (-10, 10) the slope of squared error is {checks[0].measured:.3g}, that of cross-entropy {checks[1].measured:.4g}; from a wrong start they reach {squared_share:.0%} and {crossed_share:.0%}."
        return Seen(sentence=said, checks=checks, plots=(slopes, curves))
