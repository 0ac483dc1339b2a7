"""The benchmark: its texts, its order, its figures, and a whole run on a small BERT."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from bench.measure import run
from bench.measure import texts as bench_texts
from bench.measure.floor import Product, Shape, macs
from bench.report import markdown
from core.errors import BenchmarkError
from core.timing import Spread, interleave, percentile_ms, ratio, spread
from tests.support.building import SLOPPY, make, tiny
from tests.support.contenders import fake, steady

IDS = [[2, *range(10, 10 + n), 3] for n in (1, 4, 2, 7, 3)]


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

    found = interleave({name: turn(name) for name in "abc"}, 4)
    assert "".join(order) == "abcbcacababc"
    assert found["b"] == [[0.0], [1.0], [2.0], [3.0]]


def test_texts_are_taken_in_their_natural_order_and_from_the_start_again():
    assert bench_texts.slices(IDS, 2, 4) == [IDS[:2], IDS[2:4], [IDS[4], IDS[0]], IDS[1:3]]
    assert bench_texts.batches(IDS, 2) == [IDS[:2], IDS[2:4], IDS[4:]]
    for texts, rounds in ((0, 1), (1, 0)):
        with pytest.raises(BenchmarkError, match="expected at least one of each"):
            bench_texts.slices(IDS, texts, rounds)


def test_texts_are_joined_and_cut_to_length():
    found = bench_texts.of_lengths(IDS, [5, 2, 9])
    assert found == [[2, 10, 10, 11, 3], [2, 3], [2, 12, 13, 10, 11, 10, 11, 12, 3]]
    with pytest.raises(BenchmarkError, match="cannot make texts"):
        bench_texts.of_lengths([[2, 3]], [4])


def test_the_sweeps_hold_what_they_say():
    lengths = bench_texts.by_length(IDS, 64)
    assert list(lengths) == [8, 16, 32, 64]
    for length, batches in lengths.items():
        assert {len(row) for batch in batches for row in batch} == {length}
        assert {len(batch) for batch in batches} == {8}
    sizes = bench_texts.by_size(IDS, 512)
    assert list(sizes) == [1, 2, 4, 8, 16, 32, 64, 128]
    blocks = []
    for size, batches in sizes.items():
        assert {len(batch) for batch in batches} == {size}
        rows = [len(row) for batch in batches for row in batch]
        blocks += [rows[start : start + 32] for start in range(0, len(rows), 32)]
    assert all(sorted(block) == sorted(blocks[0]) for block in blocks)
    assert (min(blocks[0]), max(blocks[0])) == (4, 128)
    assert blocks[-1] != blocks[-2]
    assert max(max(map(len, batch)) for batch in bench_texts.by_size(IDS, 64)[32]) == 64


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A run of two fakes, `torch` 10 ms and `int8` 2.5 ms a text, and products of 1 s a call."""
    log = tmp_path / "log"
    shape = Shape(1, 2, 3, "mean")
    encoder = run.Encoder(shape, 64, [Product("int8", 8000, tmp_path), Product("fp32", 2000, tmp_path)])
    monkeypatch.setattr(run, "products", lambda files: fake("products", "fp32", steady("products", 1.0, log)))
    listed = [
        fake("torch", "fp32", steady("torch", 0.01, log)),
        fake("int8", "int8", steady("int8", 0.0025, log)),
    ]
    plan = run.Plan(rounds=3, texts=4, threads=(1,), sizes=(1, 3), sweep_rounds=2)
    return run.run(listed, encoder, IDS, plan, lambda line: None), log.read_text().splitlines(), shape


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


def test_a_whole_run_on_a_small_bert(tmp_path, go_emotions):
    _, _, variables = tiny(tmp_path, variants=SLOPPY)
    options = "--threads 1 --sizes 1,2 --sweep-rounds 1"
    assert make("package", **variables).returncode == 0
    found = make(
        "bench-recipe",
        data_set=True,
        **variables,
        ROUNDS=1,
        BENCH_TEXTS=4,
        OPTIMUM="",
        BENCH_OPTIONS=options,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    bench = tmp_path / "build" / "bench"
    record = json.loads((bench / "bench.json").read_text("utf-8"))
    names = ["torch", "card", "fused", "optimum", "fp32", "int8"]
    assert list(record["contenders"]) == names
    assert [row["contender"] for row in record["measurements"]] == names * 2
    errors = {row["contender"]: row["max_probability_error"] for row in record["processes"]}
    assert errors["torch"] == 0
    assert max(errors[name] for name in ("card", "fused", "fp32")) < 1e-5
    sizes = {row["contender"]: row["size_bytes"] for row in record["processes"]}
    assert sizes["int8"] == (tmp_path / "build/model_quantized.onnx").stat().st_size
    weights = (tmp_path / "encoder/model.safetensors").stat().st_size
    assert sizes["torch"] == weights + (tmp_path / "head/model.onnx").stat().st_size
    assert record["optimum"]["way"] == "onnxruntime"
    text = (bench / "bench.md").read_text("utf-8")
    assert "no environment for optimum was asked for" in text
    assert text.count("| of its floor | of the best floor |") == 2
    assert "divided by their geometric mean" in text
    assert markdown.markdown(record) in found.stdout
    assert str(tmp_path) not in (bench / "bench.json").read_text("utf-8")
    for name in ("throughput.svg", "cost.svg"):
        assert ElementTree.parse(bench / name).getroot().tag.endswith("svg")
