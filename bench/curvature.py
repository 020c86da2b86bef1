"""Curvature against its peers: accuracy, products, times, certificates. One process, one thread, interleaved rounds.

    python bench/curvature.py [--write] [--quick]

PyHessian, curvlinops and hessian-eigenthings are compared with where they can be imported; a row that is skipped says so. Times are medians of
rounds in which all contestants take turns. Each acceptance line prints what was asked for, what was found, and whether that is met.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import datetime
import importlib.metadata
import importlib.util
import io
import itertools
import math
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import scipy.sparse.linalg
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import vector_to_parameters
from torch.utils.flop_counter import FlopCounterMode

from traindx.curvature import Objective, dense_hessian, density, eigenpairs, inertia, negative_curvature, trace
from traindx.curvature.escape import escape

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "curvature"))
import families

RESULTS = Path(__file__).parent / "results" / "curvature.md"
PEERS = {"pyhessian": "pyhessian", "curvlinops": "curvlinops-for-pytorch", "hessian_eigenthings": "hessian-eigenthings"}
TOLERANCE = 1e-3
BY_HAND = "by hand"  # a product written for one network alone: what is left to gain
PROBES = 40  # seeds of the trace, and vectors of the density, whose means are compared with the truth
CLUSTERED = "early in training the smallest eigenvalues lie close together"
STAGES = (20, 60, 200)  # steps of SGD after which the small networks are looked at


def have(peer: str) -> bool:
    return importlib.util.find_spec(peer) is not None


# --- What is printed ---------------------------------------------------------------------------------------------------------------


class Report:
    """Lines for the terminal and the file."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.verdicts: list[str] = []

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.lines.append(line)

    def section(self, title: str, text: str) -> None:
        for line in ("", f"## {title}", "", text, ""):
            self.say(line)

    def table(self, heading: list[str], rows: list[list[str]]) -> None:
        for cells in (heading, ["---"] * len(heading), *rows):
            self.say("| " + " | ".join(cells) + " |")

    def accept(self, what: str, found: str, met: bool, reason: str = "") -> None:
        self.verdicts.append(f"| {what} | {found} | {'met' if met else 'MISSED: ' + reason} |")
        print(f"  -> {what}: {found}: {'met' if met else 'MISSED'}", flush=True)


# --- The models --------------------------------------------------------------------------------------------------------------------


class Subject(NamedTuple):
    """A model on one full batch."""

    model: nn.Module
    loss: nn.Module
    batch: tuple[Tensor, Tensor]

    def objective(self, **options: Any) -> Objective:
        return Objective(self.model, self.loss, [self.batch], **options)

    def parameters(self) -> list[nn.Parameter]:
        return list(self.model.parameters())

    def double(self) -> Subject:
        inputs = self.batch[0]
        return Subject(
            copy.deepcopy(self.model).double(), self.loss, (inputs.double() if inputs.is_floating_point() else inputs, self.batch[1])
        )


def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)


def mlp(*widths: int, steps: int) -> Subject:
    """A tanh network on all digits, after some steps of SGD."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inward, outward in itertools.pairwise(widths):
        layers += [nn.Linear(inward, outward), nn.Tanh()]
    return trained(Subject(nn.Sequential(*layers[:-1]), nn.CrossEntropyLoss(), digits()), steps, 0.2)


def trained(subject: Subject, steps: int, lr: float) -> Subject:
    x, y = subject.batch
    optimizer = torch.optim.SGD(subject.model.parameters(), lr=lr, momentum=0.9)
    for _ in range(steps):
        index = torch.randint(len(x), (64,))
        optimizer.zero_grad()
        subject.loss(subject.model(x[index]), y[index]).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return subject


def convolutional() -> Subject:
    """ReLU network of 123k parameters on 256 digits."""
    torch.manual_seed(0)
    layers = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()]
    layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 100), nn.ReLU(), nn.Linear(100, 10)]
    x, y = digits()
    return trained(Subject(nn.Sequential(*layers), nn.CrossEntropyLoss(), (x[:256], y[:256])), 30, 0.02)


class Block(nn.Module):
    """A pre-norm transformer block whose attention is written out: the peers cannot differentiate the fused one twice."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.before, self.between = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, t, width = x.shape
        q, k, v = (
            part.view(n, t, self.heads, width // self.heads).transpose(1, 2) for part in self.inward(self.before(x)).chunk(3, dim=-1)
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width // self.heads), dim=-1)
        x = x + self.outward((weights @ v).transpose(1, 2).reshape(n, t, width))
        return x + self.narrow(nn.functional.gelu(self.wide(self.between(x))))


class Transformer(nn.Module):
    """Classifies sequences of tokens."""

    def __init__(self, width: int = 128, depth: int = 3, tokens: int = 256) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.blocks = nn.Sequential(*[Block(width, 4) for _ in range(depth)])
        self.head = nn.Linear(width, 256)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.embedding(x)).mean(dim=1))


def transformer() -> Subject:
    torch.manual_seed(0)
    return Subject(Transformer(), nn.CrossEntropyLoss(), (torch.randint(256, (16, 32)), torch.randint(256, (16,))))


# --- Times -------------------------------------------------------------------------------------------------------------------------


def in_turns(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, all taking turns; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, action in contestants.items():
            started = time.perf_counter()
            action()
            if turn:
                times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(found) for name, found in times.items()}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The peers' prints and warnings are not ours to show."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def relative(found: Tensor, truth: Tensor) -> float:
    return float((found.double() - truth.double()).norm() / truth.double().norm())


