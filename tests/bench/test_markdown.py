"""The report: what it says of the rounds by shared cache, of the machine, and of who quantized."""

from __future__ import annotations

import pytest

from bench.measure.rounds import by_cache, measurements
from bench.report.markdown import figure, markdown, percent, spread, tokenizers
from core.timing import Spread
from tests.support.contenders import BEST, CONTENDERS, FAR, NEAR, rounds


def report(*trips, **changes):
    """The report of four rounds with two threads and these round trips."""
    measured, place = rounds(*trips), {"threads": 2, "batch": 32}
    kinds = by_cache(measured, CONTENDERS, BEST)
    peak = {"median": 3e9, "low": 1e9, "high": 4e11}
    process = {
        "size_bytes": 34_950_000,
        "load_seconds": 1.2345,
        "start_seconds": 2.0,
        "max_probability_error": 0.0,
    }
    result = {
        "recipe": "tiny",
        "data": "made-up texts",
        "machine": {
            "cpu": "AMD EPYC",
            "logical_cpus": 2,
            "int8_instructions": ["avx512_vnni"],
            "cpus_busy_elsewhere": 0.05,
        },
        "contenders": {each.name: {"way": each.way, "precision": each.precision} for each in CONTENDERS},
        "optimum": {"way": "optimum-onnx", "versions": {"optimum": "1", "onnxruntime": "2"}, "reason": None},
        "plan": {"threads": [2], "sizes": [32], "rounds": 4, "texts": 2},
        "average_tokens": 19.06,
        "macs_per_text": 3.8e8,
        "measurements": [place | row for row in measurements(measured, CONTENDERS, BEST)],
        "by_cache": [] if kinds is None else [place | kinds],
        "floors": [
            {"threads": 2, "precision": "int8", "peak_macs_per_second": peak, "texts_per_second": 1053.0}
        ],
        "processes": [{"contender": "int8", "threads": 2, "peak_memory_bytes": 1_234_567_890, **process}],
    }
    return markdown(result | changes).splitlines()


def test_figures_have_three_digits():
    assert [figure(value) for value in (1234.5, 99.96, 0.012345, 3.0)] == ["1,234", "100", "0.0123", "3"]
    share = {"median": 0.5, "low": 0.249, "high": 1.0}
    assert (spread(share), percent(share)) == ("0.5 (0.249–1)", "50% (25%–100%)")
    assert spread(share, 100) == "50 (24.9–100)"


