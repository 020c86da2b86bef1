"""Where in the user's own files something happened."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_NOT_THE_USERS = (
    _PACKAGE,
    str(Path(torch.__file__).resolve().parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


@cache
def _is_users(file: str) -> bool:
    return not file.startswith((*_NOT_THE_USERS, "<frozen", "<string>"))


def users_line() -> Place | None:
    """The innermost line on this thread's stack that belongs neither to torch, nor to an installed package, nor to traindx.

    None where there is none: CUDA runs backward passes on threads of their own. Cost: about a microsecond a frame.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_users(frame.f_code.co_filename):
            return Place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None
