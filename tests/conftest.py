"""What holds for all tests: one thread a process, no windows, interrupts that arrive, no deadlines, and no silent skips where the servers are promised."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# Before anything imports numpy or torch, and inherited by the processes that tests start: two test processes share two cores.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["MPLBACKEND"] = "Agg"
# A shell that starts tests in the background ignores the interrupt for them, and so for the processes that they are to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("traindx", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("traindx")

PROMISED = ("no PostgreSQL server", "no Chromium")
"""Reasons that a test may give for a skip, but not where TRAINDX_CI=1 says that the server and the browser are there."""


def _fail_if_promised(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("TRAINDX_CI") != "1" or not report.skipped or not isinstance(report.longrepr, tuple):
        return
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if reason.startswith(PROMISED):
        report.outcome = "failed"
        report.longrepr = f"skipped, although TRAINDX_CI=1 promises what is missing: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped for want of what CI promises fails."""
    report = yield
    _fail_if_promised(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So does a whole file that skips itself."""
    report = yield
    _fail_if_promised(report)
    return report
