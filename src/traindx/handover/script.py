"""The text of the exported script: data, network, loss, loop and what it prints, in the order in which they happen.

The loop is written for the recipe at hand: what it does not do (accumulate, warm up, stop early) is not in the script.
"""

from __future__ import annotations

import math
import sys
import textwrap
from dataclasses import dataclass

from traindx.handover.judging import Judged
from traindx.handover.rows import Columns
from traindx.handover.source import Source, called, refuse
from traindx.records import Recipe
from traindx.tasks import Task
from traindx.training.evaluation import MAX_ROWS
from traindx.training.optimizers import optimizer_class, takes
from traindx.training.trainer import steps_per_epoch, total_steps

STORED = ("always", "verified seed", "")
"""When a training starts from stored weights: pretrained ones, those of the verified seed where the script draws others, or never."""


@dataclass(frozen=True)
class Training:
    """What the script is written from: the task and recipe, and what of them is code already.

    ``network`` are the statements of ``make_model``; ``stored`` is one of STORED; ``device`` is where the verified training ran.
    """

    task: Task
    recipe: Recipe
    network: list[str]
    judged: Judged
    columns: Columns
    stored: str
    device: str

    @property
    def rows(self) -> int:
        """Training rows."""
        return len(self.task.train)

    @property
    def updates(self) -> int:
        """Optimizer steps at most."""
        return total_steps(self.rows, self.recipe)

    @property
    def updates_an_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return steps_per_epoch(self.rows, self.recipe)

    @property
    def cut_short(self) -> bool:
        """Whether the updates end within the last epoch, by ``max_steps``."""
        return self.updates % self.updates_an_epoch != 0

    @property
    def random_order(self) -> bool:
        """Whether rows are drawn, with or without replacement."""
        return self.recipe.shuffle or self.task.sample_weight is not None

    @property
    def scheduled(self) -> bool:
        """Whether the rate changes."""
        return self.recipe.schedule != "constant" or self.recipe.warmup_steps > 0


def script(source: Source, training: Training, header: str, data: str) -> str:
    """The whole script; ``header`` is its docstring, ``data`` the name of the file of arrays beside it.

    Raises:
        InputError: for a precision that the loop is not written for.

    """
    if training.recipe.precision != "float32":
        raise refuse(f"the recipe trains in {training.recipe.precision}", "use float32 for the script")
    judged = training.judged
    optimizer = _optimizer(source, training.recipe)
    network = textwrap.indent("\n".join(training.network), "    ")
    parts = [
        *source.definitions.values(),
        f'def make_model() -> nn.Module:\n    """The network, with its changes."""\n{network}',
        _losses(judged),
        judged.metric,
        *_preparations(training.columns),
        f"forward_pass = {judged.forward}" if judged.forward else "",
        _rate(training) if training.scheduled else "",
        _evaluate(judged),
        _train(training, optimizer),
        _main(training),
        'if __name__ == "__main__":\n    main()',
    ]
    top = [f'"""{header}\n"""', _imports(source, training), _constants(training, data)]
    return "\n\n".join(top) + "\n\n\n" + "\n\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _imports(source: Source, training: Training) -> str:
    needed = {"import argparse", "import random", "import numpy as np", "import torch", "from pathlib import Path"}
    needed |= {"import math"} if training.recipe.schedule == "cosine" or training.recipe.early_stopping else set()
    needed |= {"from torch import Tensor", "from torch import nn", *source.imports}
    names: dict[str, list[str]] = {}
    for line in sorted(line for line in needed if line.startswith("from ")):
        module, _, name = line.removeprefix("from ").partition(" import ")
        names.setdefault(module, []).append(name)
    lines = sorted(line for line in needed if line.startswith("import "))
    lines += [f"from {module} import {', '.join(listed)}" for module, listed in names.items()]
    installed = {line: line.split()[1].partition(".")[0] not in sys.stdlib_module_names for line in lines}
    groups = ([line for line in lines if installed[line] is kind] for kind in (False, True))
    return "from __future__ import annotations\n\n" + "\n\n".join("\n".join(group) for group in groups)


def _constants(training: Training, data: str) -> str:
    recipe = training.recipe
    lines = [
        "# The rows of every split, and other arrays by name.",
        f'DATA = {{name: torch.from_numpy(array) for name, array in np.load(Path(__file__).with_name("{data}")).items()}}',
        f"EPOCHS, BATCH_SIZE = {math.ceil(training.updates / training.updates_an_epoch)}, {recipe.batch_size}",
    ]
    if training.stored == "verified seed":
        lines.append(f"VERIFIED_SEED = {recipe.seed}")
    if training.scheduled or training.cut_short:
        lines.append(f"UPDATES, UPDATES_AN_EPOCH = {training.updates}, {training.updates_an_epoch}")
    return "\n".join(lines)


def _losses(judged: Judged) -> str:
    if judged.training_loss == judged.loss:
        return f"loss_fn = {judged.loss}"
    return f"loss_fn = {judged.training_loss}\nloss_to_be_judged_by = {judged.loss}"


