"""The text of the exported script: data, network, loss, loop and what it prints, in the order in which they happen."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from traindx.handover.source import Source, refuse
from traindx.records import Recipe
from traindx.tasks import Kind, Task
from traindx.tasks.kinds import Form, is_distance, output_form
from traindx.tasks.task import pair_forward
from traindx.training.optimizers import optimizer_class, takes

SECTIONS = {"changed": "What was changed:"}
_METRICS = {
    "accuracy": "return (labels_of(outputs) == classes_of(targets)).double().mean().item()",
    "balanced_accuracy": "hit = (labels_of(outputs) == classes_of(targets)).double()\nreturn torch.stack([hit[classes_of(targets) == c].mean() for c in classes_of(targets).unique()]).mean().item()",
    "label_accuracy": "return ((outputs > THRESHOLD) == (targets > 0.5)).double().mean().item()",
    "rmse": "return (outputs.reshape(targets.shape) - targets).double().square().mean().sqrt().item()",
    "mae": "return (outputs.reshape(targets.shape) - targets).double().abs().mean().item()",
    "r2": "error = (outputs.reshape(targets.shape) - targets).double().square().sum()\nreturn (1 - error / (targets - targets.mean(0)).double().square().sum()).item()",
}
_LABELS = '''
def labels_of(outputs: Tensor) -> Tensor:
    """The class of the largest output, or of one output against its threshold."""
    if outputs.ndim > 1 and outputs.shape[1] > 1:
        return outputs.argmax(1)
    return (outputs.reshape(len(outputs)) > THRESHOLD).long()


def classes_of(targets: Tensor) -> Tensor:
    """Class indices, also of one-hot targets."""
    if targets.ndim > 1 and targets.shape[1] > 1:
        return targets.argmax(1)
    return targets.reshape(len(targets)).long()
'''


@dataclass(frozen=True)
class Judged:
    """Expressions for the loss to descend on, the loss and the forward pass to be judged by, and the code of the metric."""

    training_loss: str
    loss: str
    forward: str
    metric_name: str
    metric: str


def loss_and_metric(source: Source, task: Task) -> Judged:
    """As code.

    Raises:
        InputError: when the loss, the metric or the forward pass is known to itself alone.

    """
    forward = "" if task.forward is pair_forward else source.value(task.forward)
    training, loss = source.value(task.training_loss), source.value(task.loss)
    if task.metric is None:
        return Judged(training, loss, forward, "", "")
    if task.metric.name in _METRICS:
        form = output_form(task.loss, task.kind)
        threshold = 0.5 if form in (Form.PROBABILITIES, Form.NUMBERS) or is_distance(task.loss) else 0.0
        said = f'    """{task.metric.name.replace("_", " ").capitalize()} over all rows."""'
        code = f"def metric(outputs: Tensor, targets: Tensor) -> float:\n{said}\n{textwrap.indent(_METRICS[task.metric.name], '    ')}\n"
        if task.kind in (Kind.CLASSIFICATION, Kind.MULTILABEL):
            code = f"THRESHOLD = {threshold}\n\n{_LABELS if 'labels_of' in code else ''}\n\n{code}"
        return Judged(training, loss, forward, task.metric.name, code)
    return Judged(training, loss, forward, task.metric.name, f"metric = {source.value(task.metric.function)}\n")


def _optimizer(source: Source, recipe: Recipe) -> str:
    kind = optimizer_class(recipe.optimizer)
    options: dict[str, object] = {"lr": recipe.lr, **recipe.optimizer_options}
    for name in ("momentum", "weight_decay"):
        if takes(recipe.optimizer, name) and name not in options and getattr(recipe, name):
            options[name] = getattr(recipe, name)
    if isinstance(options.get("betas"), list):
        options["betas"] = tuple(options["betas"])  # type: ignore[arg-type]
    written = ", ".join(f"{name}={source.value(value)}" for name, value in options.items())
    called = f"torch.optim.{kind.__name__}" if kind.__module__.startswith("torch.optim") else source.define(kind)
    return f"{called}((p for p in model.parameters() if p.requires_grad), {written})"


def _schedule(recipe: Recipe) -> str:
    """The body of ``rate``: the factor on the learning rate at an update."""
    name, *numbers = recipe.schedule.split(":")
    horizon = f"max(1, total - {recipe.warmup_steps})" if recipe.warmup_steps else "max(1, total)"
    decay = {
        "constant": "1.0",
        "cosine": f"0.5 * (1 + math.cos(math.pi * min(step, {horizon}) / {horizon}))",
        "linear": f"1 - min(step, {horizon}) / {horizon}",
        "exponential": f"{numbers[0] if numbers else 1} ** (step // per_epoch)",
        "step": f"{numbers[-1] if numbers else 1} ** (step // per_epoch // {int(float(numbers[0])) if numbers else 1})",
    }[name]
    if not recipe.warmup_steps:
        return f"return {decay}"
    return f"if step < {recipe.warmup_steps}:  # warm-up\n    return (step + 1) / {recipe.warmup_steps}\nstep -= {recipe.warmup_steps}\nreturn {decay}"


def training_code(source: Source, body: str, judged: Judged, task: Task, recipe: Recipe, header: str, data: str) -> str:
    """The whole script."""
    if recipe.precision != "float32":
        raise refuse(f"the recipe trains in {recipe.precision}", "use float32 for the script")
    optimizer = _optimizer(source, recipe)
    weighted = task.sample_weight is not None
    order = (
        "torch.multinomial(weights, rows, replacement=True, generator=generator)"
        if weighted
        else "torch.randperm(rows, generator=generator)"
        if recipe.shuffle
        else "torch.arange(rows)"
    )
    clip = f"\n            nn.utils.clip_grad_norm_(model.parameters(), {recipe.clip_norm})" if recipe.clip_norm is not None else ""
    planned = "EPOCHS * per_epoch" if recipe.max_steps is None else f"min(EPOCHS * per_epoch, {recipe.max_steps})"
    forward = f"forward_pass = {judged.forward}" if judged.forward else _FORWARD
    imports = sorted({"import argparse", "import math", "import random", "import numpy as np", "import torch", *source.imports})
    imports = [line for line in imports if line not in ("from torch import nn", "from torch import Tensor")]
    plain, named = ([line for line in imports if line.startswith(kind)] for kind in ("import ", "from "))
    heading = ["from __future__ import annotations", "", *plain, "from pathlib import Path", *named, "from torch import Tensor, nn"]
    definitions = "\n\n\n".join(code for code in source.definitions.values())
    stopping = recipe.early_stopping
    parts = [
        f'"""{header}\n"""\n\n' + "\n".join(heading),
        f'\nDATA = Path(__file__).with_name("{data}")\nEPOCHS, BATCH_SIZE, ACCUMULATE, VERIFIED_SEED = {recipe.epochs}, {recipe.batch_size}, {recipe.accumulate}, {recipe.seed}\n',
        f"\n{definitions}\n" if definitions else "",
        f'\ndef make_model() -> nn.Module:\n    """The network, with its changes."""\n{body}\n',
        f"\ntraining_loss = {judged.training_loss}\nloss_fn = {judged.loss}\n\n",
        f"{forward}\n",
        f"\n{judged.metric}" if judged.metric else "",
        f'\n\ndef rate(step: int, total: int, per_epoch: int) -> float:\n    """The factor on the learning rate at an update."""\n{textwrap.indent(_schedule(recipe), "    ")}\n',
        _EVALUATE.replace("METRIC", " metric(outputs, targets)" if judged.metric else ""),
        _train(optimizer, order, weighted, clip, planned, stopping, task.pretrained),
        _MAIN.replace("NAMES", repr(("loss", judged.metric_name) if judged.metric else ("loss",))),
    ]
    return "\n".join(part.strip("\n") + "\n\n" for part in parts if part).rstrip("\n") + "\n"


_FORWARD = '''def forward_pass(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Outputs and targets of a batch."""
    inputs, targets = batch
    return model(inputs), targets
