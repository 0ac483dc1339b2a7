"""Medians, ratios and the order of turns, by hand."""

from __future__ import annotations

import pytest

from core.timing import Spread, interleave, median, percentile_ms, ratio, spread


def test_medians_percentiles_and_ratios_by_hand():
    assert spread([4.0, 1.0, 3.0]) == Spread(3.0, 1.0, 4.0)
    assert spread([8.0, 1.0, 2.0, 9.0]) == Spread(4.0, 1.0, 9.0)
    # Within a round: 2, 3, 2.5. Of the medians it would be 4 / 2.
    assert ratio([2.0, 30.0, 5.0], [1.0, 10.0, 2.0]) == Spread(2.5, 2.0, 3.0)
    assert percentile_ms([0.001, 0.002, 0.003], 50) == pytest.approx(2.0)
    assert percentile_ms([i / 1000 for i in range(101)], 99) == pytest.approx(99.0)


@pytest.mark.parametrize("rounds", [1, 2, 3, 6, 7])
def test_medians_of_one_thing_agree_whichever_way_it_is_asked_for(rounds):
    a, b = ([0.1 * (n * k % 7 + 1) for n in range(1, rounds + 1)] for k in (3, 5))
    assert median([64 / s for s in a]) == pytest.approx(64 / median(a))
    assert ratio(a, b).median == pytest.approx(1 / ratio(b, a).median)


def test_the_order_moves_on_each_round():
    order = []

    def turn(name):
        return lambda index: order.append(name) or [float(index)]

    times = interleave({name: turn(name) for name in "abc"}, 4)
    assert "".join(order) == "abcbcacababc"
    assert times["b"] == [[0.0], [1.0], [2.0], [3.0]]
