"""The plot of throughput: a bar for each contender, models of other shapes among them."""

from __future__ import annotations

from bench.measure.rounds import measurements
from bench.report import plot
from tests.support.contenders import BEST, CONTENDERS, fake, rounds


def test_a_peer_has_a_bar_as_well():
    listed = [*CONTENDERS, fake("roberta-base", "int8", [])]
    measured = rounds([], [], [], [])
    for each in measured:
        each.seconds["roberta-base"] = [8.0]
    place = {"threads": 2, "batch": 32}
    result = {
        "plan": {"threads": [2], "sizes": [32]},
        "contenders": {each.name: {} for each in listed},
        "measurements": [place | row for row in measurements(measured, listed, BEST)],
        "floors": [{"threads": 2, "precision": "int8", "texts_per_second": 10.0}],
        "recipe": "tiny",
        "machine": {"cpu": "AMD EPYC", "logical_cpus": 2, "int8_instructions": []},
    }
    drawn = plot.throughput(result)
    assert "<svg" in drawn
    assert all(each.name in drawn for each in listed)
