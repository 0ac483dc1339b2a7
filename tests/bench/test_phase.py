"""Rounds by phase: which belong to it, what is measured of them, and what the report says."""

from __future__ import annotations

import pytest

from bench.measure.cache_line import phase
from bench.measure.floor import Shape
from bench.measure.measurements import measurements, work
from bench.measure.phase import lines, phases
from bench.measure.rounds import Times
from tests.support.contenders import fake

CONTENDERS = [fake(name, "int8", []) for name in ("optimum", "int8")]
IDS = [[2, 5, 3], [2, 3]]
ROUNDS = [[IDS], [IDS[:1]], [IDS], [IDS]]
DONE = work(ROUNDS, Shape(1, 2, 3, "mean"))
BEST = {"int8": 400.0}
NEAR, FAR = [200.0, 430.0], [431.0, 600.0]


def times(*trips):
    seconds = {"optimum": [[4.0], [2.0], [4.0], [4.0]], "int8": [[1.0], [0.5], [2.0], [3.0]]}
    return Times(seconds, [{"int8": 100.0 * n} for n in (1, 2, 3, 4)], list(trips))


def test_a_round_has_a_phase_where_all_its_trips_say_so():
    assert [phase(one) for one in (NEAR, FAR, [200.0, 600.0])] == ["together", "apart", "mixed"]


def test_a_phases_measurements_are_those_of_its_rounds():
    found = phases(times(NEAR, NEAR, [*NEAR, *FAR], FAR), DONE, CONTENDERS, BEST)
    assert found["rounds"] == {"together": 2, "apart": 1, "mixed": 1}
    assert found["round_trip_ns"] == {"median": 430.0, "low": 200.0, "high": 600.0}
    alone = Times(
        {"optimum": [[4.0], [2.0]], "int8": [[1.0], [0.5]]}, [{"int8": 100.0}, {"int8": 200.0}], [NEAR] * 2
    )
    same = work(ROUNDS[:2], Shape(1, 2, 3, "mean"))
    assert found["measurements"]["together"] == measurements(alone, same, CONTENDERS, BEST)
    apart = found["measurements"]["apart"][1]
    assert apart["texts_per_second"] == pytest.approx({"median": 2 / 3, "low": 2 / 3, "high": 2 / 3})
    assert apart["times_as_fast_as"]["optimum"]["median"] == pytest.approx(4 / 3)
    assert apart["share_of_floor"]["median"] == pytest.approx(DONE.macs[3] / 3 / 400)


def test_without_round_trips_there_are_no_phases():
    assert phases(times([], [], [], []), DONE, CONTENDERS, BEST) is None


def test_the_report_has_a_table_where_rounds_differ():
    mixed = lines(phases(times(NEAR, NEAR, [*NEAR, *FAR], FAR), DONE, CONTENDERS, BEST), "optimum")
    assert "took 430 (200–600) ns" in mixed[1]
    assert "all through 2 of 4 rounds they did, all through 1 they did not" in mixed[1]
    columns = ["contender", *(f"texts/s {name}|× optimum|of its floor" for name in ("together", "apart"))]
    assert mixed[3] == "| " + "|".join(columns).replace("|", " | ") + " |"
    assert mixed[6].startswith("| int8 | 2 | 4 (4–4) | ")
    assert "| 0.667 | 1.33 (1.33–1.33) | " in mixed[6]
    steady = lines(phases(times(*[NEAR] * 4), DONE, CONTENDERS, BEST), "optimum")
    assert "all through 4 of 4 rounds they did" in steady[1]
    assert len(steady) == 2
    unsteady = lines(phases(times(*[NEAR + FAR] * 3, NEAR + FAR), DONE, CONTENDERS, BEST), "optimum")
    assert "all through 0 of 4 rounds they did, all through 0 they did not" in unsteady[1]
    assert len(unsteady) == 2
