"""The pages of the causes: runs each page's example, draws what its diagnosis showed, and states what was measured.

    python bench/pages.py [--causes ID ...] [--label NAME] [--no-pictures]

Pictures go to docs/images/causes, figures (of the diagnoses that bench/accuracy.py kept under the label) under "Measured".
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

import accuracy
from traindx.diagnosis.rules import RULES
from traindx.records import Diagnosis, Standing
from traindx.report import draw, figures

ROOT = Path(__file__).resolve().parents[1]
PAGES, PICTURES = ROOT / "docs" / "causes", ROOT / "docs" / "images" / "causes"
EXAMPLE = re.compile(r"```python\n(.*?)```\n", re.DOTALL)
PICTURE = re.compile(r"\n!\[What the diagnosis of the example showed.*?\n(?=\n)", re.DOTALL)
MEASURED = re.compile(r"## Measured\n.*?(?=\n## |\Z)", re.DOTALL)


def diagnosed(page: Path) -> Diagnosis:
    """The diagnosis that the page's example makes."""
    found = EXAMPLE.search(page.read_text())
    assert found is not None, f"{page.name} has an example"
    space: dict[str, Any] = {"__name__": page.stem}
    exec(compile(found[1], str(page), "exec"), space)
    diagnosis: Diagnosis = space["diagnosis"]
    return diagnosis


def pictured(page: Path) -> str:
    """Draw the experiment of the example, put it behind the example, and tell what was found."""
    diagnosis = diagnosed(page)
    finding = next(f for f in diagnosis.findings if f.cause == page.stem)
    panel = figures.intervention_panel(finding, diagnosis)
    text = PICTURE.sub("", page.read_text())
    (PICTURES / f"{page.stem}.svg").unlink(missing_ok=True)
    if panel is not None and finding.standing is Standing.CONFIRMED:
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{page.stem}.svg").write_text(draw.panel(panel))
        line = f"\n![What the diagnosis of the example showed: {finding.summary}](../images/causes/{page.stem}.svg)\n"
        text = EXAMPLE.sub(lambda found: found[0] + line, text, count=1)
    page.write_text(text)
    top = diagnosis.top
    return f"{page.stem}: {finding.standing.value}; on top {top.cause if top else '-'}; {diagnosis.cost.runs:.1f} runs"


def measured(cause: str, rows: list[dict[str, Any]]) -> str:
    """What the zoo showed of this cause."""
    lines = []
    for name, held_out in (("Held-out programs", True), ("Calibration programs", False)):
        mine = [r for r in rows if r["kind"] == "faulty" and r["item"].cause == cause and r["item"].held_out == held_out]
        if mine:
            counts = [sum(bool(r[key]) for r in mine) for key in ("branch right", "top-1", "top-1 strict")]
            lines.append(f"| {name} | {len(mine)} | {counts[0]} | {counts[1]} | {counts[2]} |")
    if not lines:
        return "No case of it was measured."
    head = "| part | cases | branch right | on top, or an equivalent cause | on top |\n|---|---|---|---|---|\n"
    return head + "\n".join(lines)


def main() -> None:
    """Every page, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--causes", nargs="+", default=[rule.cause for rule in RULES])
    parser.add_argument("--label", default="latest")
    parser.add_argument("--no-pictures", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    items = {(item.kind, item.name): item for item in accuracy.items(unchecked=False)}
    known = accuracy.known_rows(arguments.label).values()
    rows = [accuracy.judged(row, items[row["kind"], row["name"]]) for row in known if (row["kind"], row["name"]) in items]
    for cause in arguments.causes:
        page = PAGES / f"{cause}.md"
        print(cause if arguments.no_pictures else pictured(page), flush=True)
        section = f"## Measured\n\n{measured(cause, rows)}\n"
        text = page.read_text()
        text = (
            MEASURED.sub(lambda _, s=section: s, text)
            if MEASURED.search(text)
            else text.replace("\n## Sources", f"\n{section}\n## Sources", 1)
        )
        if "\n## Sources" not in text and "## Measured" not in text:
            text = f"{text.rstrip()}\n\n{section}"
        page.write_text(text)


if __name__ == "__main__":
    main()
