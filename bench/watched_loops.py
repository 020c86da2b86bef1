"""Loops in plain PyTorch, each with one defect and as a correct twin that differs in that defect only; for tests and for the bench.

    python bench/watched_loops.py [--write]

watches them all, and the trainings by Lightning and Hugging Face of watched_frameworks.py: is the right defect on top, within 50 updates of its
beginning, and is nothing found in the twin? ``--write`` renews results/watched-loops.md.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import traindx as tdx
from traindx.watching import Watch

ROWS, BATCH, EPOCHS = 320, 32, 10
LENGTH, WORDS = 12, 20
# Late defects begin in this epoch, after the watch's first updates, and a rate that explodes is multiplied by this with every update.
LATE, EXPLODING = 7, 1.5


# --- Models ------------------------------------------------------------------------------------------------------------------------


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x.reshape(-1, 1, 4, 4)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.lstm = nn.LSTM(16, 24, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(24, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(words))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(words)).mean(1))


class OfDicts(nn.Module):
    """Takes keywords and returns a dictionary; its two layers share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.second.weight = self.first.weight

    def forward(self, *, inputs: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(torch.relu(self.second(torch.relu(self.first(inputs)))))}


def regressor() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1))


# --- Data --------------------------------------------------------------------------------------------------------------------------


def numbers() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(ROWS, 16, generator=generator)
    return x, (x @ torch.randn(16, 3, generator=generator)).argmax(1)


def quantities() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(ROWS, 16, generator=generator)
    return x, torch.tanh(x @ torch.randn(16, generator=generator) / 2)


def sentences() -> tuple[Tensor, Tensor]:
    words = torch.randint(0, WORDS, (ROWS, LENGTH), generator=torch.Generator().manual_seed(3))
    return words, words[:, -1] % 3


# --- One loop ----------------------------------------------------------------------------------------------------------------------


