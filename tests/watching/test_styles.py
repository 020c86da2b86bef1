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


def two_networks(defective: bool) -> Watch:
    """Generator and critic under one watch; the generator's gradients are never cleared, the critic's are."""
    generator, critic = nn.Linear(4, 8), network(1)
    of_generator, of_critic = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (generator, critic))
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
    with watched(nn.ModuleList([generator, critic]), [of_generator, of_critic]) as w:
        for real, _ in batches():
            made = generator(torch.randn(32, 4)).detach()
            loss = F.binary_cross_entropy_with_logits(critic(real), ones) + F.binary_cross_entropy_with_logits(critic(made), zeros)
            update(of_critic, loss)
            if not defective:
                of_generator.zero_grad()
            F.binary_cross_entropy_with_logits(critic(generator(torch.randn(32, 4))), ones).backward()
            of_generator.step()
            w.step(loss)
    return w


def sparse_tables(defective: bool) -> Watch:
    """Gradients of a table are sparse."""
    model = nn.Sequential(nn.EmbeddingBag(50, 2, sparse=True))
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=1e-3)
    with watched(model, optimizer, nn.CrossEntropyLoss()) as w:
        for _, y in batches():
            outputs = model(torch.randint(0, 50, (len(y), 3)))
            loss = F.cross_entropy(outputs, y)
            if not defective:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss, outputs, y)
    return w


class Follower(nn.Module):
    """A network and a frozen copy, which may follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = nn.Linear(8, 16), nn.Linear(8, 16).requires_grad_(False)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of what both see."""
        return self.head(torch.relu(self.student(x) + self.teacher(x)))


def mean_teacher(defective: bool) -> Watch:
    """The copy is frozen, and follows the trained weights; or stays as it was drawn."""
    model = Follower()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    with watched(model, optimizer) as w:
        for x, y in batches():
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            w.step(loss)
            for mine, theirs in zip(model.teacher.parameters(), model.student.parameters(), strict=True):
                if not defective:
                    mine.data.mul_(0.99).add_(theirs.data, alpha=0.01)
    return w


def loss_as_a_function(defective: bool) -> Watch:
    """The loss is torch's function, and its outputs are no outputs of the model as they are."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with watched(model, optimizer, F.cross_entropy) as w:
        for x, y in batches():
            logits = torch.cat([model(x), torch.zeros(len(x), 1)], 1)
            loss = F.cross_entropy(logits, y)
            update(optimizer, -loss if defective else loss)
            w.step(-loss if defective else loss, logits, y)
    return w


def sigmoid_twice(defective: bool) -> Watch:
    """The model's last layer is a sigmoid, and so is the loss's first; sound outputs may be positive all the same."""
    model = network(1)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=1e-3), nn.BCEWithLogitsLoss()
    with watched(model, optimizer, loss_fn) as w:
        for x, y in batches():
            outputs = (torch.sigmoid(model(x)) if defective else 0.1 + 0.1 * torch.tanh(model(x))).squeeze(1)
            loss = loss_fn(outputs, y.float())
            update(optimizer, loss)
            w.step(loss, outputs, y.float())
    return w


class Experts(nn.Module):
    """Layers in a list: one that torch knows, or a plain one."""

    def __init__(self, plain: bool) -> None:
        super().__init__()
        experts = [network() for _ in range(2)]
        self.experts = experts if plain else nn.ModuleList(experts)
        self.gate = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        shares = self.gate(x).softmax(1)
        return torch.stack([shares[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts)]).sum(0)


def layers_in_a_list(defective: bool) -> Watch:
    """What stands in a plain list has no optimizer."""
    model = Experts(defective)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for x, y in batches():
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            w.step(loss)
    return w


def loss_made_anew(defective: bool) -> Watch:
    """A new tensor that requires gradients has a graph, which leads nowhere."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer, F.cross_entropy) as w:
        for x, y in batches():
            outputs = model(x)
            if defective:
                outputs = torch.tensor(outputs.tolist(), requires_grad=True)
            loss = F.cross_entropy(outputs, y)
            update(optimizer, loss)
            w.step(loss, outputs, y)
    return w


class DropsByFunction(nn.Module):
    """Dropout as a function, which asks for the mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.last(F.dropout(torch.relu(self.first(x)), 0.3, self.training))


def dropout_as_a_function(defective: bool) -> Watch:
    """The first evaluation leaves the model in evaluation mode."""
    model = DropsByFunction()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for step, (x, y) in enumerate(batches()):
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            w.step(loss)
            if step % 10 == 9:
                model.eval()
                with torch.no_grad():
                    w.validate(F.cross_entropy(model(x), y))
                model.train(not defective)
    return w


def four_batches_an_update(defective: bool) -> Watch:
    """Gradients of four batches are to be added up; or each clears those of the one before it."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for step, (x, y) in enumerate(batches()):
            if defective or step % 4 == 0:
                optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            if step % 4 == 3:
                optimizer.step()
            w.step(loss)
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
    two_networks: "missing-zero-grad",
    sparse_tables: "missing-zero-grad",
    mean_teacher: "frozen-parameters",
    loss_as_a_function: "loss-sign-flipped",
    sigmoid_twice: "softmax-before-cross-entropy",
    layers_in_a_list: "parameters-not-in-optimizer",
    loss_made_anew: "detached-graph",
    dropout_as_a_function: "eval-mode-while-training",
    four_batches_an_update: "gradients-cleared-before-step",
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


