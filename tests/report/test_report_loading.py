from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running the code."""
    program = f"import sys; sys.path.insert(0, {HERE!r})\n{code}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_nothing_is_loaded_before_it_is_used() -> None:
    assert not loaded("import traindx.report") & {"torch", "matplotlib", "rich", "jinja2", "numpy"}


def test_text_needs_rich_only() -> None:
    modules = loaded("import records_by_hand; from traindx import report; report.to_text(records_by_hand.healthy())")
    assert "rich" in modules
    assert not modules & {"torch", "matplotlib", "jinja2"}


def test_a_page_needs_no_torch() -> None:
    modules = loaded("import records_by_hand; from traindx import report; report.to_html(records_by_hand.healthy())")
    assert {"matplotlib", "jinja2"} <= modules
    assert "torch" not in modules
    assert "matplotlib.pyplot" not in modules
