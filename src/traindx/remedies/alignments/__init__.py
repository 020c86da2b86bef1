"""Maps that bring test inputs to the training inputs, each learned without labels and without the network.

A family looks at the inputs of both sets and proposes its best member, or none where nothing of its kind tells them apart. The families
stand from the plainest to the most flexible; of two that make the sets alike, the plainer one is to be believed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from traindx.remedies.alignments.affine import affine, turned
from traindx.remedies.alignments.monotone import monotone
from traindx.remedies.alignments.rearrangement import rearrangement
from traindx.remedies.alignments.reordering import reordering
from traindx.remedies.alignments.tokens import offset
from traindx.tasks.features import Features

Map = Callable[[Tensor], Tensor]
Family = Callable[..., Map | None]

AFFINE = ("global", "range", "inverted", "inverted-range", "moments", "quartiles")
# Families for real inputs. Columns are the entries along the first axis of a row, as of a table or the channels of an image; those that end
# in "last" take the last axis, as of signals with the channels last.
REAL: dict[str, Family] = {
    **{kind: partial(affine, kind=kind) for kind in AFFINE},
    "moments-last": partial(affine, kind="moments", axis=-1),
    "rearranged": rearrangement,
    "reordered": reordering,
    "reordered-last": partial(reordering, axis=-1),
    "turned": turned,
    "turned-last": partial(turned, axis=-1),
    "monotone": monotone,
    "monotone-last": partial(monotone, axis=-1),
}
# Families for tokens.
TOKENS: dict[str, Family] = {"offset": offset}
# Families that can make the columns of any two sets alike, whatever told them apart: likeness proves little of them, all of the loss must return.
FLEXIBLE = ("monotone", "monotone-last")
# Families that take the first axis for columns, where that may be a side of an image.
FIRST = ("reordered", "turned", "monotone")
# Families that compare whole rows, by features of the training rows.
WHOLE = ("rearranged", "turned", "turned-last")


def families(inputs: Tensor) -> tuple[str, ...]:
    """The names of the families for such inputs, the plainest first. Of an image the shorter axis holds the channels, of a signal either may."""
    if not inputs.is_floating_point():
        return tuple(TOKENS)
    image, shorter = inputs.ndim > 3, inputs.shape[-1] < inputs.shape[1] if inputs.ndim > 2 else False
    unfit = FIRST if image and shorter else ()
    last = shorter if image else inputs.ndim == 3
    return tuple(kind for kind in REAL if kind not in unfit and (last or not kind.endswith("-last")))


def proposals(train: Tensor, test: Tensor, features: Features | None = None) -> dict[str, Map]:
    """The map of every family that has one, from test to training inputs, both of shape (n, ...); the plainest first."""
    features = features or Features(train)
    return {kind: found for kind in families(train) if (found := alignment(kind, train, test, features)) is not None}


def alignment(kind: str, train: Tensor, test: Tensor, features: Features | None = None) -> Map | None:
    """The map of this family; None where it has nothing to propose. Features of the training rows, where there are any, need not be learned."""
    return (REAL | TOKENS)[kind](train, test, **({"features": features} if kind in WHOLE else {}))
