"""Training batches come in the order of the file, the same in every epoch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from traindx.check.base import Level, Spot
from traindx.check.flow import Flow, Kind
from traindx.check.script import Script, has_stars, keyword

LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
RECURRENT = frozenset({"torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN"})


class DataNotShuffled:
    """Fires on a loader without shuffling or a sampler, over a data set whose rows can be drawn in any order, in a loop that trains.

    Silent where the script has a recurrent network, as successive windows of a series may be meant to keep their order.
    """

    code = "TDX501"
    name = "data-not-shuffled"
    level = Level.WARNING
    summary = "The training loader does not shuffle: batches are the same in every epoch, in the order of the file."

    def spots(self, script: Script) -> Iterator[Spot]:
        """The loaders that are trained on unshuffled."""
        if any(script.called(node) in RECURRENT for node in script.nodes):
            return
        flow = Flow.of_script(script)
        for loader in _trained_on(script, flow):
            if not has_stars(loader) and _keeps_order(loader) and _is_map_style(script, keyword(loader, "dataset", 0)):
                yield Spot(loader, "the training batches come in the order of the data, the same in every epoch; give shuffle=True")


def _trained_on(script: Script, flow: Flow) -> list[ast.Call]:
    """The loaders that a loop with a backward pass and a step runs over, and nothing else with it."""
    found: dict[ast.Call, None] = {}
    for path in flow.paths:
        for event in path:
            if event.kind is Kind.BACKWARD and event.loops and any(e.kind is Kind.STEP and e.within(event.loops[-1]) for e in path):
                iterated = event.loops[-1].iter if not isinstance(event.loops[-1], ast.While) else None
                for origin in _sources(script, iterated):
                    if isinstance(origin, ast.Call) and script.called(origin) in LOADERS:
                        found[origin] = None
    return list(found)


def _sources(script: Script, iterated: ast.expr | None) -> tuple[ast.AST, ...]:
    """Where what is iterated comes from, ``enumerate(...)`` and progress bars taken off."""
    while isinstance(iterated, ast.Call) and iterated.args and script.called(iterated) not in LOADERS:
        iterated = iterated.args[0]
    sources = script.origins(iterated) if iterated is not None else ()
    return sources if len(sources) == 1 else ()


def _keeps_order(loader: ast.Call) -> bool:
    if keyword(loader, "sampler", 3) is not None or keyword(loader, "batch_sampler", 4) is not None:
        return False
    shuffle = keyword(loader, "shuffle", 2)
    return shuffle is None or (isinstance(shuffle, ast.Constant) and shuffle.value is False)


def _is_map_style(script: Script, data: ast.expr | None) -> bool:
    if data is None:
        return False
    return all(_makes_map_style(script, origin) for origin in script.origins(data))


def _makes_map_style(script: Script, made: ast.AST) -> bool:
    own = script.made_by(made)
    if own is not None:
        iterable = any(script.dotted(base).endswith("IterableDataset") for current in script.bases(own) for base in current.bases)
        return script.method(own, "__getitem__") is not None and not iterable
    name = script.called(made)
    return name == "torch.utils.data.TensorDataset" or (name.startswith("torchvision.datasets.") and name.rpartition(".")[2][:1].isupper())
