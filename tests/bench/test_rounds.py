"""The bare products among the contenders, and what is left of a phase in which all are slower."""

from __future__ import annotations

import pytest

from bench.measure.floor import Product, Shape
from bench.measure.measurements import measurements, work
from bench.measure.rounds import run_rounds
from tests.support.contenders import fake

IDS = [[2, 5, 3], [2, 3]]
ROUNDS = [[IDS, IDS[:1]]] * 3


class Timed:
    """A worker without a process; its n-th turn takes `paces[n]` seconds a text."""

    def __init__(self, name, paces, log):
        self.name, self.paces, self.log = name, iter(paces), log

    def seconds(self, batches):
        self.log.append(self.name)
        pace = next(self.paces)
        return [pace * len(batch) for batch in batches]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("bench.measure.statistics.IDLE_SECONDS", 0)


@pytest.fixture
def ran(tmp_path):
    """Run contenders with a pace a round, and products with a pace a turn; return the log, too."""

    def run(paces, products, trip=None):
        log = []
        bare = [Product("int8", 800, tmp_path), Product("fp32", 200, tmp_path)]
        listed = [fake(name, "int8", []) for name in paces]
        # The warm-up is a turn of its own.
        workers = {name: Timed(name, [99.0, *mine], log) for name, mine in paces.items()}
        workers["products"] = Timed("products", products, log)
        return run_rounds(workers, listed, ROUNDS, bare, trip), listed, log

    return run


def test_a_rounds_peak_is_the_fastest_of_both_turns(ran):
    times, _, _ = ran({"a": [1.0] * 3}, [4.0, 2.0, 1.0, 8.0, 0.5, 0.5])
    assert times.peaks == [
        {"int8": 400.0, "fp32": 100.0},
        {"int8": 800.0, "fp32": 200.0},
        {"int8": 1600.0, "fp32": 400.0},
    ]
    assert times.seconds == {"a": [[2.0, 1.0]] * 3}


def test_a_round_trip_is_measured_before_each_turn_of_a_round(ran):
    trips = iter(range(12))
    times, _, log = ran({"a": [1.0] * 3, "b": [1.0] * 3}, [1.0] * 6, lambda: float(next(trips)))
    assert len(log) == 2 + 12
    assert times.round_trips_ns == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert ran({"a": [1.0] * 3}, [1.0] * 6)[0].round_trips_ns == [[], [], []]


def test_the_products_turns_are_half_a_round_apart(ran):
    _, _, log = ran({name: [1.0] * 3 for name in "abcd"}, [1.0] * 6)
    assert log[:4] == list("abcd")
    assert log[4:10] == ["products", "a", "b", "products", "c", "d"]
    assert log[10:16] == ["a", "b", "products", "c", "d", "products"]
    assert log[16:] == ["b", "products", "c", "d", "products", "a"]


def test_a_slow_round_moves_the_share_of_the_best_floor_alone(ran):
    def shares(slower):
        paces = {"a": [2.0, 2.0 * slower, 2.0], "b": [0.5, 0.5 * slower, 0.5]}
        times, listed, _ = ran(paces, [1.0, 1.0, slower, slower, 1.0, 1.0])
        # All rounds hold the same texts, so that rates differ by pace alone.
        done = work(ROUNDS, Shape(1, 2, 3, "mean"))
        best = {"int8": max(peak["int8"] for peak in times.peaks)}
        rows = measurements(times, done, listed, best)
        return [(row["share_of_floor"], row["share_of_best_floor"]) for row in rows]

    for (steady, best), (phase, best_phase) in zip(shares(1.0), shares(2.0), strict=True):
        assert steady == phase == best
        assert steady["low"] == steady["high"]
        assert best_phase == {**best, "low": best["low"] / 2}
