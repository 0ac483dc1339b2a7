"""One command, every kind of file, every kind of row."""

from __future__ import annotations

import csv
import io
import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.cpu import usable_cpus
from tests.support import scored

TEXTS = [
    "a the b",
    'zz, "z"',
    "two\nlines",
    "",
    "  ",
    "z z z z z z",
    "a the b",
    "007",
    "2020-01-01",
    "ünï 🤣",
]
KINDS = ("parquet", "csv", "jsonl")


def write(path, ids, texts):
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": ids, "text": texts}), path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"id": i, "text": t}) for i, t in zip(ids, texts, strict=True)]
        path.write_text("\n".join(lines), "utf-8")
    else:
        buffer = io.StringIO()
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
        writer.writerow(["id", "text"])
        writer.writerows(zip(ids, texts, strict=True))
        path.write_text(buffer.getvalue(), "utf-8", newline="")
    return path


@pytest.mark.parametrize("into", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_in_their_order_and_the_answers(score, tmp_path, kind, into):
    given = write(tmp_path / f"in.{kind}", list(range(len(TEXTS))), TEXTS)
    code, printed = score(given, tmp_path / f"out.{into}")
    assert code == 0, printed.err
    assert f"{len(TEXTS)} rows" in printed.out
    found = scored.rows(tmp_path / f"out.{into}")
    assert [row["text"] for row in found] == TEXTS
    assert [int(row["id"]) for row in found] == list(range(len(TEXTS)))
    assert [row["labels"] for row in found] == [scored.labels(text) for text in TEXTS]
    assert len({str(row["labels"]) for row in found}) > 1
    assert not any(row["truncated"] for row in found)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({given.name, f"out.{into}"})


@pytest.mark.parametrize("into", KINDS)
def test_probabilities_are_a_column_a_label(score, tmp_path, into):
    given = write(tmp_path / "in.parquet", [0, 1], ["a the b", None])
    assert score(given, tmp_path / f"out.{into}", "--probabilities", "--variant", "fp32")[0] == 0
    first, second = scored.rows(tmp_path / f"out.{into}")
    names = ["admiration", "joy", "<i>grief</i>|\x01"]
    assert list(first) == ["id", "text", "labels", "truncated", *names]
    assert [float(first[name]) for name in names] == pytest.approx(
        list(scored.probabilities("a the b", 0.0)), abs=1e-6
    )
    assert first["labels"] == scored.labels("a the b", 0.0)
    assert {second[name] for name in (*names, "labels", "truncated")} <= {None, ""}


def test_odd_rows_have_their_results_and_lose_no_other(score, tmp_path):
    long = "a the " * 50_000
    raw = [b"a the b", None, b"a \xff\xfe b", b"", long.encode(), b"z z z"]
    pq.write_table(pa.table({"text": pa.array(raw, pa.binary())}), tmp_path / "in.parquet")
    code, printed = score(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert code == 0
    assert "1 null and 1 truncated" in printed.out
    found = scored.rows(tmp_path / "out.parquet")
    assert [row["text"] for row in found] == raw
    texts = ["a the b", None, "a \ufffd\ufffd b", "", long, "z z z"]
    assert [row["labels"] for row in found] == [scored.labels(text) for text in texts]
    assert [row["truncated"] for row in found] == [False, None, False, False, True, False]
    for into in ("csv", "jsonl"):
        assert score(tmp_path / "in.parquet", tmp_path / f"out.{into}")[0] == 0
        again = scored.rows(tmp_path / f"out.{into}")
        assert [row["text"] or None for row in again] == [text or None for text in texts]
        assert [row["labels"] for row in again] == [row["labels"] for row in found]


def test_the_longest_text_that_fits_is_not_truncated(score, tmp_path):
    given = write(tmp_path / "in.jsonl", [0, 1], ["a " * 62, "a " * 63])
    assert score(given, tmp_path / "out.jsonl")[0] == 0
    assert [row["truncated"] for row in scored.rows(tmp_path / "out.jsonl")] == [False, True]


def test_strings_that_are_not_utf8_in_any_kind(score, tmp_path):
    offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, data])
    pq.write_table(pa.table({"text": broken}), tmp_path / "in.parquet")
    (tmp_path / "in.csv").write_bytes(b"text\na\xff\nb\n")
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "a\xff"}\n{"text": "b"}\n')
    for kind in KINDS:
        for into in KINDS:
            assert score(tmp_path / f"in.{kind}", tmp_path / f"out.{into}")[0] == 0
            found = scored.rows(tmp_path / f"out.{into}")
            assert [row["text"] for row in found] == ["a\ufffd", "b"]
            assert [row["labels"] for row in found] == [scored.labels("a\ufffd"), scored.labels("b")]


