"""Loops in the styles that people write: each correct, and once more with one defect in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import traindx as tdx
from traindx.watching import Watch

STEPS, WITHIN = 80, 50


def rows() -> tuple[Tensor, Tensor]:
    x = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()


def batches() -> Any:
    x, y = rows()
    for _ in range(STEPS):
        index = torch.randint(0, len(x), (32,))
        yield x[index], y[index]


def network(outputs: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, outputs))


def watched(model: nn.Module, optimizer: Any, loss_fn: Any = None, **options: Any) -> Watch:
    return tdx.watch(model, optimizer, loss_fn, quiet=True, strict=True, **options)


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# --- The styles --------------------------------------------------------------------------------------------------------------------


def critic_of_a_generator(defective: bool) -> Watch:
    """The generator's loss adds to the critic's gradients after the critic's update; they are cleared before the next one."""
    generator, critic = nn.Linear(4, 8), network(1)
    of_generator, of_critic = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (generator, critic))
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
    with watched(critic, of_critic) as w:
        for real, _ in batches():
            made = generator(torch.randn(32, 4))
            if not defective:
                of_critic.zero_grad()
            loss = F.binary_cross_entropy_with_logits(critic(real), ones) + F.binary_cross_entropy_with_logits(critic(made.detach()), zeros)
            loss.backward()
            of_critic.step()
            w.step(loss)
            update(of_generator, F.binary_cross_entropy_with_logits(critic(made), ones))
    return w


def sharpness_aware(defective: bool) -> Watch:
    """Weights are moved up the gradient, and the update is made with the gradient there."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for x, y in batches():
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            moves = [0.05 * p.grad / (p.grad.norm() + 1e-9) for p in model.parameters() if p.grad is not None]
            with torch.no_grad():
                torch._foreach_add_(list(model.parameters()), moves)
            if not defective:
                optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            with torch.no_grad():
                torch._foreach_sub_(list(model.parameters()), moves)
            optimizer.step()
            if not defective:
                optimizer.zero_grad()
            w.step(loss)
    return w


def updates_by_hand(defective: bool) -> Watch:
    """No optimizer steps: the weights are changed under no_grad."""
    model = network()
    with watched(model, torch.optim.SGD(model.parameters(), lr=0.05)) as w:
        for x, y in batches():
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter -= 0.05 * parameter.grad
                    if not defective:
                        parameter.grad.zero_()
            w.step(loss)
    return w


def scaled_losses(defective: bool) -> Watch:
    """Loss scaling skips the updates whose gradients are not finite."""
    model, scaler = network(1), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with watched(model, optimizer) as w:
        for x, _ in batches():
            optimizer.zero_grad()
            off = (model(x).squeeze(1) - x[:, 0]).abs()
            loss = (torch.log(off - off.min()) if defective else off).mean()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            w.step(loss)
    return w


def head_of_a_tuned_model(defective: bool) -> Watch:
    """The head is replaced: an optimizer made of the old head alone holds nothing that the model has."""
    model = network()
    update(torch.optim.SGD(model.parameters(), lr=0.1), F.cross_entropy(model(rows()[0]), rows()[1]))
    nn.init.normal_(model[0].weight)  # as if trained before
    model[0].requires_grad_(False)
    optimizer = torch.optim.Adam(model[2].parameters(), lr=1e-3)
    model[2] = nn.Linear(16, 2)
    if not defective:
        optimizer = torch.optim.Adam(model[2].parameters(), lr=1e-3)
    with watched(model, optimizer, nn.CrossEntropyLoss()) as w:
        for x, y in batches():
            outputs = model(x)
            loss = F.cross_entropy(outputs, y)
            update(optimizer, loss)
            w.step(loss, outputs, y)
    return w


class Translator(nn.Module):
    """Encoder and decoder share an embedding, so that the first layer receives gradients even where the graph is cut behind the encoder."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.cut, self.embedding, self.encoder = cut, nn.Embedding(10, 8), nn.GRU(8, 16, batch_first=True)
        self.decoder, self.head, self.pooler = nn.GRU(8, 16, batch_first=True), nn.Linear(16, 10), nn.Linear(16, 4)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        _, state = self.encoder(self.embedding(source))
        decoded, _ = self.decoder(self.embedding(target), state.detach() if self.cut else state)
        return self.head(decoded), self.pooler(decoded[:, -1])  # the pooler's output is not used