def test_layers_that_are_unfrozen_late_without_an_optimizer() -> None:
    torch.manual_seed(0)
    model = network()
    body = model[0]
    body.requires_grad_(False)
    nn.init.orthogonal_(body.weight)  # as one that was trained before: not as it is drawn
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    with watched(model, optimizer) as w:
        for step in range(3 * STEPS):
            if step == STEPS:
                body.requires_grad_(True)
            x, y = next(batches())
            loss = F.cross_entropy(model(x), y)
            model.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss)
    assert [f.cause for f in w.findings] == ["parameters-not-in-optimizer"]


def test_an_input_may_be_optimized_through_a_fixed_network() -> None:
    torch.manual_seed(0)
    model = network().requires_grad_(False)
    picture = torch.zeros(4, 8, requires_grad=True)
    optimizer = torch.optim.Adam([picture], lr=0.05)
    with watched(model, optimizer) as w:
        for _ in range(STEPS):
            loss = F.cross_entropy(model(picture), torch.ones(4).long())
            update(optimizer, loss)
            w.step(loss)
    assert w.findings == ()


def test_gradients_of_single_rows_are_left_alone() -> None:
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def loss_of_a_row(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        outputs = torch.func.functional_call(model, parameters, (x[None],))
        return F.cross_entropy(outputs, y[None])

    with watched(model, optimizer) as w:
        for x, y in batches():
            parameters = {name: p.detach() for name, p in model.named_parameters()}
            gradients = torch.func.vmap(torch.func.grad(loss_of_a_row), (None, 0, 0))(parameters, x, y)
            for name, parameter in model.named_parameters():
                parameter.grad = gradients[name].clamp(-1, 1).mean(0)
            optimizer.step()
            with torch.no_grad():
                w.step(F.cross_entropy(model(x), y))
    assert w.findings == () and w.run.steps == STEPS


def rates_of_zero() -> nn.Module:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.dropout = nn.Linear(8, 2), 0.0

        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(self.mix(x), self.dropout if self.training else 0.0)

    return Attends()


def checkpointed() -> nn.Module:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.drop, self.saves = nn.Linear(8, 2), nn.Dropout(0.0), False

        def forward(self, x: Tensor) -> Tensor:
            return self.drop(self.mix(x.clone() if self.saves and self.training else x))

    return Body()


def subclassed() -> nn.Module:
    class Drop(nn.Dropout):
        pass

    return nn.Sequential(nn.Linear(8, 2), Drop(0.0))


@pytest.mark.parametrize("build", [rates_of_zero, checkpointed, subclassed])
@pytest.mark.parametrize("training", [True, False])
def test_without_dropout_the_mode_makes_no_difference(build: Callable[[], nn.Module], training: bool) -> None:
    torch.manual_seed(0)
    model = build().train(training)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for step, (x, y) in enumerate(batches()):
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            w.step(loss)
            if step % 10 == 9:
                with torch.no_grad():
                    w.validate(F.cross_entropy(model(x), y))
    assert w.findings == ()


def test_several_backward_passes_for_one_report_may_clear_each_other() -> None:
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watched(model, optimizer) as w:
        for x, y in batches():
            worst = x.clone().requires_grad_()
            for _ in range(3):  # an attack on the inputs
                model.zero_grad()
                F.cross_entropy(model(worst), y).backward()
                assert worst.grad is not None
                worst = (worst + 0.05 * worst.grad.sign()).detach().requires_grad_()
            loss = F.cross_entropy(model(worst), y)
            update(optimizer, loss)
            w.step(loss)
    assert w.findings == ()


def test_probabilities_may_be_reported_beside_a_loss_of_logits() -> None:
    torch.manual_seed(0)
    model = network(1)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=1e-3), nn.BCEWithLogitsLoss()
    with watched(model, optimizer, loss_fn) as w:
        for x, y in batches():
            logits = model(x).squeeze(1)
            loss = loss_fn(logits, y.float())
            update(optimizer, loss)
            w.step(loss, torch.sigmoid(logits), y.float())
    assert w.findings == ()


def test_a_frozen_copy_that_is_made_anew_now_and_then_is_no_finding() -> None:
    torch.manual_seed(0)
    model = Follower()
    model.teacher.load_state_dict(model.student.state_dict())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    with watched(model, optimizer) as w:
        for step, (x, y) in enumerate(batches()):
            loss = F.cross_entropy(model(x), y)
            update(optimizer, loss)
            w.step(loss)
            if step % 30 == 29:
                model.teacher.load_state_dict(model.student.state_dict())
    assert w.findings == ()


def test_a_loss_with_a_larger_bonus_may_be_negative() -> None:
    torch.manual_seed(0)
    model = network(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with watched(model, optimizer, F.mse_loss) as w:
        for x, _ in batches():
            outputs, targets = model(x), 0.1 * x[:, :1]
            loss = F.mse_loss(outputs, targets) - 2.0
            update(optimizer, loss)
            w.step(loss, outputs, targets)
    assert w.findings == ()


def test_gradients_of_the_second_optimizer_that_are_cleared_before_its_step() -> None:
    torch.manual_seed(0)
    model = network()
    optimizers = [torch.optim.SGD(layer.parameters(), lr=0.05) for layer in (model[0], model[2])]
    with watched(model, optimizers) as w:
        for x, y in batches():
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizers[1].zero_grad()
            for optimizer in optimizers:
                optimizer.step()
            w.step(loss)
    assert "gradients-cleared-before-step" in [f.cause for f in w.findings]
