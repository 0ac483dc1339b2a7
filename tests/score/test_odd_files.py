"""Files as people have them: unfinished copies, other encodings, odd names, pipes; an exit code each time."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from score.input import blocks
from tests.score.test_errors import refused
from tests.support import commands, scored
from tests.support.places import ROOT


def large(path, rows):
    """A CSV that is still being read when its fifth row is in error."""
    lines = ["id,text"] + [f"{i},a plain comment number {i}" for i in range(rows)]
    lines[5] = "4,a comment, with a comma that nobody quoted"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def ends(tiny, tmp_path, runs):
    given = large(tmp_path / "in.csv", 400_000)
    for _ in range(runs):
        ended = commands.run("score", tiny, given, tmp_path / "out.csv", timeout=60)
        assert ended.returncode == 2
        assert ended.stderr.strip().splitlines() == [
            f"error: {given}, line 6: found 3 fields, b'4,a comment, with a comma that nobody quoted', "
            "expected 2: id, text"
        ]


def test_a_row_in_error_ends_the_command(tiny, tmp_path):
    ends(tiny, tmp_path, 3)


@pytest.mark.slow
def test_a_row_in_error_ends_the_command_each_time(tiny, tmp_path):
    ends(tiny, tmp_path, 30)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (
            b"text\nI love this\n\nI hate this\n\n\nfine\n",
            ["I love this", None, "I hate this", None, None, "fine"],
        ),
        (b"id,text", []),
        (b"\xef\xbb\xbftext,id\r\na,1\r\n\r\nb,2", ["a", "b"]),
        (b"text,id\ra,1\rb,2\r", ["a", "b"]),
        (b'\n\n"te""xt",text\n1,"a, ""b""\r\n"\n', ['a, "b"\r\n']),
    ],
)
def test_csv_of_every_spelling(score, tmp_path, content, texts):
    (tmp_path / "in.csv").write_bytes(content)
    assert score(tmp_path / "in.csv", tmp_path / "out.parquet")[0] == 0
    found = scored.rows(tmp_path / "out.parquet")
    assert [row["text"] for row in found] == texts
    assert [row["labels"] for row in found] == [scored.labels(text) for text in texts]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("in.csv", "id,text\n1,a\n".encode("utf-16"), ["found UTF-16", "expected UTF-8", "iconv"]),
        ("in.jsonl", '{"text": "a"}'.encode("utf-16"), ["found UTF-16", "expected UTF-8"]),
        ("in.csv", b'id,text\n1,a\n2,"b\n3,c\n', ["line 3", '"b', "expected a quote at the end"]),
        ("in.csv", b",,text\n1,2,a\n", ["columns 1, 2 of 3", "no name found"]),
        ("in.csv", b"a,a,text\n1,2,a\n", ["duplicate columns: 'a'"]),
        ("in.csv", b"n\xe9,text\n1,a\n", ["names of columns", "not UTF-8"]),
        ("in.json", b'[\n  {\n    "text": "a"\n  }\n]\n', ["line 1", "a JSON array", "jq -c '.[]'"]),
        ("in.json", b'[{"text": "a"}, {"text": "b"}]', ["line 1", "one object a line", "jq -c '.[]'"]),
        ("in.json", b'{\n  "text": "a"\n}\n', ["line 1", "expected one object a line"]),
        ("in.jsonl", b'{"text": "a", "n": ' + b"[" * 900 + b"]" * 900 + b"}\n", ["nested too deeply"]),
        ("in.jsonl", b'{"text": "a", "n": ' + b"[" * 9999 + b"]" * 9999 + b"}\n", ["line 1", "recursion"]),
        ("in.jsonl", b'{"text": "a", "text": "b"}\n', ["line 1, column 'text'", "found twice"]),
    ],
)
def test_one_line_says_what_a_file_is_not(score, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    refused(lambda: score(tmp_path / name, tmp_path / "out.csv"), tmp_path, name, *words)


def test_a_row_that_is_too_long_is_told_with_the_limit(score, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    (tmp_path / "in.csv").write_text('id,text\n1,a\n2,"' + "word " * 2000 + '"\n3,a\n')
    assert score(tmp_path / "in.csv", tmp_path / "out.csv")[0] == 0
    (tmp_path / "out.csv").unlink()
    monkeypatch.setattr(blocks, "RECORD_BYTES", 5000)
    refused(
        lambda: score(tmp_path / "in.csv", tmp_path / "out.csv"),
        tmp_path,
        *("in.csv, line 3", "at most 5,000", "is a quote left open?"),
    )


def test_nan_as_python_writes_it_is_kept(score, tmp_path):
    rows = [{"text": "a", "score": float("nan")}, {"text": "b", "score": 0.5}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for into in ("jsonl", "parquet", "csv"):
        assert score(tmp_path / "in.jsonl", tmp_path / f"out.{into}")[0] == 0
        found = scored.rows(tmp_path / f"out.{into}")
        assert [str(float(row["score"])) for row in found] == ["nan", "0.5"]
    code, printed = score(tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--resume")
    assert code == 0, printed.err


def test_a_column_named_as_ours_has_a_way_out(score, tmp_path):
    pq.write_table(pa.table({"text": ["a the b"], "labels": [[18]], "id": ["a1"]}), tmp_path / "in.parquet")
    refused(
        lambda: score(tmp_path / "in.parquet", tmp_path / "out.parquet"),
        tmp_path,
        "columns labels",
        "--prefix",
    )
    line = (tmp_path / "in.parquet", tmp_path / "out.parquet", "--prefix", "our_", "--probabilities")
    code, printed = score(*line)
    assert code == 0, printed.err
    assert "0 null and 0 truncated" in printed.out
    (row,) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert list(row)[:5] == ["text", "labels", "id", "our_labels", "our_truncated"]
    assert (row["labels"], row["our_labels"]) == ([18], scored.labels("a the b"))
    assert row["our_joy"] == pytest.approx(scored.probabilities("a the b", 0.25)[1], abs=1e-6)
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "b", "truncated": 1}\n')
    refused(
        lambda: score(tmp_path / "in.jsonl", tmp_path / "out.jsonl"),
        tmp_path,
        "columns truncated",
        "--prefix",
    )


def test_hidden_and_unfinished_copies_are_no_input(score, tmp_path):
    folder = tmp_path / "in"
    for name in (
        *(
            ".part-0.csv.crc",
            "._x.csv",
            "x.csv.tmp",
            "_SUCCESS",
            "~$x.csv",
            "x.csv.crdownload",
            "x.csv.partial",
        ),
        *("_temporary/0/x.csv", ".ipynb_checkpoints/x.csv", "out.csv.parts/part-000000.csv", "notes.md"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text\nno input\n")
    refused(lambda: score(folder, tmp_path / "out.csv"), tmp_path, "11 hidden, unfinished or of other kinds")
    for name in ("x.csv", "lang=en/_x=1/y.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text\na\n")
    # Beside a corpus of another kind it is no text of it.
    (folder / "README.txt").write_text("what is in here\n")
    for given in (folder, folder / "**" / "*.csv"):
        code, printed = score(given, tmp_path / "out.csv")
        assert code == 0, printed.err
        assert {row["text"] for row in scored.rows(tmp_path / "out.csv")} >= {"a"}
        assert "files beside the input are none by their names" in printed.out
    code, printed = score(folder, tmp_path / "out.csv")
    assert [row["text"] for row in scored.rows(tmp_path / "out.csv")] == ["a", "a"]
    assert "12 files beside the input" in printed.out
    # A file that is named is taken.
    assert score(folder / "._x.csv", tmp_path / "out.csv")[0] == 0
    assert scored.rows(tmp_path / "out.csv")[0]["text"] == "no input"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_names_that_are_not_utf8(score, tmp_path, ending):
    name = os.fsdecode(b"caf\xe9 'x' [1];$#:~." + ending.encode())
    folder = tmp_path / os.fsdecode(b"\xe9: #;")
    folder.mkdir()
    pq.write_table(pa.table({"text": ["a the b"]}), tmp_path / "in.parquet")
    if ending == "parquet":
        (folder / name).write_bytes((tmp_path / "in.parquet").read_bytes())
    else:
        (folder / name).write_text({"csv": "text\na the b\n", "jsonl": '{"text": "a the b"}\n'}[ending])
    output = tmp_path / os.fsdecode(b"\xe9." + ending.encode())
    for given in (folder / name, folder):
        code, printed = score(given, output, "--resume")
        assert code == 0, printed.err
        # Arrow itself finds no file of such a name.
        found = scored.rows(output.rename(tmp_path / f"found.{ending}"))
        assert found[0]["labels"] == scored.labels("a the b")


def test_pipes_are_named_and_standard_input_is_the_way(score, tmp_path):
    os.mkfifo(tmp_path / "in.csv")
    refused(lambda: score(tmp_path / "in.csv", tmp_path / "out.csv"), tmp_path, "a pipe or a device", "or -")
    (tmp_path / "out").mkdir()
    (tmp_path / "x.csv").write_text("text\na\n")
    (tmp_path / "out.csv").mkdir()
    refused(lambda: score(tmp_path / "x.csv", tmp_path / "out.csv"), tmp_path, "is a folder")


def test_many_columns_are_read_in_a_time_that_grows_with_them(score, tmp_path):
    """What is done for each column and batch is counted: it was the square of the columns."""
    columns, calls = 400, []
    one = pa.array([1] * 600, pa.int8())
    table = pa.table({"text": ["a"] * 600, **{f"c{i}": one for i in range(columns)}})
    pq.write_table(table, tmp_path / "in.parquet")

    def count(frame, event, argument):
        calls.append(event)

    sys.setprofile(count)
    try:
        assert score(tmp_path / "in.parquet", tmp_path / "out.parquet", "--threads", "1")[0] == 0
    finally:
        sys.setprofile(None)
    assert len(calls) < 200 * columns
    assert pq.read_table(tmp_path / "out.parquet").select(table.column_names).equals(table)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")  # noqa: PTH110
def test_a_disk_that_is_full_is_one_line(tiny, tmp_path):
    (tmp_path / "in.csv").write_text("text\na\n")
    line = [sys.executable, "-m", "score", tiny, tmp_path / "in.csv", tmp_path / "out.csv"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = subprocess.run(
            line, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert ended.returncode == 2
    assert [text for text in ended.stderr.splitlines() if "━" not in text] == [
        "error: standard output: cannot be written: No space left on device"
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")  # noqa: PTH110
def test_a_standard_error_that_is_full_costs_no_work(tiny, tmp_path):
    (tmp_path / "in.csv").write_text("text\na the b\n")
    line = [sys.executable, "-m", "score", tiny, tmp_path / "in.csv", tmp_path / "out.csv"]
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        assert subprocess.run(line, cwd=ROOT, stderr=full, check=False).returncode == 0
    assert scored.rows(tmp_path / "out.csv")[0]["labels"] == scored.labels("a the b")


def test_standard_input_that_is_closed_is_one_line(score, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    refused(lambda: score("-", tmp_path / "out.csv"), tmp_path, "standard input is closed")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert score("-", tmp_path / "out.csv")[0] == 0
    assert scored.rows(tmp_path / "out.csv") == []
