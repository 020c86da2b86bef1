"""The plain PyTorch script of a treated training, with its data, recipe and weights beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from traindx.handover.changes import changes
from traindx.handover.network import initialization_code, network_code, same_function
from traindx.handover.script import SECTIONS, loss_and_metric, training_code
from traindx.handover.source import Source, refuse
from traindx.records import Outcome, Recipe, Treatment
from traindx.tasks import Rows, Task, preserved_rng
from traindx.training import evaluate, fit

# A data set without arrays is written out if it is no longer than this, and gives the same rows twice.
MOST_ROWS = 50_000
QUESTION = "does the treatment hold?"


@dataclass(frozen=True)
class Exported:
    """The files written, and what the script prints with the recipe's seed on the machine that wrote it."""

    script: Path
    data: Path
    recipe: Path
    weights: Path
    expected: Mapping[str, float]


def export(treatment: Treatment, path: str | Path) -> Exported:
    """Write ``train_fixed.py`` with ``.npz``, ``.toml`` and ``.safetensors`` files of the same name beside it.

    The script trains as the treatment does: the user's network with the changes as lines of code, its loss, its loop. It needs torch and
    NumPy, and nothing of traindx. Cost: one training.

    Raises:
        InputError: when the treatment was loaded without its task, or when the network, the loss or the rows cannot be written out.

    """
    original, treated, recipe = treatment.diagnosis.task, treatment.task, treatment.recipe
    if original is None or treated is None:
        raise refuse("the treatment was loaded without its task", "export it in the process that made it")
    path = Path(path)
    with preserved_rng():
        source = Source()
        body = network_code(source, original, treated)
        body = _with_initialization(source, body, original, treated)
        judged = loss_and_metric(source, treated)
        columns = _columns(treated)
        fitted = fit(treated, recipe, keep_weights=True)
    if fitted.weights is None or fitted.run.outcome not in (Outcome.FINISHED, Outcome.STOPPED):
        raise refuse(f"the treated training {fitted.run.outcome.value}", "look at the treatment's report")
    expected = {"validation loss": fitted.run.last("validation_loss")}
    if treated.metric is not None:
        expected[f"validation {treated.metric.name}"] = fitted.run.last("validation_metric")
    if treated.test is not None and treated.test.has_labels and treatment.verified:
        expected |= _on_test(treated, recipe, fitted.weights)
    start = {f"start/{name}": value.detach().cpu().numpy() for name, value in treated.build(recipe.seed).state_dict().items()}
    told = changes(treatment.remedies, treatment.diagnosis.recipe, recipe)
    files = Exported(path, path.with_suffix(".npz"), path.with_suffix(".toml"), path.with_suffix(".safetensors"), expected)
    np.savez_compressed(files.data, **columns, **start)  # type: ignore[arg-type]  # arrays by name
    save_file({k: v.clone() for k, v in fitted.weights.items()}, files.weights)
    files.recipe.write_text(recipe_as_toml(recipe), encoding="utf-8")
    script = training_code(source, body, judged, treated, recipe, _header(treatment, told, expected), files.data.name)
    path.write_text(script, encoding="utf-8")
    return files


def recipe_as_toml(recipe: Recipe) -> str:
    """The recipe's fields as TOML; what is None is left out, since TOML has no word for it."""
    fields = {name: value for name, value in recipe.model_dump(mode="json").items() if value is not None}
    tables = {name: value for name, value in fields.items() if isinstance(value, dict)}
    lines = ["# How the network is trained: the fields of traindx.Recipe; those that are missing are none."]
    lines += [f"{name} = {_toml(value)}" for name, value in fields.items() if name not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{_toml(k)} = {_toml(v)}" for k, v in table.items() if v is not None)]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return repr(value)  # Python's inf and nan are TOML's
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _with_initialization(source: Source, body: str, original: Task, treated: Task) -> str:
    """The body of ``make_model``, tried; with lines for weights that are drawn otherwise."""
    make = _compiled(source, body)
    made, wanted = make(), treated.fresh_model()
    if not same_function(made, wanted, treated):
        named = ", ".join(map(str, treated.remedies))
        raise refuse(f"the network changed by {named} cannot be told in code", "apply the changes in words, and load the weights")
    if original.pretrained:
        return body  # its start is the one that is stored
    lines = initialization_code(make, treated)
    if not lines:
        return body
    source.imports.add("from torch import nn")
    kept, _, returned = body.rpartition("\n    return ")
    if not kept:
        kept, returned = f"    model = {body.removeprefix('    return ')}", "model"
    drawn = "\n".join(f"    {line}" for line in ("# Weights as the treatment draws them.", *lines))
    return f"{kept}\n{drawn}\n    return {returned}"


def _compiled(source: Source, body: str) -> Callable[[], nn.Module]:
    names: dict[str, Any] = {"__name__": "exported"}
    code = "\n".join(
        [
            "from __future__ import annotations",
            "from torch import nn",
            *sorted(source.imports),
            *source.definitions.values(),
            "def make_model():",
            body,
        ]
    )
    exec(compile(code, "<exported>", "exec"), names)  # the user's own code, as it was found
    make: Callable[[], nn.Module] = names["make_model"]
    return make


def _columns(task: Task) -> dict[str, np.ndarray]:
    """Inputs and targets of every split, and the weights of training rows."""
    splits: dict[str, Rows] = {"train": task.train, "validation": task.validation}
    if task.test is not None and task.test.has_labels:
        splits["test"] = task.test.rows(QUESTION)
    found: dict[str, np.ndarray] = {}
    for name, rows in splits.items():
        inputs, targets = _arrays(rows)
        found |= {f"{name}_inputs": inputs.numpy(), f"{name}_targets": targets.numpy()}
    if task.sample_weight is not None:
        found["sample_weight"] = task.sample_weight.numpy()
    return found


def _arrays(rows: Rows) -> tuple[Tensor, Tensor]:
    if rows.inputs is not None and rows.targets is not None:
        return rows.inputs.cpu(), rows.targets.cpu()
    if len(rows) > MOST_ROWS:
        raise refuse(f"found a data set of {len(rows)} rows that are no arrays", f"give arrays, or at most {MOST_ROWS} rows")
    once, again = (_batch(rows) for _ in range(2))
    if not all(torch.equal(a, b) for a, b in zip(once, again, strict=True)):
        raise refuse("the data set gives other rows each time", "give arrays, and let the network do what is random")
    return once


def _batch(rows: Rows) -> tuple[Tensor, Tensor]:
    try:
        batch = next(iter(rows.batches([torch.arange(len(rows))], torch.device("cpu"))))
    except RuntimeError as error:
        raise refuse(f"the rows do not fit together ({error})", "give arrays") from None
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch)):
        raise refuse("the rows are no pairs of an input and a target", "give arrays")
    return batch[0], batch[1]


def _on_test(task: Task, recipe: Recipe, weights: dict[str, Tensor]) -> dict[str, float]:
    assert task.test is not None
    model = task.build(recipe.seed)
    model.load_state_dict(weights)
    rows = task.test.rows(QUESTION)
    result = evaluate(task, model, rows, torch.device("cpu"), torch.arange(len(rows)))
    return {"test loss": result.loss} | ({f"test {task.metric.name}": result.metric} if task.metric is not None else {})


def _header(treatment: Treatment, told: list[str], expected: Mapping[str, float]) -> str:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in expected.items())
    lines = [
        treatment.sentence,
        "",
        SECTIONS["changed"],
        *(f"- {line}" for line in told or ["nothing"]),
        "",
        f"With --seed {treatment.recipe.seed}: {numbers}.",
    ]
    return "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
