"""The sweep: who runs which point when, and what slow rounds leave of its figures."""

from __future__ import annotations

import pytest

from bench.measure.sweep import flatness, flatness_by_cache, relative, sweep

# Batch size → two batches of texts of five tokens.
POINTS = {size: [[[2, 7, 8, 9, 3]] * size] * 2 for size in (1, 2, 4)}
COSTS = {1: 40e-6, 2: 10e-6, 4: 20e-6}


class Timed:
    """A worker without a process: a token costs what its batch size does, times the round's pace."""

    def __init__(self, name, paces, log):
        self.name, self.log = name, log
        self.paces = [pace for pace in paces for _ in POINTS]

    def seconds(self, batches):
        self.log.append((self.name, len(batches[0])))
        pace = self.paces.pop(0)
        return [pace * COSTS[len(batch)] * sum(map(len, batch)) for batch in batches]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("core.timing.IDLE_SECONDS", 0)


def swept(paces, names=("int8",)):
    log = []
    workers = {name: Timed(name, paces, log) for name in names}
    return sweep(workers, POINTS, len(paces)), log


def test_a_turn_is_all_points_of_one_contender_and_each_point_is_first_once():
    found, log = swept([1.0] * 3, ("torch", "optimum", "int8"))
    assert list(found) == ["optimum", "int8"]
    orders = [(1, 2, 4), (2, 4, 1), (4, 1, 2)]
    turns = [("optimum", "int8"), ("int8", "optimum"), ("optimum", "int8")]
    expected = [
        (name, point) for names, order in zip(turns, orders, strict=True) for name in names for point in order
    ]
    assert log == expected


def test_few_rounds_still_start_far_apart():
    _, log = swept([1.0] * 2)
    # Of three points and two rounds: the first, then the second.
    assert [point for _, point in log] == [1, 2, 4, 2, 4, 1]


def test_costs_are_divided_by_their_rounds_geometric_mean():
    assert relative([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0], [3.0, 3.0, 3.0]]) == pytest.approx([0.5, 1, 2])
    assert relative([[5.0]]) == pytest.approx([1.0])


def test_flatness_is_of_the_divided_costs():
    # The medians of the undivided costs would say 40 / 30.
    shares = relative([[10.0, 20.0, 40.0], [100.0, 200.0, 400.0], [30.0, 30.0, 30.0]])
    assert flatness({"int8": [{"relative": one} for one in shares]}) == pytest.approx({"int8": 4})


def test_figures_of_a_sweep_by_hand():
    found, _ = swept([1.0, 1.0, 1.0])
    assert [(row["at"], row["calls"]) for row in found["int8"]] == [(1, 2), (2, 2), (4, 2)]
    assert [row["us_per_token"]["median"] for row in found["int8"]] == pytest.approx([40, 10, 20])
    assert [row["relative"] for row in found["int8"]] == pytest.approx([2, 0.5, 1])
    assert flatness(found) == pytest.approx({"int8": 4})


def test_slow_rounds_move_the_cost_but_not_the_flatness():
    steady, _ = swept([1.0] * 3)
    slow, _ = swept([2.0, 1.0, 2.0])
    for before, after in zip(steady["int8"], slow["int8"], strict=True):
        assert after["us_per_token"]["median"] == pytest.approx(2 * before["us_per_token"]["median"])
        assert after["us_per_token"]["low"] == pytest.approx(before["us_per_token"]["low"])
        assert after["relative"] == pytest.approx(before["relative"])
    assert flatness(slow) == pytest.approx(flatness(steady))


def test_a_point_is_named_by_the_round_trips_around_it():
    # Rounds of points 1, 2, 4; then 2, 4, 1: two trips a point.
    trips = iter([200, 200, 200, 900, 900, 900, 200, 200, 200, 200, 900, 900])
    worker = Timed("int8", [1.0, 3.0], [])
    found = sweep({"int8": worker}, POINTS, 2, lambda: float(next(trips)))["int8"]
    approx = pytest.approx
    assert [row["by_cache"] for row in found] == [
        {"shared_cache": approx(40), "no_shared_cache": approx(120)},
        {"shared_cache": approx(30)},
        {"shared_cache": approx(60), "no_shared_cache": approx(20)},
    ]
    # Without a shared cache a point is missing.
    assert flatness_by_cache({"int8": found}) == {"shared_cache": {"int8": approx(2.0)}}


def test_without_round_trips_a_sweep_has_no_kinds():
    found, _ = swept([1.0])
    assert all(row["by_cache"] == {} for row in found["int8"])
    assert flatness_by_cache(found) == {}
