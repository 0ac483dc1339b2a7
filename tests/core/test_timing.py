"""Medians, ratios and the order of turns, by hand."""

from __future__ import annotations

import pytest

from core.timing import Spread, interleave, percentile_ms, ratio, spread


def test_medians_percentiles_and_ratios_by_hand():
    assert spread([4.0, 1.0, 2.0, 9.0]) == Spread(3.0, 1.0, 9.0)
    # Within a round: 2, 3, 2.5. Of the medians it would be 4 / 2.
    assert ratio([2.0, 30.0, 5.0], [1.0, 10.0, 2.0]) == Spread(2.5, 2.0, 3.0)
    assert percentile_ms([0.001, 0.002, 0.003], 50) == pytest.approx(2.0)
    assert percentile_ms([i / 1000 for i in range(101)], 99) == pytest.approx(99.0)


def test_the_order_moves_on_each_round():
    order = []

    def turn(name):
        return lambda index: order.append(name) or [float(index)]

    times = interleave({name: turn(name) for name in "abc"}, 4)
    assert "".join(order) == "abcbcacababc"
    assert times["b"] == [[0.0], [1.0], [2.0], [3.0]]
