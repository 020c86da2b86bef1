"""A diagnosis that is killed goes on where it was; a finished run is never trained again; the same seed gives the same numbers."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from resumed_program import diagnosis
from traindx.records import Diagnosis
from traindx.store import open_store

PROGRAM = Path(__file__).with_name("resumed_program.py")
KILLS = 10


def without_clock(record: Diagnosis) -> dict[str, Any]:
    """Everything but seconds."""
    plain = record.to_dict()
    plain["cost"] = {"runs": plain["cost"]["runs"]}
    for run in plain["runs"]:
        run.pop("seconds")
        run["curves"].pop("step_seconds", None)
    return plain


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert without_clock(diagnosis(None)) == without_clock(diagnosis(None))


def test_kill_and_restart_ten_times(tmp_path: Path) -> None:
    store, moments = tmp_path / "store.db", random.Random(7)
    finished: dict[str, int] = {}
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, str(PROGRAM), str(store)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.05, 2.5))
            process.send_signal(signal.SIGKILL)
        if store.exists():
            with open_store(store) as opened:
                assert {key: opened.attempts(key) for key in finished} == finished, "a finished run was started again"
                finished = {run.key: opened.attempts(run.key) for run in opened.runs(limit=1000)}
    done = subprocess.run([sys.executable, str(PROGRAM), str(store)], capture_output=True, text=True, check=True)
    with open_store(store) as opened:
        assert {key: opened.attempts(key) for key in finished} == finished
        resumed = opened.get_diagnosis(done.stdout.split()[-1])
    assert resumed is not None
    whole = diagnosis(None)
    assert [f.to_dict() for f in resumed.findings] == [f.to_dict() for f in whole.findings]
    assert {run.key for run in resumed.runs} == {run.key for run in whole.runs}
    assert resumed.cost.runs == whole.cost.runs
