"""One suite for every implementation: what the text of `Store` promises."""

from __future__ import annotations

import math
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_records import (
    DIAGNOSES,
    EVIDENCE,
    FACTS,
    KEYS,
    RUNS,
    TEXTS,
    TREATMENTS,
    a_diagnosis,
    a_run,
    a_treatment,
    exact,
)

from traindx.records import Curve, Diagnosis, Evidence, InputError, Outcome, Recipe, Run, Scalar, Treatment
from traindx.store import Owner, Store, open_store

round_trip = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
fresh = count()


def with_own_runs(diagnosis: Diagnosis) -> Diagnosis:
    """The same with runs that no other example has put."""
    return diagnosis.replace(runs=[run.replace(key=f"run {next(fresh)}") for run in diagnosis.runs])


class TestStore:
    # --- Runs

    def test_an_unknown_run_is_none(self, store: Store) -> None:
        assert store.get_run("a") is None
        assert store.attempts("a") == 0
        assert store.owner("a") is None

    def test_a_started_run_is_owned_and_not_yet_there(self, store: Store) -> None:
        store.start_run("a", "task", "digits", Recipe())
        assert store.get_run("a") is None
        assert store.runs() == []
        assert store.attempts("a") == 1
        assert store.owner("a") == Owner(socket.gethostname(), os.getpid())

    def test_a_run_that_is_put_has_ended(self, store: Store) -> None:
        store.start_run("a", "task", "digits", Recipe())
        store.put_run(a_run("a"))
        assert store.get_run("a") == a_run("a")
        assert store.owner("a") is None
        assert store.attempts("a") == 1

    def test_attempts_are_counted_for_each_run(self, store: Store) -> None:
        for key in ("a", "b", "a"):
            store.start_run(key, "task", "digits", Recipe())
        assert (store.attempts("a"), store.attempts("b")) == (2, 1)

    def test_starting_again_keeps_the_earlier_result(self, store: Store) -> None:
        store.put_run(a_run("a"))
        store.start_run("a", "task", "digits", Recipe())
        assert store.get_run("a") == a_run("a")
        assert store.owner("a") is not None

    @pytest.mark.parametrize("outcome", Outcome)
    def test_every_outcome_is_a_result(self, store: Store, outcome: Outcome) -> None:
        run = a_run("a").replace(outcome=outcome, reason="why")
        store.put_run(run)
        assert store.get_run("a") == run

    def test_putting_again_replaces_the_run_and_its_curves(self, store: Store) -> None:
        store.put_run(a_run("a", length=5))
        shorter = a_run("a").replace(curves={"other": Curve(steps=(7,), values=(1.0,))})
        store.put_run(shorter)
        assert store.get_run("a") == shorter

    def test_runs_come_newest_first(self, store: Store) -> None:
        for key in ("b", "c", "a", "d", "b"):
            store.put_run(a_run(key))
        assert [run.key for run in store.runs()] == ["b", "d", "a", "c"]
        assert [run.key for run in store.runs(limit=2)] == ["b", "d"]
        assert store.runs(limit=0) == []

    def test_runs_of_one_task(self, store: Store) -> None:
        for key, task in (("a", "x"), ("b", "y"), ("c", "x")):
            store.put_run(a_run(key, task))
        assert store.runs("x", limit=1) == [a_run("c", "x")]
        assert store.runs(task="x") == [a_run("c", "x"), a_run("a", "x")]
        assert store.runs("z") == []

    @pytest.mark.parametrize("listing", ["runs", "diagnoses", "treatments"])
    def test_a_negative_limit_is_refused(self, store: Store, listing: str) -> None:
        with pytest.raises(InputError, match="limit: found -1"):
            getattr(store, listing)(limit=-1)

    def test_what_comes_back_is_a_value_of_its_own(self, store: Store) -> None:
        run = a_run("a")
        store.put_run(run)
        run.curves.clear()
        first = store.get_run("a")
        assert first == a_run("a")
        first.curves.clear()
        assert store.get_run("a") == a_run("a")

    def test_every_kind_is_dated(self, store: Store) -> None:
        began = datetime.now(UTC) - timedelta(seconds=1)  # databases may keep whole seconds
        diagnosis = a_diagnosis("d", a_run("a"))
        store.put_treatment(a_treatment("t", diagnosis, a_run("b")))
        found = store.stored_at(["a", "b", "d", "t", "unknown"])
        assert sorted(found) == ["a", "b", "d", "t"]
        assert all(began <= at <= datetime.now(UTC) for at in found.values())

    def test_many_points(self, store: Store) -> None:
        run = a_run("a", length=20_000)
        store.put_run(run)
        assert store.get_run("a") == run

    # --- Weights

    def test_weights_that_were_not_kept_are_none(self, store: Store) -> None:
        store.put_run(a_run("a"))
        assert store.get_weights("a") is None

    @pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)), os.urandom(3 << 20)], ids=["empty", "nul", "every byte", "3 MiB"])
    def test_weights_come_back_as_they_were_put(self, store: Store, data: bytes) -> None:
        store.put_weights("a", data)
        store.put_weights("b", b"other")
        store.put_run(a_run("a"))
        assert store.get_weights("a") == data
        assert type(store.get_weights("a")) is bytes
        assert store.get_weights("b") == b"other"

    def test_putting_weights_again_replaces_them(self, store: Store) -> None:
        store.put_weights("a", b"long ago")
        store.put_weights("a", b"now")
        assert store.get_weights("a") == b"now"

    # --- Tasks and evidence

    def test_a_task_is_replaced(self, store: Store) -> None:
        assert store.get_task("f") is None
        store.put_task("f", "digits", {"rows": 10})
        store.put_task("f", "numbers", {"rows": 11, "kind": "classification"})
        assert store.get_task("f") == ("numbers", {"rows": 11, "kind": "classification"})

    def test_evidence_is_replaced_and_none_differs_from_nothing(self, store: Store) -> None:
        item = Evidence(experiment="e", measure="m", value=1.0)
        assert store.get_evidence("k") is None
        store.put_evidence("k", "e", [])
        assert store.get_evidence("k") == ()
        store.put_evidence("k", "e", (item, item))
        assert store.get_evidence("k") == (item, item)

    # --- Diagnoses and treatments

    def test_an_unknown_diagnosis_is_none(self, store: Store) -> None:
        assert store.get_diagnosis("a") is None
        assert store.get_treatment("a") is None
        assert store.diagnoses() == []
        assert store.treatments() == []

    def test_a_diagnosis_brings_its_runs(self, store: Store) -> None:
        store.put_run(a_run("a"))
        diagnosis = a_diagnosis("d", a_run("c"), a_run("a"), a_run("b"))
        store.put_diagnosis(diagnosis)
        loaded = store.get_diagnosis("d")
        assert loaded is not None
        assert exact(loaded) == exact(diagnosis)
        assert store.get_run("c") == a_run("c")
        assert {run.key for run in store.runs()} == {"a", "b", "c"}

    def test_a_diagnosis_leaves_stored_runs_as_they_are(self, store: Store) -> None:
        stored = a_run("a").replace(seconds=9.0)
        store.put_run(stored)
        store.put_diagnosis(a_diagnosis("d", a_run("a")))
        assert store.get_run("a") == stored
        assert [d.runs for d in store.diagnoses()] == [(stored,)]

    def test_the_runs_of_a_diagnosis_are_nobodys(self, store: Store) -> None:
        store.start_run("a", "task", "digits", Recipe())
        store.put_diagnosis(a_diagnosis("d", a_run("a")))
        assert store.owner("a") is None

    def test_a_diagnosis_comes_back_without_its_live_task(self, store: Store) -> None:
        diagnosis = a_diagnosis("d")
        diagnosis._task = object()
        store.put_diagnosis(diagnosis)
        loaded = store.get_diagnosis("d")
        assert loaded is not None
        assert loaded.task is None

    def test_diagnoses_come_newest_first(self, store: Store) -> None:
        shared = a_run("shared")
        for key in ("b", "c", "a", "b"):
            store.put_diagnosis(a_diagnosis(key, shared, a_run(key)))
        assert [d.key for d in store.diagnoses()] == ["b", "a", "c"]
        assert [[r.key for r in d.runs] for d in store.diagnoses(limit=2)] == [["shared", "b"], ["shared", "a"]]

    def test_a_treatment_brings_its_diagnosis_and_all_runs(self, store: Store) -> None:
        treatment = a_treatment("t", a_diagnosis("d", a_run("b"), a_run("a")), a_run("c"), a_run("a"))
        store.put_treatment(treatment)
        loaded, diagnosis = store.get_treatment("t"), store.get_diagnosis("d")
        assert loaded is not None
        assert diagnosis is not None
        assert exact(loaded, diagnosis) == exact(treatment, treatment.diagnosis)
        assert {run.key for run in store.runs()} == {"a", "b", "c"}

    def test_treatments_come_newest_first(self, store: Store) -> None:
        for key in ("b", "a", "c", "b"):
            store.put_treatment(a_treatment(key, a_diagnosis(f"d{key}", a_run("a")), a_run(key)))
        assert [t.key for t in store.treatments()] == ["b", "c", "a"]
        assert [t.diagnosis.key for t in store.treatments(limit=1)] == ["db"]

    def test_a_prefix_is_enough_when_one_key_begins_so(self, store: Store) -> None:
        for key in ("abc", "abd", "b", "bb", "%", "ABX"):
            store.put_treatment(a_treatment(key, a_diagnosis(key)))
        for get in (store.get_diagnosis, store.get_treatment):
            found = {prefix: getattr(get(prefix), "key", None) for prefix in ("abc", "abd", "b", "bb", "ABX", "A", "%", "_", "abcd", "c")}
            assert found == {"abc": "abc", "abd": "abd", "b": "b", "bb": "bb", "ABX": "ABX", "A": "ABX", "%": "%"} | dict.fromkeys(
                ("_", "abcd", "c")
            )

    def test_a_prefix_of_several_keys_lists_them(self, store: Store) -> None:
        for key in ("abc", "abd", "b"):
            store.put_treatment(a_treatment(key, a_diagnosis(key)))
        for get in (store.get_diagnosis, store.get_treatment):
            with pytest.raises(InputError, match=r"'ab' begins several keys: abc, abd; give more of the key"):
                get("ab")

    def test_a_prefix_of_very_many_keys_lists_some(self, store: Store) -> None:
        for number in range(10):
            store.put_diagnosis(a_diagnosis(f"a{number}"))
        with pytest.raises(InputError, match=r"a0, a1, a2, a3, a4, a5, \.\.\.; give more"):
            store.get_diagnosis("a")

    # --- The sealed test set

    def test_openings_count_questions_of_a_task_once(self, store: Store) -> None:
        assert store.test_openings("t") == 0
        assert [store.open_test("t", question) for question in ("mismatch", "final", "mismatch")] == [1, 2, 2]
        assert store.open_test("other", "final") == 1
        assert store.test_openings("t") == 2

    # --- Values

    @round_trip
    @given(run=RUNS)
    def test_round_trip_of_runs(self, store: Store, run: Run) -> None:
        store.put_run(run)
        loaded = store.get_run(run.key)
        assert loaded is not None
        assert exact(loaded) == exact(run)

    @round_trip
    @given(diagnosis=DIAGNOSES)
    def test_round_trip_of_diagnoses(self, store: Store, diagnosis: Diagnosis) -> None:
        diagnosis = with_own_runs(diagnosis)
        store.put_diagnosis(diagnosis)
        loaded = store.get_diagnosis(diagnosis.key)
        assert loaded is not None
        assert exact(loaded) == exact(diagnosis)

    @round_trip
    @given(treatment=TREATMENTS)
    def test_round_trip_of_treatments(self, store: Store, treatment: Treatment) -> None:
        own = [run.replace(key=f"run {next(fresh)}") for run in treatment.runs]
        treatment = treatment.replace(diagnosis=with_own_runs(treatment.diagnosis), runs=own)
        store.put_treatment(treatment)
        loaded = store.get_treatment(treatment.key)
        assert loaded is not None
        assert exact(loaded) == exact(treatment)

    @round_trip
    @given(key=KEYS, experiment=TEXTS, evidence=st.lists(EVIDENCE, max_size=3))
    def test_round_trip_of_evidence(self, store: Store, key: str, experiment: str, evidence: list[Evidence]) -> None:
        store.put_evidence(key, experiment, evidence)
        loaded = store.get_evidence(key)
        assert loaded is not None
        assert exact(*loaded) == exact(*evidence)

    @round_trip
    @given(key=KEYS, name=TEXTS, summary=FACTS)
    def test_round_trip_of_tasks(self, store: Store, key: str, name: str, summary: dict[str, Scalar]) -> None:
        store.put_task(key, name, summary)
        assert repr(store.get_task(key)) == repr((name, summary))

    @round_trip
    @given(key=KEYS, name=TEXTS, question=TEXTS)
    def test_any_text_names_a_task_or_asks_a_question(self, store: Store, key: str, name: str, question: str) -> None:
        store.start_run(key, key, name, Recipe())
        before = store.test_openings(key)
        assert store.open_test(key, question) in (before, before + 1)
        assert store.open_test(key, question) == store.test_openings(key)

    def test_not_a_number_stays_one(self, store: Store) -> None:
        run = a_run("a").replace(seconds=math.nan, epochs=-math.inf, curves={"loss": Curve(steps=(1, 2), values=(math.inf, math.nan))})
        store.put_run(run)
        loaded = store.get_run("a")
        assert loaded is not None
        assert math.isnan(loaded.seconds)
        assert loaded.epochs == -math.inf
        assert repr(loaded.curves["loss"].values) == "(inf, nan)"

    # --- Threads and the end

    def test_threads_share_a_store(self, store: Store) -> None:
        def work(number: int) -> None:
            for turn in range(5):
                store.start_run("shared", "task", "digits", Recipe())
                store.put_run(a_run(f"{number}-{turn}"))
                store.put_run(a_run("shared"))
                store.open_test("task", f"{turn}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert store.attempts("shared") == 20
        assert store.test_openings("task") == 5
        assert {run.key for run in store.runs()} == {"shared", *(f"{n}-{t}" for n in range(4) for t in range(5))}

    def test_closing_twice_does_no_harm(self, url: str) -> None:
        store = open_store(url)
        store.close()
        store.close()
