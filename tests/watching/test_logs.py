"""Curves that others logged: read from event files and CSV logs, and what can be said from them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from traindx.cli import main
from traindx.records import Curve, InputError, Outcome, Recipe, Run
from traindx.watching.logs import diagnose_logs, is_log, read_log
from traindx.watching.signs import of_finished

EPOCHS = 40


def falling(rate: float, floor: float = 0.1) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.01, EPOCHS)
    return floor + 2 * np.exp(-rate * np.arange(EPOCHS)) + noise


def run(**curves: np.ndarray) -> Run:
    return Run(
        key="",
        task="",
        task_name="",
        recipe=Recipe(),
        outcome=Outcome.FINISHED,
        steps=EPOCHS,
        epochs=EPOCHS,
        seconds=0.0,
        curves={name: Curve(steps=tuple(range(len(v))), values=tuple(map(float, v))) for name, v in curves.items()},
    )


RISING = np.concatenate([falling(0.3)[:15], np.linspace(0.15, 0.9, EPOCHS - 15)])
SPENT = np.where(np.arange(EPOCHS) < 10, 0.1, 1e-6)


@pytest.mark.parametrize(
    ("curves", "cause"),
    [
        ({"batch_loss": falling(0.3), "validation_loss": RISING}, "trained-too-long"),
        ({"batch_loss": falling(0.03), "validation_loss": falling(0.03)}, "trained-too-briefly"),
        ({"batch_loss": falling(0.3), "learning_rate": SPENT}, "learning-rate-decays-too-fast"),
        ({"batch_loss": np.linspace(1, 4, EPOCHS)}, "learning-rate-too-high"),
        ({"batch_loss": np.where(np.arange(EPOCHS) < 30, falling(0.3), math.nan)}, "non-finite-loss"),
    ],
)
def test_a_cause_is_suspected_from_its_curves(curves: dict[str, np.ndarray], cause: str) -> None:
    assert [f.cause for f in of_finished(run(**curves))][:1] == [cause]


def test_curves_that_end_well_give_no_suspicion() -> None:
    sound = {"batch_loss": falling(0.3), "validation_loss": falling(0.3, 0.2), "learning_rate": np.linspace(0.1, 0.0, EPOCHS)}
    assert of_finished(run(**sound)) == ()


def test_few_points_make_no_trend() -> None:
    assert of_finished(run(batch_loss=np.array([2.0, 1.0, 0.5]), validation_loss=np.array([2.0, 1.0, 1.5]))) == ()


def write_csv(path: Path, **columns: np.ndarray) -> Path:
    lines = [",".join(["epoch", *columns])]
    lines += [",".join([str(i), *(f"{c[i]:.6g}" for c in columns.values())]) for i in range(EPOCHS)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_csv_log_with_gaps(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train_loss_step,val_loss,lr-SGD\n0,0,2.0,,0.1\n0,1,1.5,,0.1\n0,1,,1.7,\n1,2,1.25,,0.05\n1,2,,n/a,\n")
    read = read_log(path)
    assert read.curves["batch_loss"] == Curve(steps=(0, 1, 2), values=(2.0, 1.5, 1.25))
    assert read.curves["validation_loss"] == Curve(steps=(1,), values=(1.7,))
    assert read.curves["learning_rate"].values == (0.1, 0.1, 0.05)
    assert read.recipe.lr == 0.1


def test_event_files_of_tensorboard(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    for new_style in (False, True):
        folder = tmp_path / str(new_style)
        with tensorboard.SummaryWriter(folder) as writer:
            writer.add_text("notes", "of no matter")
            for step, (loss, validation) in enumerate(zip(falling(0.3), RISING, strict=True)):
                writer.add_scalar("Loss/train", loss, step * 10, new_style=new_style)
                writer.add_scalar("Loss/validation", validation, step * 10, new_style=new_style)
        read = read_log(folder)
        assert read.curves["batch_loss"].steps == tuple(range(0, 10 * EPOCHS, 10))
        assert np.allclose(read.curves["batch_loss"].values, falling(0.3), rtol=1e-6)
        top = diagnose_logs(folder).top
        assert top is not None and top.cause == "trained-too-long"
        cut = next(folder.iterdir())
        cut.write_bytes(cut.read_bytes()[:-7])
        assert len(read_log(folder).curves["validation_loss"]) == EPOCHS - 1


def test_what_is_no_log_is_left_to_other_readers(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("age,income,loss\n1,2,3\n")
    assert not is_log(table)
    assert not is_log(tmp_path)
    write_csv(tmp_path / "log.csv", train_loss=falling(0.3))
    assert is_log(tmp_path) and is_log(tmp_path / "log.csv")


def test_several_runs_and_no_loss_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / "log.csv", train_loss=falling(0.3))
    with pytest.raises(InputError, match="2 runs"):
        read_log(tmp_path)
    (tmp_path / "a" / "log.csv").write_text("step,val_loss\n1,2\n")
    with pytest.raises(InputError, match="no training loss"):
        read_log(tmp_path / "a")


def test_the_command_line_reads_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "log.csv", train_loss=falling(0.3), val_loss=RISING)
    assert main(["diagnose", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["findings"][0]["cause"] == "trained-too-long"
    assert any("watch" in line for line in answer["advice"])
    assert main(["diagnose", str(tmp_path), "--fail-on", "overfitting"]) == 3
    assert "trained too long" in capsys.readouterr().out
