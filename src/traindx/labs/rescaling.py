"""What sharpness is worth: the same function, with other weights (claim 19)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from traindx.curvature import Objective
from traindx.curvature.sharpness import sharpness
from traindx.labs.base import Context, Seen
from traindx.records import Check, Plot, Recipe
from traindx.tasks import Task
from traindx.training import fit

FACTORS = tuple(2.0**k for k in range(-5, 6))
# The relative box takes this share of each weight, which makes its values about as large as those of Keskar's.
RELATIVE = 0.01
# What counts as the same function, the same sharpness, and another sharpness.
SAME_FUNCTION, SAME, OTHER = 1e-9, 1e-3, 2.0


def network() -> nn.Module:
    """64-32-10 with ReLU."""
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def rescaled(model: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """The outputs (n, 10) at each of FACTORS, the first layer times the factor and the second over it; between, ``model`` is so rescaled."""
    first, second = model.get_submodule("0"), model.get_submodule("2")
    weights = [first.get_parameter("weight"), first.get_parameter("bias"), second.get_parameter("weight")]
    before = [weight.detach().clone() for weight in weights]
    for factor in FACTORS:
        for weight, value, scale in zip(weights, before, (factor, factor, 1 / factor), strict=True):
            weight.data.copy_(value * scale)
        with torch.no_grad():
            outputs: Tensor = model(x)
        yield outputs


class Rescaling:
    """Dinh et al.: a ReLU network is the same function when one layer is scaled up and the next one down."""

    name, claims = "rescaling", (19,)
    question = "Is a sharp minimum a bad one?"
    claim = "Flat minima generalize better, sharp ones worse: an explanation that is not believed by all, for rescaling changes sharpness at equal function."
    source = "Keskar et al. 2017, as told in Lee, Machine Learning 2021; Dinh et al. 2017; Kwon et al. 2021 for the relative box"

    def run(self, context: Context) -> Seen:
        """One trained network, its layers rescaled: outputs, sharpness in Keskar's box, and in a box relative to the weights."""
        x, y = load_digits(return_X_y=True)
        inputs = (x / 16).astype(np.float32)
        task = Task(network, nn.CrossEntropyLoss(), (inputs, y), name="digits")
        context.progress("training on digits")
        fitted = fit(task, Recipe(optimizer="adam", lr=3e-3, batch_size=64, epochs=15, seed=context.seeds[0]), keep_weights=True)
        assert fitted.weights is not None, "a run that ended has weights"
        model = task.build(context.seeds[0])
        model.load_state_dict(fitted.weights)
        model.double()
        rows, labels = torch.tensor(inputs[:500]).double(), torch.tensor(y[:500])
        with torch.no_grad():
            wanted = model(rows)
        here = Objective(model, nn.CrossEntropyLoss(), [(rows, labels)])
        off, absolute, relative = 0.0, list[float](), list[float]()
        for factor, outputs in zip(FACTORS, rescaled(model, rows), strict=True):
            context.progress(f"layers rescaled by {factor:g}")
            off = max(off, float((outputs - wanted).abs().max()))
            absolute.append(sharpness(here).value)
            relative.append(sharpness(here, RELATIVE, relative=True).value)
        keskar, same = (max(values) / min(values) for values in (absolute, relative))
        checks = (
            Check(label="outputs, largest difference", measured=off, lecture="0", holds=off < SAME_FUNCTION),
            Check(label="Keskar's sharpness, largest over least", measured=keskar, lecture="changes", holds=keskar > OTHER),
            Check(label="relative sharpness, largest over least", measured=same, lecture="1", holds=abs(same - 1) < SAME),
        )
        axis = tuple(map(float, FACTORS))
        plot = Plot(
            title="Sharpness of one function",
            caption="A trained network for digits; its first layer times a factor, its second over it, which changes no output.",
            x_label="factor of the first layer",
            log_x=True,
            y_label="rise of the loss (% of 1 + loss)",
            lines={"Keskar's box": (axis, tuple(absolute)), "relative box": (axis, tuple(relative))},
            log=True,
        )
        said = f"At equal outputs Keskar's sharpness differs by a factor of {keskar:.3g}; in a box relative to the weights it stays within {abs(same - 1):.1g}."
        return Seen(sentence=said, checks=checks, plots=(plot,))
