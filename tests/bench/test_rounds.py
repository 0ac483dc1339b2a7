"""The rounds: the bare products among the contenders, and the figures, of all rounds and by shared cache."""

from __future__ import annotations

import pytest

from bench.contenders.bare_products import Product
from bench.contenders.contenders import BARE_PRODUCTS
from bench.measure.floor import Shape
from bench.measure.rounds import by_cache, measurements, run_rounds
from tests.support.contenders import BEST, CONTENDERS, FAR, NEAR, fake, rounds

IDS = [[2, 5, 3], [2, 3]]
ROUNDS = [[IDS, IDS[:1]]] * 3
SHAPE = Shape(1, 2, 3, "mean")


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
    monkeypatch.setattr("core.timing.IDLE_SECONDS", 0)


@pytest.fixture
def ran():
    """Run contenders with a pace a round, and products with a pace a turn; return the log, too."""

    def run(paces, products, trip=None):
        log = []
        bare = [Product("int8", 8, 10, 10), Product("fp32", 2, 10, 10)]
        listed = [fake(name, "int8", []) for name in paces]
        # The warm-up is a turn of its own.
        workers = {name: Timed(name, [99.0, *mine], log) for name, mine in paces.items()}
        workers[BARE_PRODUCTS] = Timed("products", products, log)
        return run_rounds(workers, listed, ROUNDS, bare, SHAPE, trip), listed, log

    return run


def test_a_rounds_peak_is_the_fastest_of_both_turns(ran):
    measured, _, _ = ran({"a": [1.0] * 3}, [4.0, 2.0, 1.0, 8.0, 0.5, 0.5])
    assert [each.peaks for each in measured] == [
        {"int8": 400.0, "fp32": 100.0},
        {"int8": 800.0, "fp32": 200.0},
        {"int8": 1600.0, "fp32": 400.0},
    ]
    assert [each.seconds for each in measured] == [{"a": [2.0, 1.0]}] * 3
    # Of three, two and three tokens.
    assert {(each.texts, each.tokens) for each in measured} == {(3, 8)}


def test_a_round_trip_is_measured_before_each_turn_of_a_round(ran):
    trips = iter(range(12))
    measured, _, log = ran({"a": [1.0] * 3, "b": [1.0] * 3}, [1.0] * 6, lambda: float(next(trips)))
    assert len(log) == 2 + 12
    assert [each.round_trips_ns for each in measured] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [each.round_trips_ns for each in ran({"a": [1.0] * 3}, [1.0] * 6)[0]] == [[], [], []]


def test_the_products_turns_are_half_a_round_apart(ran):
    _, _, log = ran({name: [1.0] * 3 for name in "abcd"}, [1.0] * 6)
    assert log[:4] == list("abcd")
    assert log[4:10] == ["products", "a", "b", "products", "c", "d"]
    assert log[10:16] == ["a", "b", "products", "c", "d", "products"]
    assert log[16:] == ["b", "products", "c", "d", "products", "a"]


def test_a_slow_round_moves_the_share_of_the_best_floor_alone(ran):
    def shares(slower):
        paces = {"a": [2.0, 2.0 * slower, 2.0], "b": [0.5, 0.5 * slower, 0.5]}
        # All rounds hold the same texts, so that rates differ by pace alone.
        measured, listed, _ = ran(paces, [1.0, 1.0, slower, slower, 1.0, 1.0])
        best = {"int8": max(each.peaks["int8"] for each in measured)}
        rows = measurements(measured, listed, best)
        return [(row["share_of_floor"], row["share_of_best_floor"]) for row in rows]

    for (steady, best), (slow, best_slow) in zip(shares(1.0), shares(2.0), strict=True):
        assert steady == slow == best
        assert steady["low"] == steady["high"]
        assert best_slow == {**best, "low": best["low"] / 2}


def test_the_measurements_of_a_kind_are_those_of_its_rounds():
    measured = rounds(NEAR, NEAR, [*NEAR, *FAR], FAR)
    kinds = by_cache(measured, CONTENDERS, BEST)
    assert kinds["rounds"] == {"shared_cache": 2, "no_shared_cache": 1, "mixed": 1}
    assert kinds["round_trip_ns"] == {"median": 430.0, "low": 200.0, "high": 600.0}
    assert kinds["measurements"]["shared_cache"] == measurements(measured[:2], CONTENDERS, BEST)
    alone = kinds["measurements"]["no_shared_cache"][1]
    assert alone["texts_per_second"] == pytest.approx({"median": 2 / 3, "low": 2 / 3, "high": 2 / 3})
    assert alone["times_as_fast_as"]["optimum"]["median"] == pytest.approx(4 / 3)
    assert alone["share_of_floor"]["median"] == pytest.approx(50 / 3 / 400)


def test_without_round_trips_there_are_no_kinds():
    assert by_cache(rounds([], [], [], []), CONTENDERS, BEST) is None