'''

_EVALUATE = '''
@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, ...]:
    """Loss and metric in evaluation mode."""
    model.eval()
    parts = [forward_pass(model, pair) for pair in zip(inputs.split(256), targets.split(256))]
    model.train()
    losses = torch.stack([loss_fn(o, t).double() for o, t in parts])
    sizes = torch.tensor([len(t) for _, t in parts], dtype=torch.float64, device=losses.device)
    outputs, targets = torch.cat([o for o, _ in parts]), torch.cat([t for _, t in parts])
    return (((losses * sizes).sum() / sizes.sum()).item(),METRIC)
'''

_MAIN = """
def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network and print how good it is.")
    parser.add_argument("--seed", type=int, default=VERIFIED_SEED)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--save", help="write the trained weights here (torch.save)")
    arguments = parser.parse_args()
    data = {name: torch.from_numpy(array) for name, array in np.load(DATA).items()}
    model = train(data, arguments.seed, arguments.device)
    for split in ("validation", "test"):
        if f"{split}_inputs" in data:
            found = evaluate(model, data[f"{split}_inputs"].to(arguments.device), data[f"{split}_targets"].to(arguments.device))
            print(split, ", ".join(f"{name} {value:.6g}" for name, value in zip(NAMES, found)))
    if arguments.save:
        torch.save(model.state_dict(), arguments.save)


if __name__ == "__main__":
    main()
"""


def _train(optimizer: str, order: str, weighted: bool, clip: str, planned: str, stopping: int | None, pretrained: bool) -> str:
    """The function that trains."""
    load = 'model.load_state_dict({name.removeprefix("start/"): value for name, value in data.items() if name.startswith("start/")})'
    start, begin = ("its pretrained weights", load) if pretrained else (_DRAWN, f"if seed == VERIFIED_SEED:\n        {load}")
    stop_before = "\n    best, waited, kept = math.inf, 0, None" if stopping else ""
    stop_after = _STOP.replace("PATIENCE", str(stopping)) if stopping else ""
    restore = "\n    if kept is not None and waited:\n        model.load_state_dict(kept)" if stopping else ""
    weights = '\n    weights = data["sample_weight"]' if weighted else ""
    return f'''
