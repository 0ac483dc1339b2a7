"""What fuzzing kept stays as it was found, and the fuzzers can fail. The fuzzing itself is `make fuzz`."""

from __future__ import annotations

import json
from collections import defaultdict
from random import Random

import pytest

from tests.fuzz import attempt, mutators, readers, same_onnx, same_rows, same_values
from tests.fuzz.same import DifferenceError
from tests.support import commands

KEPT = sorted(path for path in readers.CORPUS.glob("*/*"))
READERS = sorted(readers.READERS)


@pytest.fixture(scope="module")
def outcomes():
    """What came of each kept input, by reader and name; in a process of its own, which may die."""
    ended = commands.run("tests.fuzz.attempt")
    found = defaultdict(dict)
    for reader, name, said in map(json.loads, ended.stdout.splitlines()):
        found[reader][name] = said
    assert ended.returncode == 0, f"{ended.stderr[-2000:]} after {ended.stdout.splitlines()[-1:]}"
    return found


@pytest.mark.parametrize("reader", READERS)
def test_no_kept_input_fails(outcomes, reader):
    failed = {name: said for name, said in outcomes[reader].items() if said.startswith("FAILED")}
    assert not failed
    assert len(outcomes[reader]) == len(list(readers.corpus_of(reader).iterdir()))
    # Of each kind: else what the reader does was not looked at.
    assert {said.split(":")[0] for said in outcomes[reader].values()} == {"read", "refused"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("artifact/a-file-outside", "'../../../etc/hostname', expected "),
        ("head/a-message-of-lines", "attribute 'class_ids': found ints"),
        ("head/a-name-that-colours-terminals", r"\\x1b[31m\\nred"),
        ("head/an-output-too-many", "output size 2"),
        ("onnx/an-output-of-no-type", "value 'label': states no whole type"),
        ("npz/bytes-ahead", "not a plain zip"),
    ],
)
def test_what_was_found_is_refused_for_its_reason(outcomes, name, words):
    reader, _, file = name.partition("/")
    assert words in outcomes[reader][file].replace("\\", "\\\\")


@pytest.mark.parametrize("file", ["a-mark-inside", "empty-lines-first"])
def test_what_was_read_otherwise_is_read(outcomes, file):
    assert outcomes["csv"][file] == "read"


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in KEPT) < 2**20


@pytest.mark.parametrize("reader", READERS)
def test_inputs_are_changed_by_their_seed_alone(reader):
    path = min(readers.corpus_of(reader).glob("seed-*"), key=lambda path: path.stat().st_size)
    content = path.read_bytes()
    made = [mutators.mutated(reader, content, Random(seed)) for seed in range(60)]
    # In any order: no input may leave a trace in another.
    for seed in reversed(range(60)):
        assert mutators.mutated(reader, content, Random(seed)) == made[seed]
    assert sum(each != content for each in made) > 40

    def in_bytes(content: bytes, random: Random) -> bytes:
        return b""

    structured = [mutators.mutated(reader, content, Random(seed), in_bytes) for seed in range(60)]
    assert sum(len(each) > 2 for each in structured) > 15


def test_what_must_not_come_out_is_a_failure(tmp_path, monkeypatch):
    def outcome(error):
        def raises(content, folder):
            raise error

        monkeypatch.setitem(readers.READERS, "json", readers.Reader(raises, ()))
        return attempt.attempt("json", b"", tmp_path)

    assert outcome(ValueError("x")).startswith("FAILED: ValueError: 'x' at test_fuzz.py:")
    assert outcome(MemoryError()).startswith("FAILED: MemoryError")
    assert outcome(DifferenceError("x")).startswith("FAILED: DifferenceError")
    assert outcome(attempt.ToolchainError("x\ny")) == "refused: ToolchainError: x y"
    assert outcome(attempt.ToolchainError("")).startswith("FAILED: a message of 0 characters")
    monkeypatch.setattr(attempt.ToolchainError, "__str__", lambda error: "two\nlines")
    assert outcome(attempt.ToolchainError("x")).startswith("FAILED: a message of 9 characters")


def test_two_readings_that_differ_are_found(tmp_path, monkeypatch):
    from core.errors import ArtifactError
    from core.untrusted import onnx_file
    from core.untrusted.wire import operators
    from score.input import csv_records, json_lines

    folder = readers.CORPUS / "onnx"
    content, other = ((folder / name).read_bytes() for name in ("seed-linear", "seed-hand"))
    model = onnx_file.check_bytes(content, "x", operators.GRAPH, ArtifactError)
    same_onnx.check(content, model)
    with pytest.raises(DifferenceError, match="protobuf's"):
        same_onnx.check(other, model)
    with pytest.raises(DifferenceError, match="json's"):
        same_values.check_json(b"[1]", [2])
    rows = tmp_path / "rows.csv"
    rows.write_bytes(b'text,n\n"a\nb",1\n')
    same_rows.check_csv(rows)
    monkeypatch.setattr(csv_records.Syntax, "whole", lambda _, content: content.rfind(b"\n") + 1)
    with pytest.raises(DifferenceError, match="blocks of 7"):
        same_rows.check_csv(rows)
    lines = tmp_path / "rows.jsonl"
    lines.write_bytes(b'{"text": "a"}\n{"text": "b"}\n')
    same_rows.check_json_lines(lines)
    monkeypatch.setattr(json_lines, "whole_lines", lambda content: len(content) // 2)
    with pytest.raises(DifferenceError, match="blocks of 7"):
        same_rows.check_json_lines(lines)


def test_an_input_is_run_again_and_what_is_not_there_is_said():
    kept = readers.CORPUS / "npz" / "bytes-ahead"
    ended = commands.run("tests.fuzz", "npz", "--input", kept)
    assert (ended.returncode, "refused: ArtifactError: " in ended.stdout) == (0, True)
    for arguments, said in (
        (["npz", "--input", "missing"], "missing: no such file"),
        (["--input", kept], "name one reader"),
        (["evil"], "evil: no such reader; there are onnx, "),
    ):
        ended = commands.run("tests.fuzz", *arguments)
        assert (ended.returncode, said in ended.stderr) == (2, True)