def _preparations(columns: Columns) -> list[str]:
    """A function for each way in which inputs are prepared: test inputs may have their own."""
    told = {"prepare": columns.prepared.get("train", ""), "prepare_test": columns.prepared.get("test", "")}
    if told["prepare_test"] == told["prepare"]:
        del told["prepare_test"]
    return [
        f'def {name}(inputs: Tensor) -> Tensor:\n    """What the network is given."""\n    return {expression}'
        for name, expression in told.items()
        if expression
    ]


def _prepared(columns: Columns, split: str) -> str:
    """The expression for the inputs of a split."""
    stored = f'DATA["{split}_inputs"]'
    if split not in columns.prepared:
        return stored
    own = split == "test" and columns.prepared["test"] != columns.prepared.get("train")
    return f"{'prepare_test' if own else 'prepare'}({stored})"


def _optimizer(source: Source, recipe: Recipe) -> str:
    kind = optimizer_class(recipe.optimizer)
    options: dict[str, object] = {"lr": recipe.lr, **recipe.optimizer_options}
    for name in ("momentum", "weight_decay"):
        if takes(recipe.optimizer, name) and name not in options and getattr(recipe, name):
            options[name] = getattr(recipe, name)
    if isinstance(options.get("betas"), list):
        options["betas"] = tuple(options["betas"])  # type: ignore[arg-type]
    name = f"torch.optim.{kind.__name__}" if kind.__module__.startswith("torch.optim") else source.define(kind)
    return called(name, ["PARAMETERS", *(f"{option}={source.value(value)}" for option, value in options.items())])


def _rate(training: Training) -> str:
    """The factor on the learning rate, of traindx's schedule of that name."""
    recipe = training.recipe
    name, *numbers = recipe.schedule.split(":")
    horizon = f"(UPDATES - {recipe.warmup_steps})" if recipe.warmup_steps else "UPDATES"
    horizon = "1" if training.updates <= recipe.warmup_steps else horizon
    decay = {
        "constant": "1.0",
        "cosine": f"0.5 * (1 + math.cos(math.pi * min(step, {horizon}) / {horizon}))",
        "linear": f"1 - min(step, {horizon}) / {horizon}",
        "exponential": f"{numbers[0] if numbers else 1} ** (step // UPDATES_AN_EPOCH)",
        "step": f"{numbers[-1] if numbers else 1} ** (step // UPDATES_AN_EPOCH // {int(float(numbers[0])) if numbers else 1})",
        "ramp": f"{numbers[0] if numbers else 1} ** (min(step, {horizon} - 1) / max(1, {horizon} - 1))",
    }[name]
    lines = ["def rate(step: int) -> float:", '    """The factor on the learning rate at an update."""']
    if recipe.warmup_steps:
        lines += [f"    if step < {recipe.warmup_steps}:", f"        return (step + 1) / {recipe.warmup_steps}  # warm-up"]
        lines += [] if name == "constant" else [f"    step -= {recipe.warmup_steps}"]
    return "\n".join([*lines, f"    return {decay}"])


def _evaluate(judged: Judged) -> str:
    loss = "loss_fn" if judged.training_loss == judged.loss else "loss_to_be_judged_by"
    per_row = " / len(targets)" if judged.summed else ""
    outputs = "outputs = torch.cat([model(part) for part in inputs.split(256)])"
    if judged.forward:
        outputs = (
            "pairs = [forward_pass(model, pair) for pair in zip(inputs.split(256), targets.split(256))]\n"
            "    outputs, targets = (torch.cat(parts) for parts in zip(*pairs))"
        )
    found = f'{{"loss": {loss}(outputs, targets).item(){per_row}' + (
        f', "{judged.metric_name}": metric(outputs, targets)}}' if judged.metric else "}"
    )
    return f'''@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Loss and metric over all rows, in evaluation mode."""
    model.eval()
    {outputs}
    model.train()
    return {found}'''


def _train(training: Training, optimizer: str) -> str:
    """The function that trains."""
    recipe = training.recipe
    frozen = any(not p.requires_grad for p in training.task.build(recipe.seed).parameters())
    parameters = "(p for p in model.parameters() if p.requires_grad)" if frozen else "model.parameters()"
    body = [
        "seed_everything(seed)",
        "model = make_model()",
        *_start(training.stored),
        "model.to(device).train()",
        *f"optimizer = {optimizer.replace('PARAMETERS', parameters)}".splitlines(),
        *(["scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)"] if training.scheduled else []),
        f'inputs, targets = {_prepared(training.columns, "train")}.to(device), DATA["train_targets"].to(device)',
        *(_stopping_begins(training) if recipe.early_stopping else []),
        *(["order = torch.Generator().manual_seed(seed)"] if training.random_order else []),
        "seed_everything(seed)  # so that dropout does not depend on how weights were drawn",
        *(["updates = 0"] if training.cut_short else []),
        "for _ in range(EPOCHS):",
        *(f"    {line}" for line in _epoch(training)),
        *(["if waited:", "    model.load_state_dict(kept)"] if recipe.early_stopping else []),
        "return model",
    ]
    return "\n".join(
        [
            _SEEDS,
            "",
            "",
            "def train(seed: int, device: str) -> nn.Module:",
            f'    """The trained network{_STARTS[training.stored]}."""',
            *(f"    {line}" for line in body),
        ]
    )


