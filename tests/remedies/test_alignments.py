"""Every family finds and undoes its own map, on inputs alone, and is silent where two draws of one distribution are alike."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from traindx.remedies.alignments import REAL, TOKENS, alignment, families, proposals
from traindx.remedies.alignments.columns import MAX_VALUES, columns
from traindx.remedies.alignments.distance import energy_distance
from traindx.remedies.alignments.rearrangement import layouts


def table(seed: int, rows: int = 600) -> Tensor:
    """Four columns, each with a distribution of its own; two of them hang together."""
    g = torch.Generator().manual_seed(seed)
    a, b, c, d = torch.randn(4, rows, generator=g)
    return torch.stack([a, (1 + b.abs()) ** 2 + a, c.exp(), 5 + 0.1 * d.sign() * d.abs().sqrt()], 1)


def signals(seed: int, rows: int = 600) -> Tensor:
    """Three channels, the last axis: a pulse that fades, a drift and noise."""
    g = torch.Generator().manual_seed(seed)
    time = torch.arange(12.0)
    pulse = torch.exp(-0.5 * time) * (1 + torch.rand(rows, 1, generator=g))
    drift = 0.1 * time * torch.rand(rows, 1, generator=g)
    return torch.stack([pulse, drift, torch.randn(rows, 12, generator=g)], 2) + 0.05 * torch.randn(rows, 12, 3, generator=g)


def images(seed: int, rows: int = 400) -> Tensor:
    """Colours of their own, and brightest at the upper left."""
    g = torch.Generator().manual_seed(seed)
    light = torch.outer(torch.linspace(1, 0, 6), torch.linspace(1, 0.5, 6))
    colours = torch.tensor([0.2, 0.5, 1.0])[:, None, None]
    return colours * light * (0.5 + torch.rand(rows, 1, 1, 1, generator=g)) + 0.05 * torch.randn(rows, 3, 6, 6, generator=g)


def notes(seed: int, rows: int = 1500) -> Tensor:
    """Ten words in a row, of one topic of four; the earlier words of a topic are the commoner ones. Token 0 is padding."""
    g = torch.Generator().manual_seed(seed)
    topic = torch.multinomial(torch.tensor([4.0, 3.0, 2.0, 1.0]), rows, replacement=True, generator=g)
    word = torch.multinomial(1 / torch.arange(1.0, 9.0), rows * 10, replacement=True, generator=g).reshape(rows, 10)
    found = 1 + 8 * topic[:, None] + word
    return found.masked_fill(torch.arange(10) >= torch.randint(6, 11, (rows, 1), generator=g), 0)


DRAWS: dict[str, Callable[[int], Tensor]] = {"table": table, "signals": signals, "images": images, "notes": notes}
PIPELINES: dict[str, tuple[str, str, Callable[[Tensor], Tensor]]] = {
    "other-units": ("moments", "table", lambda x: x * torch.tensor([1.0, 3.6, 0.1, 1.0]) + torch.tensor([0.0, 32.0, 0.0, 0.0])),
    "other-units-last": ("moments-last", "signals", lambda x: x * torch.tensor([1.0, 9.8, 1.0])),
    "sign-of-one": ("turned", "table", lambda x: x * torch.tensor([1.0, -1.0, 1.0, 1.0])),
    "sign-of-one-last": ("turned-last", "signals", lambda x: x * torch.tensor([1.0, -1.0, 1.0])),
    "columns-exchanged": ("reordered", "table", lambda x: x[:, [2, 1, 3, 0]]),
    "blue-first": ("reordered", "images", lambda x: x.flip(1)),
    "channels-exchanged-last": ("reordered-last", "signals", lambda x: x[:, :, [1, 0, 2]]),
    "logarithm": ("monotone", "table", lambda x: torch.stack([x[:, 0], x[:, 1], x[:, 2].log(), x[:, 3]], 1)),
    "falling": ("monotone", "table", lambda x: torch.stack([(-x[:, 0]).exp(), *x[:, 1:].T], 1)),
    "mirrored": ("rearranged", "images", lambda x: x.flip(3)),
    "transposed": ("rearranged", "images", lambda x: x.transpose(2, 3)),
    "turned-by-ninety-degrees": ("rearranged", "images", lambda x: x.rot90(1, (2, 3))),
    "flat-images-transposed": ("rearranged", "flat", lambda x: x.reshape(-1, 6, 6).transpose(1, 2).flatten(1)),
    "time-reversed": ("rearranged", "signals", lambda x: x.flip(1)),
    "counted-from-one": ("offset", "notes", lambda x: x + 1),
    "words-counted-from-one": ("offset", "notes", lambda x: torch.where(x > 0, x + 3, 0)),
}
DRAWS["flat"] = lambda seed: images(seed)[:, 0].flatten(1)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_family_undoes_its_own_map(name: str) -> None:
    kind, source, pipeline = PIPELINES[name]
    train, test = DRAWS[source](0), DRAWS[source](1)
    undo = alignment(kind, train, pipeline(test))
    assert undo is not None
    back = undo(pipeline(test))
    assert back.shape == test.shape and back.dtype == test.dtype
    if not test.is_floating_point():
        assert float((back == test).float().mean()) > 0.999
        return
    error = (back - test).abs().flatten(1).mean(1).median() / test.std(0).mean()
    assert error < (1e-6 if kind.startswith("re") else 0.1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("source", DRAWS)
def test_equal_draws_are_neither_reordered_nor_turned_nor_renamed(source: str, seed: int) -> None:
    found = proposals(DRAWS[source](2 * seed), DRAWS[source](2 * seed + 1))
    always = {kind for kind in found if kind.startswith(("global", "range", "inverted", "moments", "quartiles", "monotone"))}
    assert set(found) == always


@pytest.mark.parametrize("source", DRAWS)
def test_maps_work_row_by_row_and_travel(source: str) -> None:
    """A row is mapped as it is alone, by the copy that another process has as well."""
    train, test = DRAWS[source](0), DRAWS[source](1)
    for kind in families(train):
        function = alignment(kind, train, test)
        if function is not None:
            alone = pickle.loads(pickle.dumps(function))(test[7:8])
            assert torch.equal(alone, function(test)[7:8]), kind


def test_a_monotone_map_keeps_the_order_and_shares_of_equal_values() -> None:
    train, test = table(0).round(), 2 * table(1).round() + 1
    function = alignment("monotone", train, test)
    assert function is not None
    mapped, order = function(test)[:, 0], test[:, 0].argsort()
    assert bool((mapped[order].diff() >= 0).all())
    assert float(((mapped - train[:1, 0] - (mapped - train[:1, 0]).round()).abs() < 1e-6).float().mean()) > 0.9


def test_families_fit_the_inputs() -> None:
    assert set(families(notes(0))) == set(TOKENS)
    assert not any(kind.endswith("-last") for kind in families(table(0)))
    assert set(families(signals(0))) == set(REAL)
    assert "reordered" in families(images(0)) and "reordered-last" not in families(images(0))
    channels_last = families(images(0).movedim(1, 3))
    assert "reordered-last" in channels_last and "reordered" not in channels_last


def test_layouts_of_an_image_are_those_of_a_square_and_of_its_channels() -> None:
    found = layouts((3, 6, 6))
    assert len(found) == len(set(found)) == 15
    assert len(layouts((3, 4, 6))) == 7


def test_rows_of_many_layouts_are_left_as_they_are() -> None:
    assert len(layouts((3, 3, 3))) == 47 and layouts((3,) * 5) == [] and layouts((2,) * 12) == []


def test_columns_of_large_images_are_drawn_from_alike() -> None:
    large = torch.randn(600, 1, 16, 16).repeat(1, 2, 1, 1)
    first, second = columns(large)
    assert torch.equal(first, second) and len(first) == MAX_VALUES and torch.equal(columns(large)[0], first)
    assert float((first.mean() - large.mean()).abs()) < 0.03


def test_mapped_inputs_have_the_type_of_the_training_inputs() -> None:
    train, test = images(0), (128 * images(1)).clamp(0, 255).to(torch.uint8)
    for kind in ("global", "moments", "quartiles", "monotone"):
        function = alignment(kind, train, test)
        assert function is not None and function(test).dtype is torch.float32
        assert len(function(test[:0])) == 0
        error = (function(test) - images(1).clamp(0)).abs().mean()
        assert error < 0.1, kind


def test_equal_draws_have_no_energy_distance() -> None:
    mine, theirs = table(0).numpy(), table(1).numpy()
    assert abs(energy_distance(mine, theirs)) < 0.005 < energy_distance(mine, theirs + 1)
