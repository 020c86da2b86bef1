"""The plain PyTorch script of a treated training, with its data, recipe and weights beside it."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from traindx.experiments.verification import asked_of_test
from traindx.handover.judging import loss_and_metric
from traindx.handover.network import initialization_code, network_code, same_function, same_start
from traindx.handover.recipe_file import recipe_as_toml
from traindx.handover.rows import columns
from traindx.handover.script import Training, script
from traindx.handover.source import Source, executed, refuse
from traindx.records import InputError, Outcome, Recipe, Treatment
from traindx.tasks import Rows, Task, preserved_rng
from traindx.training import fit, predict
from traindx.training.evaluation import chunk_losses, metric_of
from traindx.training.keys import resolve_device

# The script must print the numbers of the treated training within this share of them; where kernels are not deterministic, within the second.
NEAR, NEAR_ON_OTHER_DEVICES = 1e-3, 0.1


@dataclass(frozen=True)
class Exported:
    """The files written, and what the script prints with the recipe's seed on the machine that wrote it."""

    script: Path
    data: Path
    recipe: Path
    weights: Path
    expected: Mapping[str, float]

    @property
    def files(self) -> tuple[Path, Path, Path, Path]:
        """All of them."""
        return self.script, self.data, self.recipe, self.weights

    @classmethod
    def beside(cls, script: Path, expected: Mapping[str, float]) -> Exported:
        """The files that go with a script of this name."""
        return cls(script, script.with_suffix(".npz"), script.with_suffix(".toml"), script.with_suffix(".safetensors"), expected)


def export(treatment: Treatment, path: str | Path) -> Exported:
    """Write ``train_fixed.py`` with ``.npz``, ``.toml`` and ``.safetensors`` files of the same name beside it.

    The script trains as the treatment does: the user's network with the changes as lines of code, its loss, its loop. It needs torch and
    NumPy, and nothing of traindx. It is run before it is handed over, and must give the numbers of the treated training. Cost: two trainings.

    Raises:
        InputError: when the treatment was loaded without its task, when the network, the loss or the rows cannot be written out, or when the
            script does not give the numbers of the treated training. Nothing is written then.

    """
    path = destination(path)
    with tempfile.TemporaryDirectory() as folder, preserved_rng():
        written = _write(treatment, Path(folder) / path.name)
        _try(written, treatment.recipe)
        for file in written.files:
            shutil.copyfile(file, path.with_name(file.name))
    return Exported.beside(path, written.expected)


def destination(path: str | Path, argument: str = "path") -> Path:
    """Where a script can be written.

    Raises:
        InputError: naming the argument, for another ending or a folder that is not there.

    """
    path = Path(path)
    if path.suffix != ".py":
        raise InputError(argument, f"found {path.name}", "give a name that ends in .py")
    if not path.resolve().parent.is_dir():
        raise InputError(argument, f"found no folder {path.parent}", "make it first, or name another")
    return path


def _write(treatment: Treatment, path: Path) -> Exported:
    original, treated, recipe = treatment.diagnosis.task, treatment.task, treatment.recipe
    if original is None or treated is None:
        raise refuse("the treatment was loaded without its task", "export it in the process that made it")
    source = Source()
    network, stored = _network(source, original, treated, treatment)
    judged = loss_and_metric(source, treated, treated.build(recipe.seed))
    question = asked_of_test(treatment.remedies) if treatment.verified else None
    rows = columns(source, original, treated, question)
    fitted = fit(treated, recipe, keep_weights=True)
    if fitted.weights is None or fitted.run.outcome not in (Outcome.FINISHED, Outcome.STOPPED):
        raise refuse(f"the treated training {fitted.run.outcome.value}", "look at the treatment's report")
    expected = _numbers(treated, recipe, fitted.weights, question if "test_inputs" in rows.arrays else None, judged.metric_name)
    files = Exported.beside(path, expected)
    training = Training(treated, recipe, network, judged, rows, stored, fitted.run.device)
    files.script.write_text(script(source, training, _header(treatment, files.expected), files.data.name), encoding="utf-8")
    start = {f"start/{name}": value.cpu().numpy() for name, value in treated.build(recipe.seed).state_dict().items()} if stored else {}
    others = {name: value.numpy() for name, value in source.tensors.items()}
    np.savez_compressed(files.data, **rows.arrays, **others, **start)  # type: ignore[arg-type]  # arrays by name
    save_file({name: value.clone() for name, value in fitted.weights.items()}, files.weights)  # a clone each: some may be shared
    files.recipe.write_text(recipe_as_toml(recipe), encoding="utf-8")
    return files


