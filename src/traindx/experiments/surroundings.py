"""What the loss looks like around the weights that a training ended at: its spectrum, lines and planes through it, and the way there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn.utils import parameters_to_vector

from traindx.curvature import Objective, density, eigenpairs
from traindx.curvature.eigenpairs import Eigenpairs
from traindx.curvature.escape import By, Escape
from traindx.curvature.landscape import LossPlane, around, filter_normalized, line, plane, principal, two_directions
from traindx.experiments.curvature import NAME, largest_eigenvalue, on_device, rate_at
from traindx.records import Curve, Evidence, Profile, Recipe, Run, Surface
from traindx.tasks import Task
from traindx.training import TrainingState

# Eigenvalues at the upper end, and at the lower one.
LARGEST, SMALLEST, TOLERANCE = 5, 1, 1e-2
# Random vectors and steps of the density: each step is a product.
PROBES, STEPS = 4, 30
# Points of the way that are kept, and at which the largest eigenvalue is followed.
WAY_POINTS, FOLLOWED = 24, 8
# An eigenvector is followed as far as the loss rises by this much, to second order.
RISE = 1.0
# The way off a saddle is shown to this many times the step that lowered the loss most.
BEYOND = 2.0


@dataclass
class Way:
    """A callback that keeps the weights (P,) at WAY_POINTS of the updates, the first and the last among them. Cost: their memory."""

    steps: list[int] = field(default_factory=list)
    points: list[Tensor] = field(default_factory=list)

    def start(self, state: TrainingState) -> None:
        """The weights before the first update."""
        self._every = max(1, state.total_steps // WAY_POINTS)
        self._keep(state, 0)

    def before_forward(self, state: TrainingState) -> None:
        """Nothing is looked at."""

    def before_step(self, state: TrainingState) -> None:
        """Nothing is looked at."""

    def after_step(self, state: TrainingState) -> None:
        """The weights after every so many updates."""
        if (state.step + 1) % self._every == 0:
            self._keep(state, state.step + 1)

    def finish(self, state: TrainingState) -> dict[str, Curve]:
        """The weights at the end; no curve is handed over."""
        if self.steps and self.steps[-1] < state.step:
            self._keep(state, state.step)
        return {}

    def _keep(self, state: TrainingState, step: int) -> None:
        trained = [p.detach() for p in state.model.parameters() if p.requires_grad]
        self.steps.append(step)
        self.points.append(parameters_to_vector(trained).cpu().clone())


def spectrum(objective: Objective, run: Run) -> tuple[list[Evidence], Profile, Eigenpairs]:
    """The eigenvalues at both ends with their error bounds, and the density of all. Cost: about PROBES * STEPS + 50 products."""
    size = objective.size
    found = eigenpairs(objective, min(LARGEST, size), min(SMALLEST, size - LARGEST) if size > LARGEST else 0, tolerance=TOLERANCE)
    told = [
        Evidence(
            experiment=NAME,
            measure="eigenvalue",
            value=float(value),
            low=float(value - error),
            high=float(value + error),
            subject=str(i + 1) if i < LARGEST else "at the lower end",
            runs=(run.key,),
            seeds=(run.seed,),
            step=run.steps,
            details={"interval": "error bound"},
        )
        for i, (value, error) in enumerate(zip(found.values, found.errors, strict=True))
    ]
    where, height, _ = density(objective, PROBES, min(STEPS, size)).curve()
    return told, Profile(name="density", label="eigenvalue", positions=tuple(map(float, where)), losses=tuple(map(float, height))), found


def profiles(objective: Objective, found: Eigenpairs, escape: Escape | None) -> tuple[Profile, ...]:
    """The loss along the outermost eigenvectors, along a random direction, and along the way off a saddle. Cost: 41 forward passes each."""
    lines = {
        "steepest eigenvector": (found.vectors[0], float(found.values[0])),
        "last eigenvector": (found.vectors[-1], float(found.values[-1])),
    }
    made = []
    for name, (vector, value) in lines.items():
        radius = math.sqrt(2 * RISE / abs(value)) if value else 1.0
        along = line(objective, vector.to(objective.flat()), radius)
        made.append(Profile(name=name, label=f"distance along the {name}", positions=along.positions, losses=along.losses))
    random = line(objective, filter_normalized(objective))
    label = "distance, in norms of the filters"
    made.append(Profile(name="random direction", label=label, positions=random.positions, losses=random.losses))
    if escape is not None and escape.by is not By.NOTHING:
        down = line(objective, escape.direction, BEYOND * abs(escape.step))
        made.append(Profile(name="way down", label=f"distance along the {escape.by}", positions=down.positions, losses=down.losses))
    return tuple(made)


def surfaces(objective: Objective, way: Sequence[Tensor]) -> tuple[Surface, ...]:
    """The loss in a plane of two random directions, and in that which shows most of the way. Cost: 441 forward passes each."""
    random = plane(objective, *two_directions(objective))
    made = [_surface("two random directions", "first, in norms of the filters", "second, in norms of the filters", random)]
    try:
        shown = principal([point.to(objective.flat()) for point in way])
    except ValueError:  # too few points, or all on one line: there is no plane to show
        return tuple(made)
    seen = plane(objective, shown.first, shown.second, around(shown.x), around(shown.y))
    note = f"It shows {shown.shares[0]:.0%} and {shown.shares[1]:.0%} of the way."
    path = _surface("the way of the training", "first component", "second component", seen)
    return (*made, path.replace(way_x=shown.x, way_y=shown.y, note=note))


def followed(task: Task, recipe: Recipe, run: Run, way: Way) -> Curve:
    """The rate times the largest eigenvalue at FOLLOWED points of the way. Cost: some ten products each."""
    chosen = sorted({round(i * (len(way.steps) - 1) / (FOLLOWED - 1)) for i in range(FOLLOWED)})
    objective = on_device(task, recipe, task.build(recipe.seed))
    values = []
    for i in chosen:
        with objective.at(way.points[i].to(objective.flat())):
            values.append(rate_at(run, way.steps[i]) * largest_eigenvalue(objective))
    return Curve(steps=tuple(way.steps[i] for i in chosen), values=tuple(values))


def _surface(name: str, x_label: str, y_label: str, found: LossPlane) -> Surface:
    return Surface(name=name, x_label=x_label, y_label=y_label, x=found.x, y=found.y, losses=found.losses)
