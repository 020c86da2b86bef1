"""The guide's flowchart as boxes and arrows, with the path that a diagnosis took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from traindx.records import Branch, Step

QUESTIONS: Final = {
    "sound": ("Data and code", "sound?"),
    "training": ("Training loss", "large?"),
    "validation": ("Validation loss", "worse?"),
    "test": ("Test loss", "worse?"),
}
LEAVES: Final = {
    Branch.DATA: "sound",
    Branch.DEFECT: "sound",
    Branch.OPTIMIZATION: "training",
    Branch.MODEL_BIAS: "training",
    Branch.OVERFITTING: "validation",
    Branch.MISMATCH: "test",
}
"""Each leaf below a question, and that question; healthy is what remains at the end."""
LEAF_NAMES: Final = {Branch.MODEL_BIAS: "model bias", Branch.UNDECIDED: "cannot tell"}
GOES_ON: Final = {"sound": "yes", "training": "no", "validation": "no", "test": "no"}
UNASKED: Final = "no test set"
"""The last question is the only one that a path to the end can pass by."""

WIDTH = 980
BOX_WIDTH, BOX_HEIGHT, LEAF_HEIGHT = 142, 56, 36
LEFT, TOP, COLUMN, LEAF_TOP, LEAF_STEP = 8, 12, 206, 112, 52


class Box(NamedTuple):
    """A question or a leaf."""

    lines: tuple[str, ...]
    x: int
    y: int
    width: int
    height: int
    kind: str
    on: bool


class Arrow(NamedTuple):
    """A way from one box to the next, as an SVG path, with the answer that leads along it."""

    path: str
    label: str
    x: int
    y: int
    on: bool
    dashed: bool = False


class Flowchart(NamedTuple):
    """All of it, and the sentence that says the path taken."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    description: str
    width: int
    height: int


def flowchart(branch: Branch, path: Sequence[Step]) -> Flowchart:
    """The chart with the way to ``branch`` highlighted; for an undecided diagnosis the way as far as it was answered.

    A healthy path that never asked about a test set leaves that question unmarked, and dashes the arrow past it.
    """
    asked = _asked(branch, path)
    columns = {name: LEFT + i * COLUMN for i, name in enumerate(QUESTIONS)}
    boxes = [Box(lines, columns[name], TOP, BOX_WIDTH, BOX_HEIGHT, "question", name in asked) for name, lines in QUESTIONS.items()]
    healthy_x = LEFT + len(QUESTIONS) * COLUMN
    boxes.append(Box(("healthy",), healthy_x, TOP + (BOX_HEIGHT - LEAF_HEIGHT) // 2, 132, LEAF_HEIGHT, "healthy", branch is Branch.HEALTHY))
    arrows = [_onward(name, x, _leaves(name, branch, asked), name in asked) for name, x in columns.items()]
    leaves = list(LEAVES.items()) + ([(Branch.UNDECIDED, asked[-1])] if branch is Branch.UNDECIDED else [])
    filled = dict.fromkeys(QUESTIONS, 0)
    for leaf, question in leaves:
        y = LEAF_TOP + filled[question] * LEAF_STEP
        filled[question] += 1
        boxes.append(Box((LEAF_NAMES.get(leaf, leaf.value),), columns[question] + 30, y, 122, LEAF_HEIGHT, leaf.value, leaf is branch))
        arrows.append(_downward(leaf, question, columns[question], y, leaf is branch))
    height = max(box.y + box.height for box in boxes) + TOP
    return Flowchart(tuple(boxes), tuple(sorted(arrows, key=lambda a: a.on)), _description(branch, asked), WIDTH, height)


def _asked(branch: Branch, path: Sequence[Step]) -> tuple[str, ...]:
    names = tuple(QUESTIONS)
    said = " ".join(step.question.lower() for step in path)
    if branch is Branch.HEALTHY:
        return names if "test" in said or not path else names[:-1]
    if branch in LEAVES:
        return names[: names.index(LEAVES[branch]) + 1]
    reached = [i for i, name in enumerate(names) if name in said]
    return names[: max(reached, default=0) + 1]


def _leaves(name: str, branch: Branch, asked: Sequence[str]) -> bool:
    """Whether the path goes on to the right of this question."""
    return branch is Branch.HEALTHY or (name in asked and name != asked[-1])


def _onward(name: str, x: int, on: bool, asked: bool) -> Arrow:
    y = TOP + BOX_HEIGHT // 2
    start, end = x + BOX_WIDTH, x + COLUMN
    passed_by = on and not asked
    return Arrow(f"M {start} {y} H {end - 2}", UNASKED if passed_by else GOES_ON[name], (start + end) // 2 - 2, y - 8, on, passed_by)


def _downward(leaf: Branch, question: str, x: int, y: int, on: bool) -> Arrow:
    middle = y + LEAF_HEIGHT // 2
    first = y == LEAF_TOP
    answer = "no" if question == "sound" else "yes"
    return Arrow(f"M {x + 14} {TOP + BOX_HEIGHT} V {middle} H {x + 28}", answer if first else "", x + 32, LEAF_TOP - 14, on)


def _description(branch: Branch, asked: Sequence[str]) -> str:
    way = ", then ".join(" ".join(QUESTIONS[name]).rstrip("?").lower() for name in asked)
    return f"Flowchart of the guide. The path asks: {way}; it ends at {LEAF_NAMES.get(branch, branch.value)}."