_SEEDS = '''def seed_everything(seed: int) -> None:
    """Python's, NumPy's and torch's random states."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)'''

_STARTS = {
    "": "",
    "always": ", from the pretrained weights in the file of arrays",
    "verified seed": "; with the verified seed from the very weights that were verified",
}


def _start(stored: str) -> list[str]:
    load = 'model.load_state_dict({name: DATA[f"start/{name}"] for name in model.state_dict()})'
    return {"": [], "always": [load], "verified seed": ["if seed == VERIFIED_SEED:", f"    {load}"]}[stored]


def _stopping_begins(training: Training) -> list[str]:
    chosen, lines = "", list[str]()
    if (rows := len(training.task.validation)) > MAX_ROWS:
        lines.append(f"watched = torch.randperm({rows}, generator=torch.Generator().manual_seed(0))[:{MAX_ROWS}]  # these say when to stop")
        chosen = "[watched]"
    inputs = _prepared(training.columns, "validation")
    return [
        *lines,
        f'validation = {inputs}{chosen}.to(device), DATA["validation_targets"]{chosen}.to(device)',
        "best, waited, kept = math.inf, 0, {}",
    ]


_STOPPING = """loss = evaluate(model, *validation)["loss"]
waited = 0 if loss < best else waited + 1
if loss < best:
    best, kept = loss, {name: value.clone() for name, value in model.state_dict().items()}
if waited == PATIENCE:
    break"""


def _epoch(training: Training) -> list[str]:
    """The lines of one epoch."""
    recipe = training.recipe
    order = "torch.randperm(len(inputs), generator=order)" if recipe.shuffle else "torch.arange(len(inputs))"
    if training.task.sample_weight is not None:
        order = 'torch.multinomial(DATA["sample_weight"], len(inputs), replacement=True, generator=order)'
    left_over = recipe.batch_size > 1 and training.rows > recipe.batch_size and training.rows % recipe.batch_size == 1
    batches = f"{order}{'[:-1]' if left_over else ''}.split(BATCH_SIZE)"
    note = ["# The last row would be a batch of its own."] if left_over else []
    after = [
        *([f"nn.utils.clip_grad_norm_(model.parameters(), {recipe.clip_norm!r})"] if recipe.clip_norm is not None else []),
        "optimizer.step()",
        *(["scheduler.step()"] if training.scheduled else []),
        *(["updates += 1", "if updates == UPDATES:", "    break"] if training.cut_short else []),
    ]
    loss = "loss_fn(model(inputs[batch]), targets[batch])"
    if training.judged.forward:
        loss = "loss_fn(*forward_pass(model, (inputs[batch], targets[batch])))"
    if recipe.accumulate == 1:
        update = [f"loss = {loss}", "optimizer.zero_grad()", "loss.backward()", *after]
        lines = [*note, f"for batch in {batches}:", *(f"    {line}" for line in update)]
    else:
        update = [
            "optimizer.zero_grad()",
            f"for batch in batches[first : first + {recipe.accumulate}]:",
            f"    ({loss} / {recipe.accumulate}).backward()",
            *after,
        ]
        loop = f"for first in range(0, len(batches), {recipe.accumulate}):"
        lines = [*note, f"batches = {batches}", loop, *(f"    {line}" for line in update)]
    if recipe.early_stopping:
        stopping = _STOPPING.replace("PATIENCE", str(recipe.early_stopping)).splitlines()
        # Only whole epochs are judged.
        lines += [*(["if updates % UPDATES_AN_EPOCH:", "    break"] if training.cut_short else []), *stopping]
    return lines


def _main(training: Training) -> str:
    splits = [split for split in ("validation", "test") if f"{split}_inputs" in training.columns.arrays]
    told = "\n".join(
        f'        "{split}": evaluate(model, {_prepared(training.columns, split)}.to(device), DATA["{split}_targets"].to(device)),'
        for split in splits
    )
    default = '"cuda" if torch.cuda.is_available() else "cpu"' if training.recipe.device == "auto" else repr(training.recipe.device)
    exact = "\n    torch.use_deterministic_algorithms(True, warn_only=True)" if training.device != "cpu" else ""
    return f'''def judge(model: nn.Module, device: str) -> dict[str, dict[str, float]]:
    """How good the network is on rows that it was not trained on."""
    return {{
{told}
    }}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network and print how good it is.")
    parser.add_argument("--seed", type=int, default={training.recipe.seed})
    parser.add_argument("--device", default={default})
    parser.add_argument("--save", metavar="FILE", help="write the trained weights here, by torch.save")
    arguments = parser.parse_args(){exact}
    model = train(arguments.seed, arguments.device)
    for split, found in judge(model, arguments.device).items():
        print(split, ", ".join(f"{{name}} {{value:.6g}}" for name, value in found.items()))
    if arguments.save:
        torch.save(model.state_dict(), arguments.save)'''