def test_half_a_surrogate_pair_in_json_is_a_row_like_others(score, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a \\ud83d"}\n\n{"text": "b", "more": [1.5, 2]}\n')
    assert score(tmp_path / "in.jsonl", tmp_path / "out.parquet")[0] == 0
    found = scored.rows(tmp_path / "out.parquet")
    assert [(row["text"], row["more"]) for row in found] == [("a \ufffd", None), ("b", [1.5, 2.0])]
    assert [row["labels"] for row in found] == [scored.labels("a \ufffd"), scored.labels("b")]


def test_an_empty_field_of_csv_is_null_and_quotes_are_the_empty_string(score, tmp_path):
    (tmp_path / "in.csv").write_text('n,text\n01,\n02,""\n')
    assert score(tmp_path / "in.csv", tmp_path / "out.csv")[0] == 0
    found = scored.rows(tmp_path / "out.csv")
    assert [(row["n"], row["labels"]) for row in found] == [("01", None), ("02", scored.labels(""))]
    assert score(tmp_path / "out.csv", tmp_path / "again.csv")[0] == 2


def test_standard_input_is_a_text_a_line(score, tmp_path, monkeypatch):
    stream = io.BytesIO(b"a the b\r\n\nz \xff\nlast")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    assert score("-", tmp_path / "out.jsonl")[0] == 0
    texts = ["a the b", "", "z \ufffd", "last"]
    found = scored.rows(tmp_path / "out.jsonl")
    assert [(row["text"], row["labels"]) for row in found] == [(t, scored.labels(t)) for t in texts]


def test_a_dictionary_of_texts_stays_one(score, tmp_path):
    # More rows than are read at once, so that there are several dictionaries.
    column = ["a", "z z z", None, "a"] * 400 + ["the"]
    encoded = pa.array(column).dictionary_encode()
    pq.write_table(pa.table({"text": encoded}), tmp_path / "in.parquet", row_group_size=700)
    for into in KINDS:
        assert score(tmp_path / "in.parquet", tmp_path / f"out.{into}")[0] == 0
        labels = [row["labels"] for row in scored.rows(tmp_path / f"out.{into}")]
        assert labels == [scored.labels(t) for t in ("a", "z z z", None, "a")] * 400 + [scored.labels("the")]
    assert pa.types.is_dictionary(pq.read_schema(tmp_path / "out.parquet").field("text").type)


def test_a_system_that_cannot_tell_which_cpus_a_process_may_use(score, tmp_path, monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    given = write(tmp_path / "in.csv", [0], ["a the b"])
    assert usable_cpus() == os.cpu_count()
    assert score(given, tmp_path / "out.csv")[0] == 0
    assert scored.rows(tmp_path / "out.csv")[0]["labels"] == scored.labels("a the b")


def test_no_rows_make_an_output_without_rows(score, tmp_path):
    for kind in KINDS:
        given = write(tmp_path / f"in.{kind}", pa.array([], pa.int64()), pa.array([], pa.string()))
        for into in KINDS:
            assert score(given, tmp_path / f"out.{into}")[0] == 0
            assert scored.rows(tmp_path / f"out.{into}") == []