# --- The peers ---------------------------------------------------------------------------------------------------------------------


def eigenthings_operator(subject: Subject) -> Any:
    import hessian_eigenthings as peer

    return peer.HessianOperator(subject.model, [subject.batch], peer.supervised_loss(subject.loss))


def curvlinops_operator(subject: Subject, check: bool = False) -> Any:
    from curvlinops import HessianLinearOperator

    return HessianLinearOperator(
        subject.model, subject.loss, [p for p in subject.parameters() if p.requires_grad], [subject.batch], check_deterministic=check
    )


def pyhessian_product(subject: Subject) -> Callable[[Tensor], Tensor]:
    from pyhessian import hessian
    from pyhessian.utils import hessian_vector_product

    computed = hessian(copy.deepcopy(subject.model), subject.loss, data=subject.batch, cuda=False)

    def product(v: Tensor) -> Tensor:
        parts = [piece.view_as(p) for piece, p in zip(v.split([p.numel() for p in computed.params]), computed.params, strict=True)]
        return torch.cat([h.reshape(-1) for h in hessian_vector_product(computed.gradsH, computed.params, parts)]).detach()

    return product


def peer_products(subject: Subject) -> dict[str, Callable[[Tensor], Tensor]]:
    """The Hessian-vector products of those peers that are there, made and ready."""
    found: dict[str, Callable[[Tensor], Tensor]] = {}
    if have("hessian_eigenthings"):
        found["hessian-eigenthings"] = eigenthings_operator(subject).matvec
    if have("curvlinops"):
        operator = curvlinops_operator(subject)
        found["curvlinops"] = lambda v: operator @ v
    if have("pyhessian"):
        found["pyhessian"] = pyhessian_product(subject)
    return found


@contextlib.contextmanager
def counting_pyhessian() -> Iterator[list[int]]:
    """PyHessian's products are counted: the list's one number."""

    module, calls = sys.modules["pyhessian.hessian"], [0]
    original = module.hessian_vector_product

    def counted(*arguments: Any) -> Any:
        calls[0] += 1
        return original(*arguments)

    with mock.patch.object(module, "hessian_vector_product", counted):
        yield calls


def pyhessian_top(subject: Subject, count: int, tol: float, most: int) -> tuple[list[float], int]:
    """PyHessian's largest eigenvalues in size, and its products."""
    from pyhessian import hessian

    with counting_pyhessian() as calls:
        torch.manual_seed(0)
        values, _ = hessian(copy.deepcopy(subject.model), subject.loss, data=subject.batch, cuda=False).eigenvalues(most, tol, count)
    return values, calls[0]


# --- 1. The cost of a product --------------------------------------------------------------------------------------------------------


def plain_product(subject: Subject, v: Tensor) -> Tensor:
    """Double backward by hand: the truth of this section."""
    parameters = subject.parameters()
    with sdpa_kernel(SDPBackend.MATH):
        loss = subject.loss(subject.model(subject.batch[0]), subject.batch[1])
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    return torch.cat(
        [h.reshape(-1) for h in torch.autograd.grad(torch.cat([g.reshape(-1) for g in gradient]) @ v, parameters, materialize_grads=True)]
    )


def product_by_hand(subject: Subject) -> Callable[[Tensor], Tensor]:
    """The product for this one kind of network, a chain of linear layers and tanh under cross-entropy, as fast as it could be written.

    All that does not depend on v is computed beforehand, sums of two products of matrices are made in place, and nothing else is done.
    """
    x, y = subject.batch
    weights, biases = ([p.detach() for p in subject.parameters()[i::2]] for i in (0, 1))
    lengths = [p.numel() for p in subject.parameters()]
    last = len(weights) - 1
    a = [x]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        a.append(torch.tanh(torch.addmm(b, a[-1], w.T)))
    probabilities = torch.softmax(torch.addmm(biases[-1], a[-1], weights[-1].T), dim=1)
    slopes, bends = [1 - h.square() for h in a[1:]], [torch.empty(0)] * last
    deltas = [torch.empty(0)] * last + [(probabilities - nn.functional.one_hot(y, probabilities.shape[1])) / len(x)]
    for i in range(last, 0, -1):
        back = deltas[i] @ weights[i]
        deltas[i - 1], bends[i - 1] = back * slopes[i - 1], -2 * a[i] * slopes[i - 1] * back

    def product(v: Tensor) -> Tensor:
        pieces = v.split(lengths)
        dw, db = [piece.view_as(w) for piece, w in zip(pieces[::2], weights, strict=True)], pieces[1::2]
        before = [torch.addmm(db[0], x, dw[0].T)]  # derivatives before each tanh, and (moved) after it
        moved: list[Tensor] = []
        for i in range(1, last + 1):
            moved.append(before[-1] * slopes[i - 1])
            before.append(torch.addmm(db[i], a[i], dw[i].T).addmm_(moved[-1], weights[i].T))
        along = before[-1] - (before[-1] * probabilities).sum(dim=1, keepdim=True)
        change = along.mul_(probabilities).div_(len(x))
        found: list[Tensor] = []
        for i in range(last, 0, -1):
            found[:0] = [(change.T @ a[i]).addmm_(deltas[i].T, moved[i - 1]).reshape(-1), change.sum(dim=0)]
            back = torch.mm(deltas[i], dw[i]).addmm_(change, weights[i])
            change = back.mul_(slopes[i - 1]).addcmul_(bends[i - 1], before[i - 1])
        return torch.cat([(change.T @ x).reshape(-1), change.sum(dim=0), *found])

    return product


