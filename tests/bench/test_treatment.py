"""The arithmetic of the bench of treatments, and that its searches draw trainings that can be used."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import treatment as bench


def row(before: list[float], after: list[float], twin: float) -> bench.Row:
    return {"part": "zoo", "name": "n", "before": before, "after": after, "twin": twin, "remedies": []}


def test_recovered_is_a_share_of_the_gap() -> None:
    assert bench.recovered(row([0.2, 0.2, 0.2], [0.6, 0.6, 0.6], 1.0)) == pytest.approx(0.5)
    assert math.isnan(bench.recovered(row([0.9] * 3, [0.9] * 3, 0.9)))


def test_worse_is_beyond_the_noise_of_the_pairs() -> None:
    assert bench.significantly_worse(row([0.9, 0.91, 0.9], [0.8, 0.8, 0.79], 1.0))
    assert not bench.significantly_worse(row([0.9, 0.8, 0.7], [0.7, 0.9, 0.69], 1.0))
    assert not bench.significantly_worse(row([0.9] * 3, [0.9] * 3, 1.0)), "nothing was changed"


def test_every_method_sees_the_same_rows_and_none_the_test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(200, dtype=np.float32).reshape(100, 2)
    monkeypatch.setitem(bench.REAL, "made", bench.RealTask(lambda: (x, np.arange(100) % 2), 2, 1, standard=False))
    setting = bench.Setting("made", 3)
    assert setting.task().test is None and setting.task(with_test=True).test is not None
    rows = [set(map(tuple, part[0].tolist())) for part in (setting.train, setting.test)]
    assert len(rows[0]) == 70 and len(rows[1]) == 30 and not rows[0] & rows[1]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        net, recipe = bench.usual(study.ask(), setting)
        assert sum(p.numel() for p in net().parameters()) > 0 and recipe.early_stopping == bench.PATIENCE
    values = setting.judge(setting.task(with_test=True), setting.recipe)
    assert len(values) == len(bench.JUDGED_SEEDS) and all(0 <= v <= 1 for v in values)


def test_every_row_of_the_folds_is_held_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(95, 2)).astype(np.float32)
    monkeypatch.setattr(bench, "covid", lambda: (x, np.arange(95, dtype=np.float32)))
    settings = [bench.CovidFold("covid", k) for k in range(bench.FOLDS)]
    assert sorted(np.concatenate([s.test[1][:, 0] for s in settings])) == list(range(95))
    assert all(not set(s.train[1][:, 0]) & set(s.test[1][:, 0]) and abs(float(s.train[0].mean())) < 1e-5 for s in settings)
    assert 0 < bench.by_ridge(settings[0], argparse.Namespace())["values"][0] < 50


def test_validation_rows_are_of_speakers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    speakers = np.repeat(bench.SPEAKERS, 10)
    spectra = np.random.default_rng(0).normal(size=(60, 1, 16, 32)).astype(np.float32)
    monkeypatch.setattr(bench, "recordings", lambda: (spectra, np.tile(np.arange(10), 6), speakers))
    setting = bench.LeftOut("spoken-digits", 2)
    assert len(setting.test[1]) == 10 and "lucas" not in setting.groups
    task = setting.task()
    heard = set(setting.groups[task.train_index.numpy()])
    assert len(heard) == 4 and len(task.validation) == 10
    assert len(setting.judged()) == len(bench.JUDGED_SEEDS)


def test_the_table_of_divisions_has_those_that_every_method_has() -> None:
    row = {"branch": "healthy", "remedies": ["set-schedule"]}
    rows = {
        ("speakers", "spoken-digits", m, k): row | {"values": [v, v]} for m, v in (("untreated", 0.4), ("treatment", 0.6)) for k in (0, 3)
    }
    del rows["speakers", "spoken-digits", "untreated", 3]
    lines = bench.divided_tables(rows)
    assert "| george | 0.4000 | 0.6000 | healthy | set-schedule |" in lines and not any("nicolas" in line for line in lines)
    assert "| mean of 1 | **0.4000** | **0.6000** | | |" in lines
