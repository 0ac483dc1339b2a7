"""Delimiters, tabs, gzip, lines of text, and standard output."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zlib

import pytest

from score.input import corpus as corpus_files
from tests.support import commands, scored
from tests.support.places import ROOT

TEXTS = ["the a b", "", 'say "the" a; b', "b\tb, a", "the a b", "two\nlines"]


def packed(content):
    """What gzip makes of some bytes."""
    made = zlib.compressobj(wbits=31)
    return made.compress(content) + made.flush()


def written(path, delimiter, texts=TEXTS):
    rows = io.StringIO(newline="")
    plain = csv.writer(rows, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    plain.writerows([("n", "text"), *enumerate(texts)])
    path.write_text(rows.getvalue(), "utf-8", newline="")
    return path


def read(content, delimiter):
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))


def expected(texts=TEXTS):
    return [(text, scored.labels(text)) for text in texts]


def answered(rows):
    return [(row["text"], json.loads(row["labels"])) for row in rows]


@pytest.mark.parametrize(
    ("name", "options", "between"),
    [
        ("in.csv", ["--delimiter", ";"], ";"),
        ("in.csv", ["--delimiter", "|"], "|"),
        ("in.csv", ["--delimiter", "^"], "^"),
        ("in.csv", ["--delimiter", "\\t"], "\t"),
        ("in.tsv", [], "\t"),
        ("in.tsv", ["--delimiter", ";"], "\t"),
    ],
)
def test_what_is_between_two_fields(score, tmp_path, name, options, between):
    given = written(tmp_path / name, between)
    for target in (tmp_path / "out.csv", tmp_path / "out.tsv"):
        code, printed = score(given, target, *options)
        assert code == 0, printed.err
        told = {"\\t": "\t"}.get(options[1], options[1]) if options else ","
        rows = read(target.read_bytes(), "\t" if target.suffix == ".tsv" else told)
        assert answered(rows) == expected()
        assert [row["n"] for row in rows] == [str(n) for n in range(len(TEXTS))]
        target.unlink()


@pytest.mark.parametrize("given", ["", ",,", "é", "a", "7", '"', "'", "\n", "\0", "-", "."])
def test_what_cannot_be_between_two_fields(score, tmp_path, given):
    code, printed = score(written(tmp_path / "in.csv", ","), tmp_path / "out.csv", f"--delimiter={given}")
    assert code == 2
    assert "--delimiter" in printed.err
    assert "expected one of ASCII's" in printed.err


def test_a_row_in_error_is_named_by_its_own_delimiter(score, tmp_path):
    given = tmp_path / "in.tsv"
    given.write_text("n\ttext\n1\ta, b\n2\tb\tc\n")
    code, printed = score(given, tmp_path / "out.csv")
    assert code == 2
    assert "in.tsv, line 3: found 3 fields" in printed.err


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "txt"])
def test_compressed_files_are_read_as_plain_ones(score, tmp_path, ending):
    if ending == "jsonl":
        (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    elif ending == "txt":
        (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS[:-1]))
    else:
        written(tmp_path / f"in.{ending}", "," if ending == "csv" else "\t")
    plain = (tmp_path / f"in.{ending}").read_bytes()
    # Two members, as `cat a.gz b.gz` makes.
    (tmp_path / f"in.{ending}.gz").write_bytes(packed(plain[:20]) + packed(plain[20:]))
    for name in (f"in.{ending}", f"in.{ending}.gz"):
        assert score(tmp_path / name, tmp_path / f"{name}.csv")[0] == 0
    found = (tmp_path / f"in.{ending}.gz.csv").read_bytes()
    assert found == (tmp_path / f"in.{ending}.csv").read_bytes()
    assert len(read(found, ",")) == len(TEXTS) - (ending == "txt")


def test_what_is_written_compressed_is_the_plain_file(score, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_files, "WINDOW_ROWS", 2)
    given = written(tmp_path / "in.csv", ",")
    for ending in ("csv", "tsv", "jsonl"):
        assert score(given, tmp_path / f"out.{ending}")[0] == 0
        made = []
        for seconds in ("0", "30"):
            assert score(given, tmp_path / f"out.{ending}.gz", "--checkpoint-seconds", seconds)[0] == 0
            made.append((tmp_path / f"out.{ending}.gz").read_bytes())
        # However it was cut, and whenever it was made.
        assert made[0] == made[1]
        assert zlib.decompress(made[0], wbits=31) == (tmp_path / f"out.{ending}").read_bytes()


def test_compressed_files_that_are_none(score, tmp_path):
    whole = packed(written(tmp_path / "in.csv", ",", ["the a"] * 999).read_bytes())
    for name, content in (("cut.csv.gz", whole[: len(whole) // 2]), ("plain.csv.gz", b"text\na\n")):
        (tmp_path / name).write_bytes(content)
        code, printed = score(tmp_path / name, tmp_path / "out.csv")
        assert code == 2
        assert printed.err.startswith(f"error: {tmp_path / name}: cannot be read as csv: ")
    for name in ("in.parquet.gz", "in.gz", "in.csv.bz2"):
        (tmp_path / name).write_bytes(whole)
        code, printed = score(tmp_path / name, tmp_path / "out.csv")
        assert (code, "ending found " in printed.err) == (2, True)
    code, printed = score(tmp_path / "in.csv", tmp_path / "out.parquet.gz")
    assert (code, "ending found '.parquet.gz'" in printed.err) == (2, True)


def test_lines_of_text(score, tmp_path):
    given = tmp_path / "in.txt"
    given.write_bytes(b"\xef\xbb\xbfthe a\r\n\nb \xff the\nlone\rreturn\n\xe9\nlast")
    texts = ["the a", "", "b \ufffd the", "lone\rreturn", "\ufffd", "last"]
    code, printed = score(given, tmp_path / "out.jsonl", "--text-column", "said")
    assert code == 0, printed.err
    assert "; 2 texts held bytes that are not UTF-8, read as U+FFFD" in printed.out
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [(row["said"], row["labels"]) for row in rows] == expected(texts)
    code, printed = score(given, tmp_path / "out.txt")
    assert (code, "found .txt, expected .parquet" in printed.err) == (2, True)


def test_standard_input_counts_texts_with_replaced_bytes_too(score, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa\xff\nthe \xe9\xe9 b\nb\n")))
    code, printed = score("-", tmp_path / "out.csv")
    assert code == 0, printed.err
    assert "; 2 texts held bytes" in printed.out
    assert [row["text"] for row in scored.rows(tmp_path / "out.csv")] == [
        "a\ufffd",
        "the \ufffd\ufffd b",
        "b",
    ]


@pytest.mark.parametrize("to", [None, "csv", "tsv"])
def test_standard_output_has_the_rows_and_nothing_else(tiny, tmp_path, to):
    lines = "".join(f"{text}\n" for text in TEXTS[:-1])
    options = [] if to is None else ["--to", to]
    ended = commands.run("score", tiny, "-", "-", *options, input=lines)
    assert ended.returncode == 0, ended.stderr
    if to is None:
        rows = [json.loads(line) for line in ended.stdout.splitlines()]
        assert [(row["text"], row["labels"]) for row in rows] == expected(TEXTS[:-1])
    else:
        assert answered(read(ended.stdout.encode(), {"csv": ",", "tsv": "\t"}[to])) == expected(TEXTS[:-1])
    assert "-: 5 rows; 5 in this run" in ended.stderr


def test_standard_output_of_which_nobody_reads_the_rest(tiny, tmp_path):
    (tmp_path / "in.txt").write_text("the a b\n" * 200_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "score", tiny, tmp_path / "in.txt", "-"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(process.stdout.readline())["text"] == "the a b"
    process.stdout.close()
    assert "error" not in process.stderr.read()
    assert process.wait() == 2


def test_what_goes_with_standard_output_alone(score, tmp_path):
    given = written(tmp_path / "in.csv", ",")
    code, printed = score(given, tmp_path / "out.csv", "--to", "tsv")
    assert (code, "--to tsv" in printed.err) == (2, True)
    code, printed = score(given, "-", "--resume")
    assert (code, "--resume" in printed.err) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]