def _network(source: Source, original: Task, treated: Task, treatment: Treatment) -> tuple[list[str], str]:
    """The statements of ``make_model``, tried, and when a training must start from stored weights; see `script.STORED`."""
    statements = network_code(source, original, treated)
    make = source.compiled(statements)
    if not same_function(make(), treated.fresh_model(), treated):
        named = ", ".join(map(str, treatment.remedies)) or "nothing"
        raise refuse(f"the network changed by {named} cannot be told in code", "apply the changes in words, and load the weights")
    if original.pretrained:
        return statements, "always"
    if same_start(make, treated, treatment.recipe.seed):
        return statements, ""
    drawn = initialization_code(make, treated)
    if not drawn:
        return statements, "verified seed"
    source.imports.add("from torch import nn")
    *before, returned = statements
    if returned != "return model":
        before.append(f"model = {returned.removeprefix('return ')}")
    return [*before, "# Weights at the scale at which the treatment draws them.", *drawn, "return model"], "verified seed"


def _numbers(task: Task, recipe: Recipe, weights: Mapping[str, Tensor], question: str | None, metric: str) -> dict[str, float]:
    """Loss and metric of each split that the script prints: over all its rows at once, as the script does; of the test set for a question."""
    model = task.build(recipe.seed)
    model.load_state_dict(dict(weights))
    splits: dict[str, Rows] = {"validation": task.validation}
    if question is not None and task.test is not None:
        splits["test"] = task.test.rows(question)
    found = {}
    for name, rows in splits.items():
        outputs, targets = predict(task, model, rows, torch.device("cpu"), torch.arange(len(rows)))
        if not all(isinstance(part, Tensor) for part in (*outputs, *targets)):
            raise refuse("outputs or targets are no tensors")
        losses, _ = chunk_losses(task, [torch.cat(outputs)], [torch.cat(targets)])
        found[f"{name} loss"] = losses[0]
        if metric:
            found[f"{name} {metric}"] = metric_of(task, outputs, targets)
    return found


def _try(files: Exported, recipe: Recipe) -> None:
    """Train by the script, once, with the recipe's seed.

    Raises:
        InputError: when it fails, or gives other numbers.

    """
    device = str(resolve_device(recipe.device))
    names = executed(files.script.read_text(encoding="utf-8"), files.script.name, __file__=str(files.script))
    try:
        judged = names["judge"](names["train"](recipe.seed, device), device)
    except Exception as error:
        raise refuse(f"the script does not train ({type(error).__name__}: {error})") from error
    printed = {f"{split} {name}": value for split, found in judged.items() for name, value in found.items()}
    near = NEAR if device == "cpu" else NEAR_ON_OTHER_DEVICES
    for name, value in files.expected.items():
        if not math.isclose(printed[name], value, rel_tol=near, abs_tol=near) and not (math.isnan(value) and math.isnan(printed[name])):
            raise refuse(f"the script gives a {name} of {printed[name]:.6g}, and the treated training {value:.6g}")


def _header(treatment: Treatment, expected: Mapping[str, float]) -> str:
    lines = [
        treatment.sentence,
        "",
        "What was changed:",
        *(f"- {line}" for line in treatment.changes or ["nothing"]),
        "",
        f"With --seed {treatment.recipe.seed}: {', '.join(f'{name} {value:.4g}' for name, value in expected.items())}.",
    ]
    return "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
