"""`traindx curvature` on real trainings: the answer, the numbers, the figures, and what cannot be looked at."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from torch import nn
from typer.testing import CliRunner

from traindx import Recipe, Task, api
from traindx.cli import app
from traindx.records import Curvature, InputError, find
from traindx.report import schema, to_html
from traindx.report.progress import Progress

RECIPE = Recipe(lr=0.1, epochs=20, batch_size=20, device="cpu")


def line(lr: float = 0.1) -> tuple[Task, Recipe]:
    """Least squares of two coordinates: a bowl with one minimum, whose Hessian is known."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2)).astype(np.float32)
    return Task(lambda: nn.Linear(2, 1), nn.MSELoss(), (x, x @ np.array([[1.0], [-2.0]], dtype=np.float32)), name="line"), RECIPE.replace(
        lr=lr
    )


@pytest.fixture(scope="module")
def bowl() -> Curvature:
    return api.curvature_of(*line())


def test_a_bowl_is_like_a_minimum_and_its_eigenvalues_are_those_of_the_rows(bowl: Curvature) -> None:
    assert bowl.answer == "minimum-like" and "minimum like" in bowl.sentence
    task, _ = line()
    rows = np.concatenate([task.train.inputs.numpy(), np.ones((len(task.train), 1))], axis=1)
    truth = np.linalg.eigvalsh(2 * rows.T @ rows / len(rows))[::-1]
    found = [e.value for e in bowl.evidence if e.measure == "eigenvalue"]
    assert found == pytest.approx(truth[: len(found)], rel=1e-2)


def test_the_rate_is_held_against_the_bound_of_stability(bowl: Curvature) -> None:
    told = find(bowl.evidence, "critical_point", "rate_times_largest_eigenvalue")
    assert told is not None and told.threshold == 2 and told.value == pytest.approx(RECIPE.lr * told.details["eigenvalue"])
    assert len(bowl.curves["rate_times_largest_eigenvalue"]) > 3


def test_the_lines_go_through_the_weights_and_the_way_ends_there(bowl: Curvature) -> None:
    loss = bowl.run.last("train_loss")
    for profile in bowl.profiles:
        at = profile.positions.index(0.0)
        assert profile.losses[at] == pytest.approx(loss, abs=1e-4) and min(profile.losses) == pytest.approx(profile.losses[at], abs=1e-4)
    way = next(s for s in bowl.surfaces if s.way_x)
    assert (way.way_x[-1], way.way_y[-1]) == pytest.approx((0, 0), abs=1e-5)
    assert len(way.losses) == len(way.y) and {len(row) for row in way.losses} == {len(way.x)}


def test_the_way_off_a_saddle_is_shown_where_the_loss_falls() -> None:
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)

    def at_zero() -> nn.Module:
        network = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 1, bias=False))
        for parameter in network.parameters():
            nn.init.zeros_(parameter)
        return network

    stuck = api.curvature_of(Task(at_zero, nn.MSELoss(), (x, x[:, :1]), name="zero"), RECIPE.replace(epochs=2))
    assert stuck.answer == "saddle"
    down = next(p for p in stuck.profiles if p.name == "way down")
    escaped = find(stuck.evidence, "critical_point", "escape_fall_share")
    assert escaped is not None
    assert min(down.losses) <= float(escaped.details["after"]) + 1e-6 < down.losses[down.positions.index(0.0)]
    assert "loss along the way down" in to_html(stuck)


def test_the_density_has_an_area_of_one(bowl: Curvature) -> None:
    assert bowl.density is not None
    assert np.trapezoid(bowl.density.losses, bowl.density.positions) == pytest.approx(1.0, abs=0.02)


def test_it_is_kept_and_comes_back(bowl: Curvature, tmp_path: Path) -> None:
    back = Curvature.model_validate_json(bowl.save(tmp_path / "c.json").read_text())
    assert back.key == bowl.key and back.evidence == bowl.evidence
    assert set(schema("curvature")["properties"]) <= set(bowl.to_dict()) | {"schema_version"}
    page = to_html(bowl)
    assert page.count("<svg") >= 5 and "minimum like" in page


def test_an_early_step_is_not_critical() -> None:
    told: list[Progress] = []
    early = api.curvature_of(*line(0.01), step=3, pictures=False, progress=told.append)
    assert (early.answer, early.step, early.surfaces, early.profiles) == ("not-critical", 3, (), ())
    assert [(p.stage, p.done, p.total, p.unit) for p in told] == [
        ("training", 0, 3, "stages"),
        ("what kind of point", 1, 3, "stages"),
        ("spectrum", 2, 3, "stages"),
    ]


def test_a_training_that_diverged_has_nothing_to_look_at() -> None:
    with pytest.raises(InputError, match="diverged"):
        api.curvature_of(*line(1e3))


def test_the_command_answers_and_draws(tmp_path: Path) -> None:
    source = tmp_path / "bowl.csv"
    rows = np.random.default_rng(0).normal(size=(120, 2))
    source.write_text("a,b,y\n" + "\n".join(f"{a:.4f},{b:.4f},{2 * a - b:.4f}" for a, b in rows))
    arguments = ["curvature", str(source), "--target", "y", "--epochs", "5"]
    shown = CliRunner().invoke(app, [*arguments, "--json", "--pictures", str(tmp_path / "pictures")])
    assert shown.exit_code == 0, shown.output
    record = json.loads(shown.stdout)
    assert record["answer"] in ("not-critical", "saddle", "minimum-like", "flat", "undecided") and math.isfinite(record["cost"]["seconds"])
    assert {"spectrum.png", "plane-of-two-random-directions.png"} <= {p.name for p in (tmp_path / "pictures").iterdir()}
    assert CliRunner().invoke(app, [*arguments, "--step", "0"]).exit_code != 0
