"""A short run of the fuzzer, and what long ones found, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fuzz import readers, seeds, worker
from tests.support.commands import run

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path for path in CORPUS.glob("*/*") if path.is_dir())


@pytest.mark.parametrize("reader", readers.READERS)
def test_a_short_run_finds_nothing(reader):
    found = run("tests.fuzz", reader, "--count", 150, "--seed", 1)
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{reader}: inputs 1/0 to 1/149: " in found.stdout
    assert " 0 failures" in found.stdout


@pytest.mark.parametrize("reader", readers.READERS)
def test_an_input_is_named_for_ever(reader, tmp_path):
    seeds.write(reader, tmp_path / "seeds")
    made = [readers.case(tmp_path / "seeds", f"{reader}/5/{number}") for number in range(60)]
    # In any order: no input may leave a trace in another.
    for number in reversed(range(60)):
        assert readers.case(tmp_path / "seeds", f"{reader}/5/{number}") == made[number]
    originals = [readers.files_of(folder) for folder in readers.seeds_in(tmp_path / "seeds")]
    assert sum(files not in originals for _, files in made) >= 50


def test_what_must_not_come_out_is_a_failure(tmp_path, monkeypatch):
    for error, said in (
        (ValueError("x"), "FAILED: ValueError: x at "),
        (MemoryError(), "FAILED: MemoryError"),
    ):

        def raises(folder, error=error):
            raise error

        monkeypatch.setitem(readers.READERS, "head", raises)
        assert worker.attempt("head", tmp_path).startswith(said)
    monkeypatch.setitem(readers.READERS, "head", lambda folder: None)
    assert worker.attempt("head", tmp_path) == "ok"


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 2**19


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_what_was_found_stays_found(case, tmp_path):
    """Each case is a folder of the files that differ from a seed, whose name is in `seed.json`."""
    reader, stated = case.parent.name, json.loads((case / "seed.json").read_text("utf-8"))
    seeds.write(reader, tmp_path / "seeds")
    files = readers.files_of(tmp_path / "seeds" / stated["seed"])
    files |= {name: content for name, content in readers.files_of(case).items() if name != "seed.json"}
    folder = readers.write(stated["seed"], files, tmp_path / "case")
    assert worker.attempt(reader, folder).startswith(stated["outcome"])