def encoder_and_decoder(defective: bool) -> Watch:
    model = Translator(defective)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watched(model, optimizer) as w:
        for _ in range(STEPS):
            words = torch.randint(0, 10, (16, 6))
            outputs, _ = model(words, words)
            loss = F.cross_entropy(outputs.flatten(0, 1), words.flatten())
            update(optimizer, loss)
            w.step(loss)
    return w


class LayersLeftOut(nn.Module):
    """In training, layers are left out at random: they receive no gradient then."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.cut, self.first, self.layers, self.last = (
            cut,
            nn.Linear(8, 16),
            nn.ModuleList(nn.Linear(16, 16) for _ in range(8)),
            nn.Linear(16, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        hidden = hidden.detach() if self.cut else hidden
        for layer in self.layers:
            if not self.training or random.random() > 0.3:
                hidden = hidden + torch.relu(layer(hidden))
        return self.last(hidden)


def layers_left_out(defective: bool) -> Watch:
    random.seed(0)
    model = LayersLeftOut(defective)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with watched(model, optimizer) as w:
        for x, y in batches():
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            w.step(loss)
    return w


def schedules_in_a_row(defective: bool) -> Watch:
    """A warm-up, then a cosine, stepped with every update: in the defect both are made for epochs of ten updates."""
    model, schedules = network(), torch.optim.lr_scheduler
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    unit = 1 if defective else 10
    parts = [schedules.LinearLR(optimizer, 0.1, total_iters=unit), schedules.CosineAnnealingLR(optimizer, 7 * unit)]
    scheduler = schedules.SequentialLR(optimizer, parts, [unit])
    with watched(model, optimizer, scheduler=scheduler) as w:
        for x, y in batches():
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            scheduler.step()
            w.step(loss)
    return w


class CountsInItsOwnWay:
    """A scheduler that is none of torch's."""

    def step(self) -> None:
        pass


def infinite_target(defective: bool) -> Watch:
    """Huber's slope is finite where the target is not: the loss alone shows it."""
    model = network(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.HuberLoss()
    with watched(model, optimizer, loss_fn, scheduler=CountsInItsOwnWay()) as w:
        for step, (x, _) in enumerate(batches()):
            outputs, targets = model(x).squeeze(1), x[:, 0].clone()
            if defective and step == 20:
                targets[3] = torch.inf
            loss = loss_fn(outputs, targets)
            update(optimizer, loss)
            w.step(loss, outputs, targets)
    return w


STYLES: dict[Callable[[bool], Watch], str] = {
    critic_of_a_generator: "missing-zero-grad",
    sharpness_aware: "missing-zero-grad",
    updates_by_hand: "missing-zero-grad",
    scaled_losses: "non-finite-loss",
    head_of_a_tuned_model: "parameters-not-in-optimizer",
    encoder_and_decoder: "detached-graph",
    layers_left_out: "detached-graph",
    schedules_in_a_row: "scheduler-wrong-rhythm",
    infinite_target: "non-finite-data",
}


@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.__name__)
def test_the_defect_is_on_top_within_the_first_updates(style: Callable[[bool], Watch]) -> None:
    torch.manual_seed(0)
    w = style(True)
    assert [f.cause for f in w.findings][:1] == [STYLES[style]]
    step = w.findings[0].evidence[0].step
    assert step is not None and step <= WITHIN


@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.__name__)
def test_the_correct_loop_gives_no_finding(style: Callable[[bool], Watch]) -> None:
    torch.manual_seed(0)
    assert [f.summary for f in style(False).findings] == []


def test_gradients_that_are_set_by_hand_need_no_backward_pass() -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for x, y in batches():
            with torch.no_grad():
                outputs = model(x)
                off = (outputs.softmax(1) - F.one_hot(y, 2)) / len(x)
                model.weight.grad, model.bias.grad = off.T @ x, off.sum(0)
                optimizer.step()
                w.step(F.cross_entropy(outputs, y))
    assert w.findings == ()


def test_a_logarithm_is_named_although_no_update_was_made() -> None:
    torch.manual_seed(0)
    assert "Log" in scaled_losses(True).findings[0].summary