@dataclass
class Loop:
    """A training loop in pieces; a defect replaces one of them."""

    build: Callable[[], nn.Module] = mlp
    data: Callable[[], tuple[Tensor, Tensor]] = numbers
    loss_fn: Callable[[Tensor, Tensor], Tensor] = field(default_factory=nn.CrossEntropyLoss)
    lr: float = 0.05
    accumulate: int = 1
    clip: bool = False
    autocast: bool = False
    scaled: bool = False
    groups: bool = False
    given_scheduler: bool = True
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None
    defect: str = ""

    def run(self, **options: Any) -> Watch:
        """Train for a few epochs, watched."""
        torch.manual_seed(0)
        (x, y), model = self.data(), self.build()
        optimizer = self._optimizer(model)
        scheduler = self.schedule(optimizer) if self.schedule else None
        if self.defect == "head replaced":
            model.head = nn.Linear(model.head.in_features, 3)
        if self.defect == "first layers frozen":
            next(model.children()).requires_grad_(False)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40) if self.scaled else None
        given = scheduler if self.given_scheduler else None
        with tdx.watch(model, optimizer, self.loss_fn, scheduler=given, quiet=True, strict=True, **options) as w:
            for epoch in range(EPOCHS):
                if self.defect != "train() forgotten" or epoch == 0:
                    model.train(self.defect != "eval() at the start")
                for inputs, targets in self._batches(x, y, epoch):
                    if self.defect == "rate explodes late" and epoch >= LATE:
                        optimizer.param_groups[0]["lr"] *= EXPLODING
                    self._update(w, model, optimizer, scaler, inputs, targets, clears=self._clears(epoch))
                    if scheduler and self.defect == "stepped with every batch":
                        scheduler.step()
                    if scheduler and isinstance(scheduler, torch.optim.lr_scheduler.OneCycleLR) and not self.defect:
                        scheduler.step()
                if scheduler and self.defect != "stepped with every batch" and (self.defect or not _by_update(scheduler)):
                    scheduler.step()
                self._evaluate(w, model, x, y)
        return w

    def _clears(self, epoch: int) -> bool:
        """Whether the gradients are cleared before the backward pass."""
        never, late = ("no zero_grad", "zero_grad before step"), "zero_grad forgotten late"
        return self.defect not in never and not (self.defect == late and epoch >= LATE)

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        options: dict[str, Any] = {"lr": self.lr, "momentum": 0.9, "maximize": self.defect == "maximize"}
        if self.defect == "head alone":
            return torch.optim.SGD(model.head.parameters(), **options)
        if self.groups:
            parameters = list(model.parameters())
            rate = 0.0 if self.defect == "rate of zero" else self.lr / 2
            return torch.optim.SGD([{"params": parameters[:2], "lr": rate}, {"params": parameters[2:]}], **options)
        return torch.optim.SGD(model.parameters(), **options)

    def _batches(self, x: Tensor, y: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        order = torch.randperm(ROWS, generator=generator)
        of_targets = torch.randperm(ROWS, generator=generator) if self.defect == "shuffled apart" else order
        before = y[of_targets[-BATCH:]]
        for start in range(0, ROWS, BATCH):
            targets = y[of_targets[start : start + BATCH]]
            inputs = x[order[start : start + BATCH]]
            if self.defect == "NaN in a batch" and epoch == 2 and start == 3 * BATCH:
                inputs = inputs.clone()
                inputs[5, 2] = torch.nan
            yield inputs, before if self.defect == "targets of the batch before" else targets
            before = targets

    def _update(self, w: Watch, model: nn.Module, optimizer: Any, scaler: Any, inputs: Tensor, targets: Tensor, clears: bool) -> None:
        defect = self.defect
        if clears:
            optimizer.zero_grad()
        for part, (x, y) in enumerate(zip(inputs.chunk(self.accumulate), targets.chunk(self.accumulate), strict=True)):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
                outputs = self._outputs(model, x)
                loss = self._loss(outputs, y)
            if defect == "graph cut at the loss":
                loss = loss.detach().requires_grad_()
            if defect != "no backward":
                climbed = -loss if defect == "climbed" else loss
                (scaler.scale(climbed) if scaler else climbed / self.accumulate).backward()
            if defect == "zero_grad in each part" and part:
                optimizer.zero_grad()
        if self.clip:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if defect == "zero_grad before step":
            optimizer.zero_grad()
        if scaler:
            scaler.step(optimizer)
            scaler.update()
        elif defect != "no step":
            optimizer.step()
        w.step(loss, outputs, y)

    def _outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        if isinstance(model, OfDicts):
            return model(inputs=x)["logits"]
        if self.defect in ("features detached", "features without graph"):
            with torch.no_grad() if self.defect == "features without graph" else contextlib.nullcontext():
                features = model.features(x.reshape(-1, 1, 4, 4))
            return model.head(features.detach())
        return model(x)

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss = self.loss_fn(outputs, targets)
        return -loss if self.defect == "negated" else loss

    def _evaluate(self, w: Watch, model: nn.Module, x: Tensor, y: Tensor) -> None:
        model.train(self.defect == "eval() forgotten")
        with torch.no_grad():
            outputs = self._outputs(model, x)
            w.validate(self.loss_fn(outputs, y), float((outputs.argmax(-1) == y).float().mean()))


def _by_update(scheduler: Any) -> bool:
    return isinstance(scheduler, torch.optim.lr_scheduler.OneCycleLR)


# --- Layers and losses that break ----------------------------------------------------------------------------------------------------


class RootOf(nn.Module):
    """The root of the height above a row's lowest number: its slope at that number is infinite."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(x - x.amin(1, keepdim=True) + self.epsilon)


class ByTheirSpread(nn.Module):
    """Each row over its spread, which is zero where a row is constant."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        clamped = x.clamp(-10.0, -2.0)
        return x / (clamped.std(1, keepdim=True) + self.epsilon)


def with_layer(layer: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(16, 32), layer, nn.Linear(32, 3))


@dataclass
class LogOfProbability:
    """Cross-entropy by hand: the logarithm of a probability that may be zero."""

    epsilon: float

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        probabilities = (40 * outputs).softmax(1)
        probabilities = torch.where(probabilities < 1e-12, torch.zeros_like(probabilities), probabilities)
        return -torch.log(probabilities.gather(1, targets[:, None]) + self.epsilon).mean()


@dataclass
class MeanSquare:
    """The mean square by hand; the correct twin aligns the shapes."""

    aligned: bool

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs.reshape(targets.shape) if self.aligned else outputs) - targets).square().mean()


