"""Run keys: what makes two trainings the same training."""

from __future__ import annotations

import torch

from traindx.records import InputError, Recipe
from traindx.tasks import Task
from traindx.tasks.fingerprint import digest

# Raised whenever a change of traindx changes the numbers of a run.
CODE_VERSION = "1"


def resolve_device(name: str) -> torch.device:
    """The device of this name; ``auto`` is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError("Recipe(device=...)", f"found {name!r}", "use auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("Recipe(device=...)", f"found {name!r}, and no CUDA device is at hand", "use auto or cpu")
    return device


def run_key(task: Task, recipe: Recipe, horizon: int | None = None) -> str:
    """Equal for trainings that give equal numbers: task content, recipe with seed, horizon, device, thread count, code version."""
    device = resolve_device(recipe.device)
    return digest(
        task.fingerprint, recipe.model_dump_json(), horizon, str(device), torch.get_num_threads(), torch.__version__, CODE_VERSION
    )
