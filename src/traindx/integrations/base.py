"""What the adapters share: the watch that a callback keeps, from the beginning of a training to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traindx.records import Diagnosis, Finding, Run, TraindxError
from traindx.watching import Watch, watch


def missing(package: str, extra: str) -> ImportError:
    """The error for a package that is not there, with the command that installs it."""
    return ImportError(f"{package} is not installed; run: pip install 'traindx[{extra}]'")


class Watching:
    """Keeps one watch; the base of every adapter. ``options`` are those of `traindx.watch`."""

    watch: Watch | None = None

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