class Squeezed(nn.Module):
    """A regressor whose outputs have the shape of the targets."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = regressor()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).squeeze(1)


def with_softmax(model: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(model(), nn.Softmax(-1))


# --- The trials --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """A loop with a defect, its twin, and the cause that is to be found."""

    name: str
    cause: str
    defective: Loop
    twin: Loop
    needs_epochs: bool = False
    since: int = 0
    """The updates before its first one."""


def trial(cause: str, defect: str, needs_epochs: bool = False, since: int = 0, **options: Any) -> Trial:
    style = "-".join(
        [options.get("build", mlp).__name__.lower(), *(k for k in ("accumulate", "clip", "autocast", "groups", "scaled") if options.get(k))]
    )
    return Trial(f"{defect.replace(' ', '-')}-{style}", cause, Loop(defect=defect, **options), Loop(**options), needs_epochs, since)


def broken(cause: str, name: str, defective: dict[str, Any], twin: dict[str, Any], **options: Any) -> Trial:
    return Trial(name, cause, Loop(**defective, **options), Loop(**twin, **options))


def stepped(name: str, schedule: Callable[[torch.optim.Optimizer], Any], defect: str, given: bool, **options: Any) -> Trial:
    loops = [Loop(schedule=schedule, given_scheduler=given, defect=d, **options) for d in (defect, "")]
    return Trial(f"{name}-{defect.replace(' ', '-')}", "scheduler-wrong-rhythm", *loops, needs_epochs=True)


_SCHEDULERS = torch.optim.lr_scheduler
_UPDATES = EPOCHS * ROWS // BATCH
_SINCE = LATE * ROWS // BATCH
_CONVOLUTION: dict[str, Any] = {"build": Convolutional}
_WORDS: dict[str, Any] = {"build": Recurrent, "data": sentences}
_ATTENTION: dict[str, Any] = {"build": Attention, "data": sentences}

TRIALS: tuple[Trial, ...] = (
    trial("missing-zero-grad", "no zero_grad"),
    trial("missing-zero-grad", "no zero_grad", accumulate=2, **_WORDS),
    trial("missing-zero-grad", "no zero_grad", autocast=True, **_ATTENTION),
    trial("missing-zero-grad", "no zero_grad", clip=True, build=OfDicts),
    trial("missing-zero-grad", "zero_grad forgotten late", since=_SINCE),
    trial("missing-zero-grad", "zero_grad forgotten late", since=_SINCE, accumulate=2, **_WORDS),
    trial("missing-zero-grad", "zero_grad forgotten late", since=_SINCE, autocast=True, **_ATTENTION),
    trial("missing-zero-grad", "zero_grad forgotten late", since=_SINCE, clip=True, build=OfDicts),
    trial("learning-rate-too-high", "rate explodes late", since=_SINCE),
    trial("learning-rate-too-high", "rate explodes late", since=_SINCE, **_CONVOLUTION),
    trial("learning-rate-too-high", "rate explodes late", since=_SINCE, accumulate=2, **_WORDS),
    trial("learning-rate-too-high", "rate explodes late", since=_SINCE, build=OfDicts),
    trial("missing-backward", "no backward"),
    trial("missing-backward", "no backward", **_WORDS),
    trial("missing-optimizer-step", "no step"),
    trial("missing-optimizer-step", "no step", accumulate=4, **_CONVOLUTION),
    trial("missing-optimizer-step", "no step", clip=True, **_ATTENTION),
    trial("gradients-cleared-before-step", "zero_grad before step"),
    trial("gradients-cleared-before-step", "zero_grad before step", clip=True, **_WORDS),
    trial("parameters-not-in-optimizer", "head replaced", **_CONVOLUTION),
    trial("parameters-not-in-optimizer", "head replaced", scaled=True, **_ATTENTION),
    trial("parameters-not-in-optimizer", "head alone", **_WORDS),
    trial("frozen-parameters", "first layers frozen"),
    trial("frozen-parameters", "first layers frozen", **_WORDS),
    trial("frozen-parameters", "rate of zero", groups=True),
    trial("detached-graph", "features detached", **_CONVOLUTION),
    trial("detached-graph", "features without graph", **_CONVOLUTION),
    trial("detached-graph", "graph cut at the loss"),
    trial("loss-sign-flipped", "negated"),
    trial("loss-sign-flipped", "climbed", lr=0.01),
    trial("loss-sign-flipped", "maximize", **_WORDS),
    broken(
        "output-target-shape-mismatch", "mse-broadcast", {"build": regressor}, {"build": Squeezed}, data=quantities, loss_fn=nn.MSELoss()
    ),
    broken(
        "output-target-shape-mismatch",
        "by-hand-broadcast",
        {"loss_fn": MeanSquare(aligned=False)},
        {"loss_fn": MeanSquare(aligned=True)},
        data=quantities,
        build=regressor,
    ),
    broken("softmax-before-cross-entropy", "softmax-mlp", {"build": with_softmax(mlp)}, {"build": mlp}),
    broken("softmax-before-cross-entropy", "softmax-lstm", {"build": with_softmax(Recurrent)}, {"build": Recurrent}, data=sentences),
    trial("targets-misaligned", "shuffled apart", needs_epochs=True),
    trial("targets-misaligned", "targets of the batch before", needs_epochs=True, **_CONVOLUTION),
    trial("eval-mode-while-training", "eval() at the start"),
    trial("eval-mode-while-training", "train() forgotten", **_CONVOLUTION),
    trial("train-mode-while-evaluating", "eval() forgotten"),
    trial("train-mode-while-evaluating", "eval() forgotten", scaled=True, **_CONVOLUTION),
    stepped("step", lambda o: _SCHEDULERS.StepLR(o, 3, 0.3), "stepped with every batch", given=False),
    stepped("cosine", lambda o: _SCHEDULERS.CosineAnnealingLR(o, EPOCHS), "stepped with every batch", given=True),
    stepped("one-cycle", lambda o: _SCHEDULERS.OneCycleLR(o, 0.1, total_steps=_UPDATES), "stepped with every epoch", given=True),
    broken("non-finite-loss", "log-of-zero", {"loss_fn": LogOfProbability(0.0)}, {"loss_fn": LogOfProbability(1e-9)}, lr=0.01),
    broken("non-finite-loss", "slope-of-a-root", {"build": with_layer(RootOf(0.0))}, {"build": with_layer(RootOf(1e-3))}),
    broken("non-finite-loss", "zero-spread", {"build": with_layer(ByTheirSpread(0.0))}, {"build": with_layer(ByTheirSpread(1.0))}),
    trial("non-finite-data", "NaN in a batch"),
)


# --- The bench ---------------------------------------------------------------------------------------------------------------------

RESULTS = Path(__file__).parent / "results" / "watched-loops.md"
WITHIN = 50


@dataclass(frozen=True)
class Answer:
    """What was found in a defective loop and in its twin: causes by rank with the update at which they were first seen."""

    framework: str
    name: str
    cause: str
    found: list[tuple[str, int]]
    in_twin: list[tuple[str, int]]
    needs_epochs: bool = False
    since: int = 0

    @property
    def right(self) -> bool:
        return bool(self.found) and self.found[0][0] == self.cause

    @property
    def in_time(self) -> bool:
        return self.right and (self.needs_epochs or self.found[0][1] <= self.since + WITHIN)


def seen(findings: Any) -> list[tuple[str, int]]:
    return [(f.cause, f.evidence[0].step) for f in findings]


def answers() -> Iterator[Answer]:
    for t in TRIALS:
        yield Answer("PyTorch", t.name, t.cause, seen(t.defective.run().findings), seen(t.twin.run().findings), t.needs_epochs, t.since)
    from watched_frameworks import CAUSES, hf_train, lightning_fit

    with tempfile.TemporaryDirectory() as folder:
        for framework, fit, defects in (
            ("Lightning", lightning_fit, [*CAUSES]),
            ("Hugging Face", hf_train, [d for d in CAUSES if d != "eval"]),
        ):
            in_twin = seen(fit(Path(folder))[1].findings)
            for defect in defects:
                yield Answer(framework, defect, CAUSES[defect], seen(fit(Path(folder), defect)[1].findings), in_twin)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    lines = ["| loop | defect | on top | first seen at update | others found | in the twin |", "|---|---|---|---|---|---|"]
    given = []
    for answer in answers():
        given.append(answer)
        top, *others = answer.found or [("nothing", 0)]
        named = [", ".join(cause for cause, _ in found) or "-" for found in (others, answer.in_twin)]
        lines.append(f"| {answer.framework}: {answer.name} | {answer.cause} | {top[0]} | {top[1]} | {named[0]} | {named[1]} |")
        print(lines[-1], flush=True)
    right, in_time, false = (sum(bool(x) for x in xs) for xs in zip(*((a.right, a.in_time, a.in_twin) for a in given), strict=True))
    said = f"{len(given)} loops: the right defect on top in {right}, in time in {in_time}; findings in {false} of the twins."
    print(said)
    if options.write:
        title = "# What a watch finds in loops with one defect, and in their correct twins"
        RESULTS.write_text(f"{title}\n\n`python bench/watched_loops.py --write`\n\n{said}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
