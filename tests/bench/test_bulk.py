"""The benchmark's numbers are of what they say; how large they are is no test's business."""

from __future__ import annotations

import json
import sys

import pyarrow.parquet as pq
import pytest

from bench import __main__ as command_line
from bench.bulk import measurements, process
from core.data.data_set import DataSet, Split
from core.timing import median
from score.options import Options
from tests.support import artifacts
from tests.support.places import DEFAULT

TEXTS = [f"the a b {n}" + " z" * (n % 23) for n in range(3_000)]


@pytest.fixture(autouse=True)
def made_up_texts(monkeypatch):
    split = Split(TEXTS, [frozenset()] * len(TEXTS))
    monkeypatch.setattr(DataSet, "read", lambda self, name: split)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """An artifact of a few kilobytes, with a limit of tokens."""
    return artifacts.artifact(tmp_path_factory.mktemp("tiny"), {"fp32": 0.0, "int8": 0.25})


@pytest.fixture
def bench(tiny, in_process):
    """Run `python -m bench bulk MEASUREMENT TINY …`; return what it measured, or its error."""

    def run(measurement, *arguments):
        code, printed = in_process(command_line.main, "bulk", measurement, tiny, *arguments)
        return json.loads(printed.out) if code == 0 else printed.err

    return run


def test_every_budget_with_both_ways_to_use_the_cores(bench, monkeypatch):
    monkeypatch.setattr(Options, "callers", 2)
    found = bench("sweep", "--rows", 50, "--rounds", 1)
    assert {(row["tokens"], row["callers"], row["threads"]) for row in found} == {
        (budget, *layout) for budget in measurements.BUDGETS for layout in ((1, 2), (2, 1))
    }
    assert all(row["texts_per_second"] > 0 for row in found)


def test_rate_and_alone(bench):
    found = bench("rate", "--rows", 60, "--rounds", 3)
    assert len(found["rounds"]["score"]) == 3
    assert found["ratio"] > 0
    found = bench("alone", "--rows", 60)
    assert found["texts"] == 60
    assert found["texts_decided_otherwise"] == 0
    assert found["max_probability_difference"] <= 1e-6


def test_reading_and_writing_alone(bench):
    found = bench("edges", "--rows", 500)
    assert found["read"] > 0
    assert found["write"] > 0
    assert found["bytes_a_row"] < bench("edges", "--rows", 500, "--probabilities")["bytes_a_row"]


def test_kills_are_counted_and_the_bytes_compared(bench, monkeypatch):
    found = bench("kills", "--rows", 20_000, "--kills", 2)
    assert found["kills"] == len(found["lost_seconds"]) == 2
    assert max(found["lost_seconds"]) < 10
    assert found["same_bytes"] == found["finished"] >= 1
    # A run that answers otherwise is found out.
    join = process.hashlib.sha256
    answers = iter(range(100))
    monkeypatch.setattr(process.hashlib, "sha256", lambda data: join(data + bytes([next(answers)])))
    assert bench("kills", "--rows", 100, "--kills", 0)["same_bytes"] == 0


def test_memory_is_of_the_process(bench, monkeypatch):
    monkeypatch.setattr(process, "_WARM_SECONDS", 0.0)
    monkeypatch.setattr(process, "_SAMPLE_SECONDS", 0.02)
    found = bench("memory", "--rows", 20_000, "--seconds", 60)
    assert len(found["mb_by_tenth"]) == 10
    assert found["largest_mb"] >= max(found["mb_by_tenth"]) > 20
    monkeypatch.setattr(process, "_WARM_SECONDS", 60.0)
    assert "0 samples after the first minute" in bench("memory", "--rows", 20, "--seconds", 60)


def test_another_command_in_turns(bench, tmp_path):
    told = 'import sys; print("hello"); print(\'{"texts": 10, "seconds": 2}\')'
    (tmp_path / "other.py").write_text(told)
    found = bench("against", "--rows", 20, f"{sys.executable} {tmp_path / 'other.py'}")
    assert found["texts_per_second"]["other"] == [5.0, 5.0]
    ratios = [rate / 5 for rate in found["texts_per_second"]["score"]]
    assert found["ratio"] == pytest.approx(median(ratios))
    assert "is not texts and seconds" in bench("against", "--rows", 2, f"{sys.executable} -c pass")
    assert "ended with 1" in bench("against", "--rows", 2, f"{sys.executable} -c 'raise SystemExit(1)'")


def test_texts_are_drawn_again_beyond_the_split(tmp_path):
    few = measurements.read_texts(DEFAULT, "dev", 10, tmp_path)
    assert few == TEXTS[:10]
    many = measurements.read_texts(DEFAULT, "dev", 20_000, tmp_path)
    assert len(many) == 20_000
    assert 2_000 < len(set(many)) <= 3_000
    assert pq.read_table(measurements.write_texts(tmp_path / "t.parquet", few)).num_rows == 10


def test_once_is_one_line_for_another_to_read(bench, tmp_path):
    file = measurements.write_texts(tmp_path / "in.parquet", TEXTS[:50])
    summary = bench("once", file)
    assert summary["texts"] == 50
    assert summary["seconds"] > 0
