"""Is a healthy training healthy? Holds it against longer, faster and slower trainings, its own best moment, and gradient boosting.

    python bench/zoo/sound.py [--names ...] [--cases] [--shard 0/2]

The validation loss may be higher than the best of these by a named share of the way from the constant prediction to it.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import traindx as tdx
from traindx.records import Run
from traindx.training.trainer import fit
from zoo.cases import scripted_cases
from zoo.scripts import SCRIPTS, Mistake
from zoo.sound_scripts import SOUND

# Shares of the distance from the constant prediction to the best loss found.
OVERTRAINED, SURPASSED = 0.04, 0.07


def trained(task: tdx.Task, recipe: tdx.Recipe) -> Run:
    """A run, quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(task, recipe).run


def final(run: Run) -> float:
    """The validation loss at the end; infinite where it diverged."""
    value = run.last("validation_loss")
    return value if math.isfinite(value) else math.inf


def constant(task: tdx.Task) -> float:
    """The validation loss of the best constant outputs, found by descent."""
    targets = task.validation.targets
    assert targets is not None
    assert task.validation.inputs is not None
    shape = task.build(0).eval()(task.validation.inputs[:2]).shape[1:]
    outputs = torch.zeros(1, *shape, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = task.loss(outputs.expand(len(targets), *shape), targets)
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def looked_at(task: tdx.Task, recipe: tdx.Recipe) -> tuple[bool, str]:
    """Whether nothing tried does much better, and the numbers."""
    run = trained(task, recipe)
    base, least = final(run), min(v for v in run.curves["validation_loss"].values if math.isfinite(v))
    others = {
        "longer": recipe.replace(epochs=3 * recipe.epochs),
        "faster": recipe.replace(lr=3 * recipe.lr),
        "slower": recipe.replace(lr=recipe.lr / 3),
        "cosine": recipe.replace(schedule="constant" if recipe.schedule == "cosine" else "cosine"),
    }
    losses = {name: final(trained(task, other)) for name, other in others.items()}
    level = constant(task)
    best = min(base, least, *losses.values())
    reach = max(level - best, 1e-9)
    over, past = (base - least) / reach, (base - best) / reach
    sound = over <= OVERTRAINED and past <= SURPASSED
    told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
    where = f"{run.seconds:4.1f} s  train {run.last('train_loss'):.3f}  validation {base:.3f} (least {least:.3f}, constant {level:.3f})"
    metric = run.curves["validation_metric"].last if "validation_metric" in run.curves else math.nan
    return sound, f"{where} metric {metric:.3f}  {told}  over {over:.3f} past {past:.3f}"


def listed(arguments: argparse.Namespace) -> Iterator[tuple[str, tdx.Task, tdx.Recipe]]:
    """The trainings of this call by name."""
    if arguments.cases:
        for case in scripted_cases():
            assert isinstance(case.fault, Mistake)
            if not (case.fault.twin or case.fault.prepare):
                continue  # its script as it is
            if not arguments.names or case.program in arguments.names or case.cause in arguments.names:
                yield case.name, *case.build(False)
        return
    for script in SCRIPTS.values():
        if not arguments.names or script.name in arguments.names:
            made = script.training(0)
            yield script.name, made.task(), made.recipe
    for sound in SOUND:
        if not arguments.names or sound.name in arguments.names or "healthy" in arguments.names:
            yield sound.name, *sound.build()


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", nargs="+")
    parser.add_argument("--cases", action="store_true", help="the twins of scripted cases that are not their script as it is")
    parser.add_argument("--shard", default="0/1")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shard, of = (int(n) for n in arguments.shard.split("/"))
    for i, (name, task, recipe) in enumerate(listed(arguments)):
        if i % of == shard:
            sound, told = looked_at(task, recipe)
            print(f"{'sound' if sound else 'NOT  '} {name:60} {told}", flush=True)


if __name__ == "__main__":
    main()
