"""A run of the benchmark: its order and its figures, on contenders that take the time they are told to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.contenders.bare_products import Product
from bench.contenders.contenders import BARE_PRODUCTS
from bench.measure.floor import Shape, macs
from bench.measure.plan import Plan
from bench.measure.run import Setup, run
from bench.report import plot
from tests.support.contenders import fake, steady

IDS = [[2, *range(10, 10 + n), 3] for n in (1, 4, 2, 7, 3)]


@pytest.fixture
def measured(tmp_path):
    """A run of two fakes, `torch` 10 ms and `int8` 2.5 ms a text, and products of 1 s a call."""
    log = tmp_path / "log"
    shape = Shape(1, 2, 3, "mean")
    setup = Setup(
        [
            fake("torch", "fp32", steady("torch", 0.01, log)),
            fake("int8", "int8", steady("int8", 0.0025, log)),
        ],
        fake(BARE_PRODUCTS, "fp32", steady("products", 1.0, log)),
        [Product("int8", 80, 10, 10), Product("fp32", 20, 10, 10)],
        shape,
        64,
    )
    plan = Plan(rounds=3, texts=4, threads=(1,), sizes=(1, 3), sweep_rounds=2)
    return run(setup, IDS, plan, lambda line: None), log.read_text().splitlines(), shape


def test_figures_of_a_run_by_hand(measured):
    found, _, shape = measured
    torch, int8 = found["measurements"][:2]
    assert torch["texts_per_second"] == pytest.approx({"median": 100, "low": 100, "high": 100})
    assert int8["texts_per_second"]["median"] == pytest.approx(400)
    assert int8["times_as_fast_as"]["torch"] == pytest.approx({"median": 4, "low": 4, "high": 4})
    assert torch["times_as_fast_as"]["int8"]["median"] == pytest.approx(0.25)
    # Rounds of four texts: 22, 21 and 23 tokens, in 40 ms.
    rounds = [[3, 6, 4, 9], [5, 3, 6, 4], [9, 5, 3, 6]]
    assert torch["tokens_per_second"] == pytest.approx({"median": 550, "low": 450, "high": 575})
    assert torch["latency_ms"] == pytest.approx({"p50": 10, "p99": 10})
    assert [row["calls"] for row in found["measurements"]] == [12, 12, 6, 6]
    # Batches of 3 and of 1.
    assert found["measurements"][3]["latency_ms"]["p50"] == pytest.approx((7.5 + 2.5) / 2)
    per_second = [sum(macs(shape, n) for n in one) / 0.04 for one in rounds]
    assert torch["share_of_floor"]["median"] == pytest.approx(np.median(per_second) / 2000)
    assert int8["share_of_floor"]["high"] == pytest.approx(max(per_second) * 4 / 8000)
    # The products' times are the same in every round.
    assert int8["share_of_best_floor"] == pytest.approx(int8["share_of_floor"])
    average = sum(sum(one) for one in rounds) / 12
    assert found["average_tokens"] == average
    assert {(row["precision"], row["texts_per_second"]) for row in found["floors"]} == {
        ("int8", 8000 / macs(shape, average)),
        ("fp32", 2000 / macs(shape, average)),
    }
    assert [row["max_probability_error"] for row in found["processes"]] == [0.0, pytest.approx(0.0075)]
    assert found["processes"][0]["load_seconds"] == 0.5


def test_a_peer_is_compared_in_speed_alone(tmp_path):
    log = tmp_path / "log"
    peer = replace(fake("peer", "int8", steady("peer", 0.005, log)), peer=True)
    ours = fake("torch", "fp32", steady("torch", 0.01, log))
    bare = fake(BARE_PRODUCTS, "fp32", steady("products", 1.0, log))
    products = [Product("int8", 80, 10, 10), Product("fp32", 20, 10, 10)]
    plan = Plan(rounds=1, texts=2, threads=(1,), sizes=(1,), sweep_rounds=0)
    found = run(Setup([ours, peer], bare, products, Shape(1, 2, 3, "mean"), 64), IDS, plan, lambda line: None)
    torch, other = found["measurements"]
    assert other["times_as_fast_as"]["torch"]["median"] == pytest.approx(2)
    assert torch.keys() - other.keys() == {"share_of_floor", "share_of_best_floor"}
    assert [each["max_probability_error"] for each in found["processes"]] == [0, None]


def test_who_needs_more_threads_runs_where_they_are(tmp_path):
    log = tmp_path / "log"
    alone = fake("torch", "fp32", steady("torch", 0.01, log))
    divided = replace(fake("divided", "int8", steady("divided", 0.005, log)), least_threads=2)
    bare = fake(BARE_PRODUCTS, "fp32", steady("products", 1.0, log))
    products = [Product("int8", 80, 10, 10), Product("fp32", 20, 10, 10)]
    plan = Plan(rounds=1, texts=2, threads=(1, 2), sizes=(1,), sweep_rounds=0)
    setup = Setup([alone, divided], bare, products, Shape(1, 2, 3, "mean"), 64)
    found = run(setup, IDS, plan, lambda line: None)
    assert [(row["threads"], row["contender"]) for row in found["measurements"]] == [
        (1, "torch"),
        (2, "torch"),
        (2, "divided"),
    ]
    named = {each.name: {} for each in setup.contenders}
    # A bar in one panel of two, and its name once.
    assert plot.throughput({"recipe": "tiny", "contenders": named, **found}).count("divided") == 1


def test_everybody_runs_the_same_batches_in_turn(measured):
    _, log, _ = measured
    # A warm-up each, then rounds: the bare products before the first, and again in the middle.
    warm_up = ["torch", "int8"]
    rounds = [
        ["products", "torch", "products", "int8"],
        ["torch", "products", "int8", "products"],
        ["products", "int8", "products", "torch"],
    ]
    expected = warm_up + [name for one in rounds for name in one]
    single, triple = log[: len(expected)], log[len(expected) : 2 * len(expected)]
    for lines, batches in ((single, [1, 1, 1, 1, 1]), (triple, [3, 3, 1])):
        assert [line.split()[0] for line in lines] == expected
        assert {line.split(" ", 1)[1] for line in lines if "products" not in line} == {str(batches)}


def test_sweeps_leave_out_who_is_not_swept_and_say_how_flat(measured):
    found, _, _ = measured
    assert list(found["by_length"]) == list(found["by_batch"]) == ["int8"]
    assert [row["at"] for row in found["by_length"]["int8"]] == [8, 16, 32, 64]
    # The fake's time is 2.5 ms a text, whatever its length.
    assert found["by_length"]["int8"][0]["us_per_token"]["median"] == pytest.approx(2500 / 8)
    # Of 8, 16, 32 and 64 tokens the geometric mean is 2 ** 4.5.
    relative = [row["relative"] for row in found["by_length"]["int8"]]
    assert relative == pytest.approx([2**1.5, 2**0.5, 2**-0.5, 2**-1.5])
    assert found["by_batch_max_over_min"]["int8"] == pytest.approx(1.0)