def train(data: dict[str, Tensor], seed: int, device: str) -> nn.Module:
    """The trained network. It starts from {start}."""
    random.seed(seed), np.random.seed(seed % 2**32), torch.manual_seed(seed)
    model = make_model()
    {begin}
    model = model.to(device).train()
    optimizer = {optimizer}
    random.seed(seed), np.random.seed(seed % 2**32), torch.manual_seed(seed)
    inputs, targets = data["train_inputs"].to(device), data["train_targets"].to(device)
    rows, generator = len(inputs), torch.Generator().manual_seed(seed){weights}
    starts = [start for start in range(0, rows, BATCH_SIZE) if start == 0 or BATCH_SIZE == 1 or rows - start > 1]
    per_epoch = max(1, math.ceil(len(starts) / ACCUMULATE))
    base, step, total = [group["lr"] for group in optimizer.param_groups], 0, {planned}{stop_before}
    while step < total:
        order = {order}
        batches = [order[start : start + BATCH_SIZE].to(device) for start in starts]
        for first in range(0, len(batches), ACCUMULATE):
            for group, lr in zip(optimizer.param_groups, base):
                group["lr"] = lr * rate(step, total, per_epoch)
            optimizer.zero_grad()
            for index in batches[first : first + ACCUMULATE]:
                (training_loss(*forward_pass(model, (inputs[index], targets[index]))) / ACCUMULATE).backward(){clip}
            optimizer.step()
            step += 1
            if step >= total:
                break{stop_after}{restore}
    return model
'''


_DRAWN = "the verified weights where the seed is theirs; else weights are drawn by it"
_STOP = """
        if step % per_epoch:
            break
        loss = evaluate(model, data["validation_inputs"].to(device), data["validation_targets"].to(device))[0]
        waited = 0 if loss < best else waited + 1
        if loss < best:
            best, kept = loss, {name: value.detach().clone() for name, value in model.state_dict().items()}
        if waited >= PATIENCE:
            break"""