def matrix_operations(action: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def cost(report: Report, quick: bool) -> None:
    report.section(
        "1. One Hessian-vector product, in gradients",
        "Gradient = autograd.grad of the same loss on the plain model. A single thread. Relative errors are against double backward in float64.",
    )
    subjects = {
        "64-16-10 tanh, 1.2k": (mlp(64, 16, 10, steps=60), 1.2, 200),
        "64-128-128-10 tanh, 26k": (mlp(64, 128, 128, 10, steps=60), 1.2, 60),
        "CNN ReLU, 123k": (convolutional(), 2.3, 30),
        "transformer, 0.65M": (transformer(), 2.3, 12),
    }
    rows, slowest = [], []
    for name, (subject, bound, rounds) in subjects.items():
        subject.model.eval()
        objective, fresh = subject.objective(), subject.objective(memory_bytes=0)
        v = torch.randn(objective.size, generator=torch.Generator().manual_seed(0))
        truth = plain_product(subject.double(), v.double())
        products = {"ours": objective.hvp, "ours, graph not kept": fresh.hvp, "ours, Gauss-Newton": subject.objective().ggn}
        if "tanh" in name:
            products[BY_HAND] = product_by_hand(subject)
        with quiet():
            products |= peer_products(subject)
            parameters = subject.parameters()
            contestants: dict[str, Callable[[], Any]] = {
                "gradient": lambda s=subject, p=parameters: torch.autograd.grad(s.loss(s.model(s.batch[0]), s.batch[1]), p)
            }
            contestants |= {key: lambda f=product, v=v: f(v) for key, product in products.items()}
            times = in_turns(contestants, 5 if quick else rounds)
            errors = {key: relative(product(v), truth) for key, product in products.items()}
        ratios = {key: times[key] / times["gradient"] for key in products}
        rows.append(
            [name, f"{objective.size}", f"{times['gradient']:.2f}"]
            + [f"{ratios[key]:.2f} ({errors[key]:.0e})" if key in ratios else "skipped" for key in columns_of_cost()[:2]]
            + [f"{ratios['ours, Gauss-Newton']:.2f}"]
            + [
                f"{ratios[key]:.2f} ({errors[key]:.0e})" if key in ratios else "" if key == BY_HAND else "skipped"
                for key in columns_of_cost()[3:]
            ]
            + [f"{objective.kept_bytes / 2**20:.1f}"]
        )
        operations = matrix_operations(lambda o=objective, v=v: o.hvp(v)) / matrix_operations(contestants["gradient"])
        reason = f"its products of matrices take {operations:.2f} times a gradient's operations"
        reason += f"; written by hand for this network alone: {ratios[BY_HAND]:.2f} gradients" if BY_HAND in ratios else ""
        if "1.2k" not in name:
            report.accept(f"product on {name} <= {bound} gradients", f"{ratios['ours']:.2f}", ratios["ours"] <= bound, reason)
        others = [ratios[key] for key in ratios if not key.startswith("ours") and key != BY_HAND and errors[key] < TOLERANCE]
        if others:
            slowest.append(ratios["ours"] / min(others))
    report.table(["model", "parameters", "gradient, ms", *columns_of_cost(), "kept graph, MiB"], rows)
    if slowest:
        report.accept(
            "product never slower than the best peer",
            "time over best peer's: " + ", ".join(f"{r:.2f}" for r in slowest),
            max(slowest) <= 1.05,
            "within the noise of shared cores or not, see the table",
        )


def columns_of_cost() -> list[str]:
    return ["ours", "ours, graph not kept", "ours, Gauss-Newton", BY_HAND, "hessian-eigenthings", "curvlinops", "pyhessian"]


# --- 2. Where peers fail -----------------------------------------------------------------------------------------------------------


class Mode(NamedTuple):
    """A model on which something may go wrong, and the mode it is to be looked at in."""

    case: families.Case
    deterministic: bool = True


def in_one_batch(name: str) -> families.Case:
    case = families.make(name)
    return case._replace(batches=[tuple(map(torch.cat, zip(*case.batches, strict=True)))])


def modes() -> dict[str, Mode]:
    return {
        "nn.TransformerEncoder, evaluation": Mode(in_one_batch("encoder")),
        "nn.TransformerEncoder, training": Mode(in_one_batch("encoder-training")),
        "layer norm": Mode(in_one_batch("layer-norm")),
        "LSTM": Mode(in_one_batch("lstm")),
        "GRU": Mode(in_one_batch("gru")),
        "batch norm, training": Mode(in_one_batch("batch-norm-training")),
        "dropout, training": Mode(in_one_batch("dropout-training"), deterministic=False),
        "weight norm": Mode(in_one_batch("weight-norm")),
        "shared weights": Mode(in_one_batch("tied")),
        "class weights, three unequal batches": Mode(families.make("class-weights")),
        "three unequal batches": Mode(families.make("tanh")),
    }


def state(model: nn.Module) -> list[Any]:
    tensors = [t.detach().clone() for t in (*model.parameters(), *model.buffers())]
    return [tensors, [m.training for m in model.modules()], [p.grad is None for p in model.parameters()], torch.random.get_rng_state()]


def unchanged(before: list[Any], after: list[Any]) -> bool:
    tensors = all(torch.equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    return tensors and before[1:3] == after[1:3] and torch.equal(before[3], after[3])


def outcome(make: Callable[[], tuple[nn.Module, Callable[[Tensor], Tensor]]], truth: Tensor | None) -> str:
    """How the columns of a product compare with the truth, or with themselves where one mask is as good as another."""
    try:
        with quiet():
            model, product = make()
            before = state(model)
            size = sum(p.numel() for p in model.parameters())
            columns = torch.stack([product(e) for e in torch.eye(size, dtype=torch.float64)], dim=1).detach()
            kept = unchanged(before, state(model))
    except Exception as error:  # any way of failing is an outcome of this table
        return f"fails: {type(error).__name__}"
    asymmetry = relative(columns, columns.T)
    off = asymmetry if truth is None else relative(columns, truth)
    word = "right" if off < 1e-6 else "WRONG"
    return f"{word} ({off:.0e}{'' if truth is not None else ', symmetry'})" + ("" if kept else ", model changed")


def robustness(report: Report) -> None:
    report.section(
        "2. Where products fail or are wrong without a word",
        "All columns of the Hessian in float64 against central differences of the gradient (for dropout: symmetry, since each tool has masks of "
        "its own). Model changed: weights, buffers, mode, gradients or random state differ after.",
    )
    rows, ours = [], []
    for name, mode in modes().items():
        case = mode.case
        objective = Objective(case.model, case.loss, case.batches, training=case.training)
        truth = families.differences(objective) if mode.deterministic else None

        def fresh(case: families.Case = case) -> families.Case:
            model = copy.deepcopy(case.model)
            return families.Case(model.train(case.training), case.loss, case.batches, case.training)

        def own(case: families.Case) -> tuple[nn.Module, Any]:
            return case.model, Objective(case.model, case.loss, case.batches, training=case.training).hvp

        cells = [outcome(lambda f=fresh: own(f()), truth)]
        ours.append(cells[0].startswith("right") and "changed" not in cells[0])
        cells += [outcome(lambda f=fresh, m=make: m(f()), truth) if have(peer) else "skipped" for peer, make in MAKERS.items()]
        rows.append([name, *cells])
    report.table(["model", "ours", "hessian-eigenthings", "curvlinops", "pyhessian"], rows)
    report.accept("right, and the model unchanged, wherever peers fail", f"{sum(ours)} of {len(ours)}", all(ours), "see the table")


def make_eigenthings(case: families.Case) -> tuple[nn.Module, Any]:
    import hessian_eigenthings as peer

    return case.model, peer.HessianOperator(case.model, case.batches, peer.supervised_loss(case.loss)).matvec


def make_curvlinops(case: families.Case) -> tuple[nn.Module, Any]:
    from curvlinops import HessianLinearOperator

    operator = HessianLinearOperator(case.model, case.loss, list(case.model.parameters()), case.batches)
    return case.model, lambda v: operator @ v


def make_pyhessian(case: families.Case) -> tuple[nn.Module, Any]:
    from pyhessian import hessian

    computed = hessian(case.model, case.loss, dataloader=case.batches, cuda=False)

    def product(v: Tensor) -> Tensor:
        parts = [piece.view_as(p) for piece, p in zip(v.split([p.numel() for p in computed.params]), computed.params, strict=True)]
        return torch.cat([h.reshape(-1) for h in computed.dataloader_hv_product(parts)[1]])

    return case.model, product


MAKERS = {"hessian_eigenthings": make_eigenthings, "curvlinops": make_curvlinops, "pyhessian": make_pyhessian}


# --- 3. Accuracy -------------------------------------------------------------------------------------------------------------------


def accuracy(report: Report, quick: bool) -> None:
    seeds = 5 if quick else 20
    report.section(
        "3. Against dense Hessians in float64",
        f"{len(families.FAMILIES)} families of small models, {seeds} seeds each. Eigenvalues: the worst relative error of the largest 5 and of the "
        f"largest 3 with the smallest 2, asked for to {TOLERANCE:g} (values below 1 % of the largest count relative to that). Trace and moments: "
        f"the worst deviation of the mean over {PROBES} seeds or vectors, in standard errors of that mean. Inertia: thresholds 1e-6, 1e-3 and 0.1.",
    )
    rows, worst, moves, counts = [], [], [], []
    for name in families.FAMILIES:
        case = families.make(name)
        objective = Objective(case.model, case.loss, case.batches, training=case.training)
        matrix = dense_hessian(objective)
        values = torch.linalg.eigvalsh((matrix + matrix.T) / 2).flip(0)
        scale = float(values.abs().max())
        errors, products = [], []
        for seed in range(seeds):
            for largest, smallest in ((5, 0), (3, 2)):
                found = eigenpairs(objective, largest, smallest, tolerance=TOLERANCE, seed=seed)
                truth = torch.cat([values[:largest], values[len(values) - smallest :]])
                errors.append(
                    float(((found.values - truth).abs() / truth.abs().clamp_min(0.01 * scale)).max()) + (0 if found.converged else 1)
                )
                products.append(found.products)
        traces = np.array([trace(objective, 12, seed=seed).value for seed in range(PROBES)]) - float(values.sum())
        move = abs(traces.mean()) / max(traces.std(ddof=1) / math.sqrt(PROBES), 1e-10 * scale)
        seen = density(objective, probes=PROBES, steps=6)
        for order in (1, 2, 3, 4):
            estimate, truth_value = seen.moment(order), float((values**order).mean())
            move = max(move, abs(estimate.value - truth_value) / max(estimate.standard_error, 1e-10 * scale**order))
        exact = True
        for threshold in (1e-6, 1e-3, 0.1):
            counted = inertia(objective, threshold)
            exact &= counted.positive == int((values > counted.threshold).sum())
            exact &= counted.negative == int((values < -counted.threshold).sum())
        worst.append(max(errors))
        moves.append(move)
        counts.append(exact)
        rows.append(
            [
                name,
                str(objective.size),
                f"{max(errors):.0e}",
                f"{statistics.median(products):.0f}",
                f"{move:.1f}",
                "exact" if exact else "WRONG",
            ]
        )
    report.table(["family", "parameters", "eigenvalues, worst error", "products, median", "trace and moments", "inertia"], rows)
    n = len(rows) * seeds * 2
    report.accept(
        f"eigenvalues within {TOLERANCE:g}, every time", f"worst {max(worst):.1e} of {n} searches", max(worst) <= TOLERANCE, "see the table"
    )
    report.accept("trace and density moments within 4.5 standard errors", f"worst {max(moves):.1f}", max(moves) < 4.5, "see the table")
    report.accept("inertia exact on >= 12 families", f"{sum(counts)} of {len(counts)}", all(counts), "see the table")


# --- 4. Eigenvalues ----------------------------------------------------------------------------------------------------------------


class Solver(NamedTuple):
    """(product) -> (the largest five, the smallest or NaN)."""

    name: str
    run: Callable[[], tuple[Tensor, float, int]]


def exact_ends(subject: Subject) -> tuple[Tensor, float]:
    """The five largest and the smallest eigenvalue in float64: by a dense solver where it fits, else ARPACK to 1e-9."""
    objective = subject.double().objective()
    if objective.size < 2000:
        matrix = dense_hessian(objective)
        values = torch.linalg.eigvalsh((matrix + matrix.T) / 2).flip(0)
        return values[:5], float(values[-1])
    operator = scipy.sparse.linalg.LinearOperator(
        (objective.size, objective.size), matvec=lambda v: objective.hvp(torch.as_tensor(v).reshape(-1)).numpy(), dtype=np.float64
    )
    start = np.random.default_rng(0).standard_normal(objective.size)
    values = scipy.sparse.linalg.eigsh(operator, 12, which="BE", v0=start, tol=1e-9, ncv=60, return_eigenvectors=False)
    values = np.sort(values)[::-1]
    return torch.as_tensor(values[:5].copy()), float(values[-1])


def our_solver(name: str, subject: Subject, smallest: int) -> Solver:
    def run() -> tuple[Tensor, float, int]:
        found = eigenpairs(subject.objective(), 5, smallest, tolerance=TOLERANCE)
        return found.values[:5], float(found.values[5]) if smallest else math.nan, found.products

    return Solver(name, run)


def eigenthings_solver(subject: Subject, steps: int) -> Solver:
    def run() -> tuple[Tensor, float, int]:
        import hessian_eigenthings as peer

        operator = eigenthings_operator(subject)
        found = peer.lanczos(operator, k=5, max_iter=steps, tol=TOLERANCE, which="LA", seed=0)
        return found.eigenvalues.sort(descending=True).values, math.nan, found.iterations

    return Solver(f"hessian-eigenthings lanczos, {steps} steps", run)


def eigenthings_power(subject: Subject) -> Solver:
    def run() -> tuple[Tensor, float, int]:
        import hessian_eigenthings as peer

        operator = eigenthings_operator(subject)
        found = peer.deflated_power_iteration(operator, k=5, max_iter=100, tol=1e-4, seed=0)
        return found.eigenvalues.sort(descending=True).values, math.nan, int(found.iterations)

    return Solver("hessian-eigenthings power, tol 1e-4", run)


def curvlinops_solver(subject: Subject) -> Solver:
    def run() -> tuple[Tensor, float, int]:
        operator = curvlinops_operator(subject).to_scipy()
        calls = 0

        def matvec(v: Any) -> Any:
            nonlocal calls
            calls += 1
            return operator @ v.reshape(-1)

        counted = scipy.sparse.linalg.LinearOperator(operator.shape, matvec=matvec, dtype=np.float32)
        start = np.random.default_rng(0).standard_normal(operator.shape[0]).astype(np.float32)
        found = scipy.sparse.linalg.eigsh(counted, 5, which="LA", tol=TOLERANCE, v0=start, return_eigenvectors=False)
        return torch.as_tensor(np.sort(found)[::-1].copy()), math.nan, calls

    return Solver("curvlinops + eigsh, tol 1e-3", run)


def pyhessian_solver(subject: Subject, tol: float, most: int) -> Solver:
    def run() -> tuple[Tensor, float, int]:
        values, products = pyhessian_top(subject, 5, tol, most)
        return torch.tensor(values).sort(descending=True).values, math.nan, products

    return Solver(f"pyhessian, tol {tol:g}", run)


class Searches(NamedTuple):
    """Products and worst relative errors of our searches from several start vectors."""

    products: list[int]
    errors: list[float]

    def cells(self) -> list[str]:
        right = sum(error <= TOLERANCE for error in self.errors)
        products = f"{statistics.median(self.products):g} ({min(self.products)} to {max(self.products)})"
        return [products, f"{max(self.errors):.0e}", f"{right} of {len(self.errors)}"]


def searched(subject: Subject, smallest: int, truth: Tensor, lowest: float, seeds: int) -> Searches:
    objective, wanted = subject.objective(), torch.cat([truth, torch.tensor([lowest] * smallest, dtype=truth.dtype)])
    found = [eigenpairs(objective, 5, smallest, tolerance=TOLERANCE, seed=seed) for seed in range(seeds)]
    return Searches([f.products for f in found], [float(((f.values - wanted).abs() / wanted.abs()).max()) for f in found])


def spectra(report: Report, quick: bool) -> None:
    report.section(
        "4. The five largest eigenvalues, and the smallest",
        f"Asked for to {TOLERANCE:g}, full batch of 1,797 digits, float32, after {', '.join(map(str, STAGES))} steps of SGD. Errors: the worst "
        "relative error of the five, and that of the smallest, against float64. Times include making the operator; medians of rounds in turns. "
        "These rows are of one start vector; below them, our products and errors over several.",
    )
    rows, halves = [], []
    searches: dict[str, list[Searches]] = {}
    for name, widths in (("1.2k", (64, 16, 10)), ("26k", (64, 128, 128, 10))):
        for steps in STAGES:
            subject = mlp(*widths, steps=steps)
            truth, lowest = exact_ends(subject)
            solvers = [our_solver("ours, top 5", subject, 0), our_solver("ours, top 5 and smallest", subject, 1)]
            if have("hessian_eigenthings"):
                solvers += [eigenthings_solver(subject, k) for k in (10, 20, 40)] + ([] if name == "26k" else [eigenthings_power(subject)])
            if have("curvlinops"):
                solvers.append(curvlinops_solver(subject))
            if have("pyhessian"):
                solvers += [pyhessian_solver(subject, 1e-3, 100), pyhessian_solver(subject, 1e-5, 1000)]
            with quiet():
                answers = {solver.name: solver.run() for solver in solvers}
                times = in_turns({solver.name: solver.run for solver in solvers}, 3 if quick or name == "26k" else 7)
            errors = {key: float(((top.double() - truth).abs() / truth.abs()).max()) for key, (top, _, _) in answers.items()}
            for key, (_, low, products) in answers.items():
                low_error = "" if math.isnan(low) else f"{abs(low - lowest) / abs(lowest):.0e}"
                rows.append([name, str(steps), key, str(products), f"{times[key]:.0f}", f"{errors[key]:.0e}", low_error])
            for key, smallest in (("ours, top 5", 0), ("ours, top 5 and smallest", 1)):
                over = searched(subject, smallest, truth, lowest, 3 if quick else 20)
                searches.setdefault(f"{name} {key}", []).append(over)
            peers = [times[key] for key in times if not key.startswith("ours") and errors[key] <= TOLERANCE]
            if peers:
                halves.append(times["ours, top 5"] / min(peers))
    report.table(["network", "steps", "solver", "products", "ms", "top-5 error", "smallest, error"], rows)
    report.say()
    cells = [[key, str(steps), *over.cells()] for key, stages in searches.items() for steps, over in zip(STAGES, stages, strict=True)]
    report.table(["network, wanted", "steps", "products, median (least to most)", "worst error", f"within {TOLERANCE:g}"], cells)
    for key, asked in (("1.2k ours, top 5", 25), ("26k ours, top 5 and smallest", 40)):
        medians = [statistics.median(over.products) for over in searches[key]]
        words = f"medians {', '.join(f'{m:g}' for m in medians)} after {', '.join(map(str, STAGES))} steps"
        report.accept(f"{key}: <= {asked} products", words, statistics.median(medians) <= asked, CLUSTERED)
        if statistics.median(medians) <= asked < max(medians):
            report.accept(f"{key}: <= {asked} products at every stage", words, False, CLUSTERED)
    errors_of_all = [error for stages in searches.values() for over in stages for error in over.errors]
    off = sum(error > TOLERANCE for error in errors_of_all)
    report.accept(
        f"eigenvalues of these networks within {TOLERANCE:g}",
        f"{len(errors_of_all) - off} of {len(errors_of_all)} searches, worst {max(errors_of_all):.0e}",
        off == 0,
        "where the two smallest lie 1 % apart, a search may end at the second: bounds rest on the gaps to values that are known",
    )
    if halves:
        report.accept(
            "top-5 time at most that of the fastest peer as exact (target: half)",
            "time over that peer's: " + ", ".join(f"{r:.2f}" for r in halves),
            max(halves) <= 1,
            "a peer's fixed number of steps happens to be enough, and ours pays for knowing that it is",
        )


# --- 5. Certificates -----------------------------------------------------------------------------------------------------------------


def power_certificate(product: Callable[[Tensor], Tensor], size: int, seed: int, most: int = 500) -> int:
    """Products of power iteration, PyHessian's stopping rule: on H for the largest, then on H less that, until its value settles below zero."""
    draws, taken = torch.Generator().manual_seed(seed), 0
    shift = 0.0
    for _ in range(2):
        v, before = torch.randn(size, generator=draws), math.inf
        while taken < most:
            v = v / v.norm()
            w = product(v) - shift * v
            taken += 1
            value, v = float(v @ w), w
            if abs(value - before) / (abs(before) + 1e-6) < TOLERANCE:
                break
            before = value
        if value + shift < 0:
            break
        shift = value
    return taken


def certificates(report: Report, quick: bool) -> None:
    report.section(
        "5. Certificates of negative curvature",
        "Products until v'Hv is below zero by ten times the measured noise, checked by a product of its own. Power iteration: PyHessian's rule and "
        "tolerance, on H and then on H less its largest eigenvalue; PyHessian itself: its ten largest eigenvalues in size.",
    )
    rows, medians, ratios = [], [], []
    for name, widths in (("1.2k", (64, 16, 10)), ("26k", (64, 128, 128, 10))):
        for steps in STAGES:
            subject = mlp(*widths, steps=steps)
            objective = subject.objective()
            starts = 5 if quick else 11
            ours = [negative_curvature(objective, seed=seed) for seed in range(starts)]
            power = [power_certificate(objective.hvp, objective.size, seed) for seed in range(5)]
            taken = statistics.median(answer.products for answer in ours)
            with quiet():
                peer = pyhessian_top(subject, 10, TOLERANCE, 100) if have("pyhessian") else None
            medians.append(taken)
            ratios.append((peer[1] if peer else statistics.median(power)) / taken)
            words = "skipped" if peer is None else f"{peer[1]} ({'one found' if min(peer[0]) < 0 else 'none found'})"
            right = f"{sum(a.found for a in ours)} of {starts}"
            rows.append([name, str(steps), f"{taken:g} ({max(a.products for a in ours)})", right, f"{statistics.median(power):g}", words])
    report.table(["network", "steps", "ours, median (most)", "found", "power iteration, median", "PyHessian, top 10"], rows)
    report.accept("certificate <= 12 products, median", ", ".join(f"{m:g}" for m in medians), max(medians) <= 12, "see the table")
    report.accept(
        "certificate with >= 10 times fewer products than PyHessian-style power iteration",
        ", ".join(f"{r:.0f}" for r in ratios) + " times (PyHessian's ten largest)",
        min(ratios) >= 10,
        "see the table",
    )
    planted(report, quick)


def planted(report: Report, quick: bool) -> None:
    """Saddles, minima and flat points whose kind is known, in both precisions."""
    import test_negative_curvature as points

    seeds, wrong, asked = 3 if quick else 10, 0, 0
    everything = {**points.SADDLES, **points.MINIMA, **points.FLAT}
    for name, make in everything.items():
        for dtype in (torch.float32, torch.float64):
            objective = points.in_precision(make(), dtype)
            matrix = dense_hessian(objective)
            lowest = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
            for seed in range(seeds):
                answer = negative_curvature(objective, seed=seed)
                right = answer.found == (name in points.SADDLES)
                right &= answer.found or lowest >= -answer.bound - points.ROUNDING[dtype]
                asked, wrong = asked + 1, wrong + (not right)
    report.say()
    report.say(f"Planted points ({len(everything)} kinds, float32 and float64, {seeds} seeds): {wrong} wrong answers of {asked}.")
    report.accept("no wrong answer in 200 on planted points", f"{wrong} of {asked}", wrong == 0 and (quick or asked >= 200), "see above")


# --- 6. Off a saddle -----------------------------------------------------------------------------------------------------------------


def off_saddles(report: Report, quick: bool) -> None:
    import test_escape as points

    seeds = 2 if quick else 20
    report.section(
        "6. Off a saddle",
        f"Planted saddles (at equal units the gradient is not zero, but cannot tell them apart), {seeds} seeds each: a step along negative "
        "curvature, or, where there is none (the loss is flat there to a higher order), along the best of random directions.",
    )
    rows, lowered, asked = [], 0, 0
    for name, (make, _) in points.SADDLES.items():
        found = [escape(make(), seed=seed) for seed in range(seeds)]
        fell = sum(each.after < each.before for each in found)
        lowered, asked = lowered + fell, asked + seeds
        after = statistics.median(each.after for each in found)
        ways = ", ".join(sorted({str(each.by) for each in found}))
        rows.append([name, ways, f"{found[0].before:.3f}", f"{after:.3f}", f"{fell} of {seeds}"])
    report.table(["point", "the way down", "loss", "after the step, median", "lowered"], rows)
    report.accept("escape lowers the loss on every planted saddle", f"{lowered} of {asked}", lowered == asked, "see the table")
    from_zero(report, 100 if quick else 1000)


def from_zero(report: Report, steps: int) -> None:
    """A network whose weights are all zero, trained as it is and after the step off that point, beside one that starts as usual."""
    usual, stuck, free = (mlp(64, 16, 10, steps=0) for _ in range(3))
    for subject in (stuck, free):
        vector_to_parameters(torch.zeros(subject.objective().size), subject.parameters())
    step = escape(free.objective())
    vector_to_parameters(step.point, free.parameters())
    losses = {}
    for name, subject in {"zero": stuck, "zero, escaped": free, "usual": usual}.items():
        torch.manual_seed(0)
        losses[name] = trained(subject, steps, 0.2).objective().loss()
    report.say()
    report.say(
        f"64-16-10 tanh on all digits, {steps} steps of SGD with momentum: all weights zero {losses['zero']:.3f}; after one step off that point "
        f"(loss {step.before:.3f} to {step.after:.3f}, by {step.by}) {losses['zero, escaped']:.3f}; from the usual start {losses['usual']:.3f}."
    )
    trains = losses["zero, escaped"] < 0.1 * losses["zero"]
    words = f"loss {losses['zero, escaped']:.3f} where it was {losses['zero']:.3f} without"
    report.accept("escape gets a zero-initialized network to train (a tenth of the loss)", words, trains, "see above")


# --- 7. Trace ------------------------------------------------------------------------------------------------------------------------


def traces(report: Report, quick: bool) -> None:
    seeds = 10 if quick else 50
    report.section(
        "7. The trace with 60 products", f"Root mean square of the relative error over {seeds} seeds, the 1.2k network, float64."
    )
    rows, ours = [], []
    for steps in STAGES:
        objective = mlp(64, 16, 10, steps=steps).double().objective()
        matrix = dense_hessian(objective)
        matrix = (matrix + matrix.T) / 2
        truth = float(matrix.trace())
        found: dict[str, list[float]] = {
            "ours": [trace(objective, 60, seed=seed).value for seed in range(seeds)],
            "Hutchinson": [hutchinson(matrix, 60, seed) for seed in range(seeds)],
        }
        with quiet():
            if have("hessian_eigenthings"):
                import hessian_eigenthings as peer

                operator = peer.LambdaOperator(lambda v, m=matrix: m @ v, size=len(matrix), dtype=matrix.dtype)
                found["hessian-eigenthings hutch++"] = [
                    peer.trace(operator, num_matvecs=60, method="hutch++", seed=seed).estimate for seed in range(seeds)
                ]
            if have("curvlinops"):
                from curvlinops import xtrace

                draws = []
                for seed in range(seeds):
                    torch.manual_seed(seed)
                    draws.append(float(xtrace(matrix, 60)))
                found["curvlinops xtrace"] = draws
        rms = {key: math.sqrt(statistics.fmean(((v - truth) / truth) ** 2 for v in values)) for key, values in found.items()}
        names = ["ours", "Hutchinson", "hessian-eigenthings hutch++", "curvlinops xtrace"]
        rows.append([str(steps), f"{truth:.3f}", *[f"{100 * rms[key]:.2f} %" if key in rms else "skipped" for key in names]])
        ours.append(rms["ours"])
    report.table(["steps", "trace", "ours", "Hutchinson", "hessian-eigenthings hutch++", "curvlinops xtrace"], rows)
    words = ", ".join(f"{100 * r:.2f} %" for r in ours)
    report.accept("trace at 60 products: rms error <= 1.2 %", words, statistics.median(ours) <= 0.012, "see the table")
    if statistics.median(ours) <= 0.012 < max(ours):
        report.accept("the same at every stage", words, False, "the sampling noise of the rms itself is about 10 %")


def hutchinson(matrix: Tensor, products: int, seed: int) -> float:
    draws = torch.Generator().manual_seed(seed)
    z = torch.randint(2, (products, len(matrix)), generator=draws).to(matrix) * 2 - 1
    return float(((z @ matrix) * z).sum(dim=1).mean())


# --- 8. Inertia ----------------------------------------------------------------------------------------------------------------------


def counts(report: Report) -> None:
    report.section("8. Inertia of 4,060 parameters", "64-54-10 tanh, full batch, after 60 steps, float32 products, one thread.")
    objective = mlp(64, 54, 10, steps=60).objective()
    started = time.perf_counter()
    found = inertia(objective)
    seconds = time.perf_counter() - started
    report.say(
        f"{found}; {seconds:.1f} s; matrices {2 * 8 * objective.size**2 / 2**20:.0f} MiB, kept graph {objective.kept_bytes / 2**20:.1f} MiB."
    )
    report.accept("inertia of 4k parameters in under 60 s", f"{seconds:.1f} s", seconds < 60, "see above")


# --- All of it -----------------------------------------------------------------------------------------------------------------------


def versions() -> str:
    """What this was measured with, the machine in words."""
    found = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy", "scipy")]
    for module, package in PEERS.items():
        found.append(
            f"{package} {importlib.metadata.version(package)}" if have(module) else f"{package}: not installed, its rows are skipped"
        )
    return f"Python {platform.python_version()}, {', '.join(found)}; 1 thread of {os.cpu_count()} shared cores ({platform.machine()}), load average {os.getloadavg()[0]:.1f} at the start; seeds from 0"


def main() -> None:
    """Print all sections; write them with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer seeds and rounds: whether it runs, not what it measures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # glibc returns large freed blocks to the system, and takes them anew with a page fault a page, until it has seen one freed of this size.
    # For all contestants alike, so that times compare computations.
    torch.empty(31 * 2**20, dtype=torch.uint8)
    report = Report()
    report.say("# Curvature against dense truth and its peers")
    report.say()
    report.say(f"`python bench/curvature.py` ({datetime.date.today()}; {versions()})")
    cost(report, arguments.quick)
    robustness(report)
    accuracy(report, arguments.quick)
    spectra(report, arguments.quick)
    certificates(report, arguments.quick)
    off_saddles(report, arguments.quick)
    traces(report, arguments.quick)
    counts(report)
    report.section("9. What was asked for", "Each line as it was found in this run.")
    report.say("| asked for | found | |")
    report.say("| --- | --- | --- |")
    for line in report.verdicts:
        report.say(line)
    if arguments.write:
        RESULTS.write_text("\n".join(report.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