def test_a_table_has_a_row_for_each_contender():
    lines = report([], [], [], [])
    start = lines.index("## Batch 32, 2 threads (4 calls each)")
    assert lines[start + 2 : start + 4] == [
        "| contender | texts/s | tokens/s | p50 ms | p99 ms | × optimum | of its floor | of the best floor |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    optimum, int8 = lines[start + 4 : start + 6]
    assert optimum == ("| optimum | 0.5 (0.5–0.5) | 1.25 | 4,000 | 4,000 |  | 6% (3%–12%) | 3% (3%–4%) |")
    assert int8.startswith("| int8 | 1.41 (0.667–2) | ")
    assert lines[start + 6 : start + 8] == ["", "## The machine's floor"]
    assert "| int8 | 2 | 3 (1–400) | 400 | 1,053 |" in lines
    assert "| int8 | 2 | 35.0 MB | 1,234 ms | 2.0 s | 1,235 MB | 0.0e+00 |" in lines
    assert "round trip" not in "".join(lines)


def test_a_peer_has_no_share_of_the_floor_and_no_error():
    own, peer = measurements(rounds([], [], [], []), CONTENDERS, BEST)
    peer = {name: value for name, value in peer.items() if not name.startswith("share")}
    process = {"contender": "int8", "threads": 2, "size_bytes": 1e6, "load_seconds": 1.0}
    process |= {"start_seconds": 2.0, "peak_memory_bytes": 1e8, "max_probability_error": None}
    place = {"threads": 2, "batch": 32}
    lines = report([], [], [], [], measurements=[place | own, place | peer], processes=[process])
    (row,) = (line for line in lines if line.startswith("| int8 | 1.41 "))
    assert row.endswith("|  |  |")
    assert "| int8 | 2 | 1.0 MB | 1,000 ms | 2.0 s | 100 MB |  |" in lines


def test_the_report_has_a_table_where_rounds_differ():
    lines = report(NEAR, NEAR, [*NEAR, *FAR], FAR)
    (place,) = (index for index, line in enumerate(lines) if "round trip" in line)
    assert "took 430 (200–600) ns" in lines[place]
    assert "all through 2 of 4 rounds they did, all through 1 they did not" in lines[place]
    columns = ["contender"]
    for kind in ("shared cache", "no shared cache"):
        columns += [f"texts/s, {kind}", "× optimum", "of its floor"]
    assert lines[place - 1] == lines[place + 1] == ""
    assert lines[place + 2] == f"| {' | '.join(columns)} |"
    assert lines[place + 3] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert lines[place + 4].startswith("| optimum | 0.5 |  | ")
    assert lines[place + 5].startswith("| int8 | 2 | 4 (4–4) | ")
    assert "| 0.667 | 1.33 (1.33–1.33) | " in lines[place + 5]
    assert lines[place + 6 : place + 8] == ["", "## The machine's floor"]


@pytest.mark.parametrize(
    ("trips", "said"),
    [
        ([NEAR] * 4, "all through 4 of 4 rounds they did, all through 0 they did not"),
        ([NEAR + FAR] * 4, "all through 0 of 4 rounds they did, all through 0 they did not"),
    ],
)
def test_there_is_no_such_table_where_they_do_not(trips, said):
    lines = report(*trips)
    (place,) = (index for index, line in enumerate(lines) if "round trip" in line)
    assert said in lines[place]
    assert lines[place + 1 : place + 3] == ["", "## The machine's floor"]


def test_who_quantized_and_who_else_was_at_work_is_said():
    machine = {"cpu": "Apple M2", "logical_cpus": 8, "int8_instructions": [], "cpus_busy_elsewhere": None}
    quiet = report([], [], [], [], machine=machine)[2]
    assert quiet.startswith("Apple M2, 8 CPUs (no VNNI). made-up texts: 4 rounds of 2 texts")
    assert quiet.endswith(
        "tokenization is not. `optimum` was quantized by optimum-onnx itself (optimum 1, onnxruntime 2)."
    )
    other = {"way": "onnxruntime", "versions": {"onnxruntime": "2"}, "reason": "no such package"}
    noisy = report([], [], [], [], machine=machine | {"cpus_busy_elsewhere": 0.5}, optimum=other)[2]
    assert (
        "is not. Others kept 0.50 CPUs busy meanwhile: run it again on a quiet machine. `optimum` is" in noisy
    )
    assert noisy.endswith("(onnxruntime 2), because optimum itself could not be had: no such package.")
    assert "Others kept 0.05 CPUs busy meanwhile. `optimum`" in report([], [], [], [])[2]


def test_the_sweeps_are_tables_by_point():
    def row(at, cost):
        return {"at": at, "us_per_token": {"median": cost, "low": cost, "high": cost}}

    lines = report(
        [],
        [],
        [],
        [],
        by_length={"int8": [row(8, 120.4), row(16, 60.0)]},
        by_batch={"int8": [row(1, 30.0), row(2, 20.0)]},
        by_batch_max_over_min={"int8": 1.5, "fp32": 1.25},
        by_batch_max_over_min_by_cache={"no_shared_cache": {"int8": 1.75}},
    )
    start = lines.index("## Cost by length: µs a real token, batch 8 of equal lengths")
    assert lines[start - 1 :][:6] == [
        "",
        lines[start],
        "",
        "| tokens a text | 8 | 16 |",
        "| --- | ---: | ---: |",
        "| int8 | 120 | 60 |",
    ]
    assert lines[start + 5 : start + 7] == [
        "",
        "## Cost by batch size: µs a real token, mixed lengths of 4 to 128 tokens",
    ]
    assert lines[-2] == ""
    assert lines[-1].startswith(
        "Highest over lowest cost of these batch sizes: `int8` 1.50, `fp32` 1.25. A round's"
    )
    assert lines[-1].endswith(" Without a shared cache at all of a contender's sizes: `int8` 1.75.")


def test_the_tokenizers_have_a_row_for_each_batch_size():
    times = {1: {"graph": Spread(160.0, 142.0, 425.0), "tokenizers": Spread(36.0, 33.0, 74.0)}}
    assert tokenizers(times).splitlines() == [
        "| µs a text | graph | tokenizers |",
        "| --- | ---: | ---: |",
        "| batch 1 | 160 (142–425) | 36 (33–74) |",
    ]
