"""What the adapters share: the watch that a callback keeps, from the beginning of a training to its end."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from traindx.records import Diagnosis, Finding, Run, TraindxError
from traindx.watching import Watch, watch

_log = logging.getLogger("traindx")

H = TypeVar("H", bound=Callable[..., None])


def harmless(hook: H) -> H:
    """A hook of a framework whose errors never stop the training: one is logged and ends the watch, unless it is strict."""

    @functools.wraps(hook)
    def guarded(self: Watching, *args: Any, **kwargs: Any) -> None:
        if self.switched_off:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            if self.strict:
                raise
            self.switched_off = True
            self.end()
            _log.warning("the watch has switched itself off; the training goes on unwatched", exc_info=error)

    return guarded  # type: ignore[return-value]  # of the same signature


def missing(package: str, extra: str) -> ImportError:
    """The error for a package that is not there, with the command that installs it."""
    return ImportError(f"{package} is not installed; run: pip install 'traindx[{extra}]'")


class Watching:
    """Keeps one watch; the base of every adapter. ``options`` are those of `traindx.watch`."""

    watch: Watch | None = None
    strict: bool = False
    switched_off: bool = False

    def begin(self, model: Any, optimizer: Any, loss_fn: Callable[[Any, Any], Any] | None, options: dict[str, Any]) -> None:
        """Watch a training; one that was not ended is ended first."""
        self.end()
        self.watch = watch(model, optimizer, loss_fn, **options).__enter__()

    def end(self, error: BaseException | None = None) -> None:
        """End the watch, if there is one; what it saw stays."""
        if self.watch is not None:
            self.watch.close(error)

    def _watched(self) -> Watch:
        if self.watch is None:
            raise TraindxError("nothing has been watched yet: the training has not begun")
        return self.watch

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is suspected so far."""
        return self._watched().findings

    @property
    def run(self) -> Run:
        """The observations so far."""
        return self._watched().run

    @property
    def diagnosis(self) -> Diagnosis:
        """What they amount to."""
        return self._watched().diagnosis
