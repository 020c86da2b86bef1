"""Verdicts follow from numbers; the exact labs are exact; their iterates are those of torch's optimizers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from traindx.cli import app
from traindx.labs import LABS, Context, conduct
from traindx.labs.base import Seen, _key
from traindx.labs.valley import START, Adagrad, X, Y, descend
from traindx.records import Check, Verdict
from traindx.report import labs as shown
from traindx.store import open_store

EXACT = (
    "leaderboard",
    "critical-points",
    "saddles",
    "rescaling",
    "updates",
    "valley",
    "adagrad",
    "softmax",
    "loss-surfaces",
    "standardizing",
    "overfitting",
    "noise",
)


class Fixed:
    """A lab that saw what it is told to have seen."""

    name, claims, question, claim, source = "fixed", (1,), "?", "a claim", "nowhere"

    def __init__(self, holds: bool, differs: bool) -> None:
        self.seen = Seen(sentence="seen", checks=(Check(label="a number", measured=1.0, lecture="1", holds=holds),), differs=differs)

    def run(self, context: Context) -> Seen:
        return self.seen


@pytest.mark.parametrize(
    ("holds", "differs", "verdict"),
    [
        (True, False, Verdict.REPRODUCED),
        (True, True, Verdict.REPRODUCED),
        (False, True, Verdict.DIFFERS),
        (False, False, Verdict.NOT_REPRODUCED),
    ],
)
def test_the_verdict_follows_from_the_checks(holds: bool, differs: bool, verdict: Verdict) -> None:
    assert conduct(Fixed(holds, differs), Context()).verdict is verdict


def test_a_lab_without_its_data_is_skipped_by_name(tmp_path: Path) -> None:
    result = conduct(LABS["mismatch"], Context())
    assert result.verdict is Verdict.SKIPPED and "gas-drift" in result.sentence and "--data" in result.sentence
    assert f"not in {tmp_path}" in conduct(LABS["mismatch"], Context(data=tmp_path)).sentence


@pytest.mark.parametrize("name", EXACT)
def test_exact_labs_are_reproduced(name: str) -> None:
    result = conduct(LABS[name], Context())
    assert [check.label for check in result.checks if not check.holds] == []
    assert result.plots and all(np.isfinite([v for _, y in plot.lines.values() for v in y]).all() for plot in result.plots)


def by_torch(optimizer: type[torch.optim.Optimizer], updates: int, lr: float) -> np.ndarray:
    x, y = torch.tensor(X), torch.tensor(Y)
    point = torch.tensor(START, requires_grad=True)
    stepper, way = optimizer([point], lr=lr), [START]  # type: ignore[call-arg]  # every optimizer has a rate
    for _ in range(updates):
        stepper.zero_grad()
        (y - point[0] - point[1] * x).square().sum().backward()
        stepper.step()
        way.append(point.detach().numpy().copy())
    return np.array(way)


def test_the_valley_is_descended_as_torch_does() -> None:
    ours = descend(lambda t, g: 1e-7 * g, 1000)
    assert np.allclose(ours, by_torch(torch.optim.SGD, 1000, 1e-7), rtol=1e-10)
    decayed = descend(Adagrad(1.0, decayed=True), 1000)
    assert np.allclose(decayed, by_torch(torch.optim.Adagrad, 1000, 1.0), rtol=1e-8)


def test_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["lab", "list"])
    assert listed.exit_code == 0 and all(name in listed.output for name in LABS)
    page = tmp_path / "labs.html"
    done = runner.invoke(app, ["lab", "run", "softmax", "mismatch", "--report", str(page), "--json"])
    assert done.exit_code == 0, done.output
    verdicts = {r["name"]: r["verdict"] for r in json.loads(done.stdout)}
    assert verdicts == {"softmax": "reproduced", "mismatch": "skipped"}
    assert "<svg" in page.read_text() and "Of 2 claims: 1 reproduced, 1 skipped." in page.read_text()
    assert "traindx lab run softmax mismatch --report labs.html" in page.read_text()
    text = runner.invoke(app, ["lab", "run", "softmax"])
    assert "lecture: 0.8789" in text.output and "Of 1 claim: 1 reproduced." in text.output


def test_a_page_has_a_column_of_intervals_only_where_there_are_some(tmp_path: Path) -> None:
    single = Check(label="a number", measured=1.0, lecture="1", holds=True)
    result = conduct(LABS["softmax"], Context())
    pages = [
        shown.save([result.replace(checks=(check,))], tmp_path / "labs.html").read_text()
        for check in (single, single.replace(low=0.9, high=1.1))
    ]
    assert ["95% interval" in page for page in pages] == [False, True]


def test_scoreboard_counts_claims() -> None:
    results = [conduct(LABS["softmax"], Context()), conduct(Fixed(False, True), Context())]
    assert shown.scoreboard(results).endswith("Of 2 claims: 1 reproduced, 1 differs.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing-of-the-kind"],
        [],
        ["softmax", "--report", "labs.pdf"],
        ["softmax", "--seeds", "0"],
        ["softmax", "--data", "nowhere"],
        ["softmax", "--pictures", __file__],
    ],
)
def test_what_cannot_be_run_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["lab", "run", *arguments]).exit_code != 0


class Counting(Fixed):
    """Counts how often it is run; saw a number that JSON has no word for."""

    def __init__(self) -> None:
        super().__init__(True, False)
        self.seen = self.seen.replace(checks=(Check(label="a number", measured=float("inf"), lecture="large", holds=True),))
        self.runs = 0

    def run(self, context: Context) -> Seen:
        self.runs += 1
        return super().run(context)


def test_a_finished_lab_is_remembered(tmp_path: Path) -> None:
    lab, store = Counting(), str(tmp_path / "labs.db")
    first = conduct(lab, Context(store=store))
    assert conduct(lab, Context(store=store)) == first and lab.runs == 1
    conduct(lab, Context(seeds=(5,), store=store))
    conduct(lab, Context(full=True, store=store))
    assert lab.runs == 3
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2")
    conduct(lab, Context(data=tmp_path / "data", store=store))
    assert lab.runs == 4


def test_a_skipped_lab_is_asked_again(tmp_path: Path) -> None:
    store = str(tmp_path / "labs.db")
    assert conduct(LABS["mismatch"], Context(store=store)).verdict is Verdict.SKIPPED
    with open_store(store) as opened:
        assert opened.get_evidence(_key(LABS["mismatch"], Context())) is None
