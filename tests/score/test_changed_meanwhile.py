"""Whatever changes between an interruption and --resume is one line, and nothing is joined."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import onnx
import pyarrow.csv as csv
import pytest
from onnx import numpy_helper

from core.errors import ScoreError
from score import __main__ as command
from score import job
from score.input import corpus as corpus_files
from score.options import Options
from score.output import progress
from score.output.progress import Segment
from score.output.segments import Segments
from tests.support import artifacts

PARTS, GRAPH = Path("out.csv.parts"), Path("artifact/onnx/model_quantized.onnx")
FIRST, SECOND, LIST = (PARTS / name for name in ("part-000000.csv", "part-000001.csv", "progress.json"))
TOKENIZER, MANIFEST = Path("artifact/tokenizer.json"), Path("artifact/manifest.json")
A, B = Path("in/a.csv"), Path("in/b.csv")
IS_ANOTHER = " is not the interrupted run's: found"


class Killed(BaseException):
    """Stands for `kill -9`."""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A folder with an artifact, an input, and what a killed run left; and a copy of it."""
    base = tmp_path_factory.mktemp("interrupted")
    folder = base / "work"
    artifacts.artifact(folder / "artifact", {"fp32": 0.0, "int8": 0.25})
    (folder / "in").mkdir()
    for name in ("a", "b"):
        rows = "".join(f"{n},{name} the {'z ' * (n % 5)}\n" for n in range(150))
        (folder / "in" / f"{name}.csv").write_text(f"n,text\n{rows}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_files, "WINDOW_ROWS", 40)
        calls, append = [], Segments.append

        def dies(self, table):
            calls.append(1)
            if len(calls) == 4:
                raise Killed
            append(self, table)

        patch.setattr(Segments, "append", dies)
        patch.setattr(Segments, "close", lambda self: self._lock.release())
        with pytest.raises(Killed):
            job.run(
                Options(folder / "artifact", str(folder / "in"), folder / "out.csv", checkpoint_seconds=0)
            )
    shutil.copytree(folder, base / "kept")
    return folder, base / "kept"


@pytest.fixture
def work(interrupted, monkeypatch):
    folder, kept = interrupted
    monkeypatch.setattr(corpus_files, "WINDOW_ROWS", 40)
    # The job's identity has these numbers.
    monkeypatch.setattr(job, "WINDOW_ROWS", 8192)
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)


def replaced(name, change):
    def spoil():
        name.write_bytes(change(name.read_bytes()))

    return spoil


def flipped(name, place):
    return replaced(name, lambda c: c[:place] + bytes([c[place] ^ 1]) + c[place + 1 :])


def in_place(name):
    """Change one byte, and keep size and time."""

    def spoil():
        before = name.stat()
        flipped(name, 20)()
        os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))

    return spoil


def swapped(one, other):
    def spoil():
        one.rename("kept")
        other.rename(one)
        Path("kept").rename(other)

    return spoil


def linked(name, target):
    def spoil():
        name.symlink_to(name.rename(target).resolve())

    return spoil


def listed(change):
    """Change the list of parts, as one who can compute its hash."""

    def spoil():
        content = json.loads(LIST.read_text())
        change(content["parts"])
        content["sha256"] = progress._digest(content["job"], content["parts"])
        LIST.write_text(json.dumps(content))

    return spoil


def another_bias():
    model = onnx.load(GRAPH)
    (bias,) = [tensor for tensor in model.graph.initializer if tensor.name == "bias"]
    bias.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(bias), "bias"))
    onnx.save(model, GRAPH)


def another_artifact(folder):
    another_bias()
    artifacts.listed(folder / "artifact")


def renumbered():
    content = json.loads(TOKENIZER.read_text("utf-8"))
    tokens = content["model"]["vocab"]
    tokens["a"], tokens["b"] = tokens["b"], tokens["a"]
    TOKENIZER.write_text(json.dumps(content), "utf-8")


def copied(source, target):
    return lambda: shutil.copyfile(source, target)


CHANGES = {
    "a part cut short": (replaced(SECOND, lambda c: c[:-9]), "part-000001.csv: a finished segment changed"),
    "a bit of a part": (flipped(FIRST, 99), "part-000000.csv: a finished segment changed: found"),
    "a part that grew": (replaced(FIRST, lambda c: c + c[:50]), "part-000000.csv: found"),
    "a part that is gone": (lambda: SECOND.unlink(), "part-000001.csv: a finished segment is missing"),
    "two parts swapped": (swapped(FIRST, SECOND), "part-000000.csv: "),
    "a part elsewhere": (linked(FIRST, "elsewhere"), "part-000000.csv: is nothing that a run made"),
    "a part that is a pipe": (
        lambda: (FIRST.unlink(), os.mkfifo(FIRST)),
        "part-000000.csv: cannot be read: not a regular file",
    ),
    "a part that was put there": ((PARTS / "part-000003.csv").mkdir, "is nothing that a run made"),
    "the folder of the parts": (linked(PARTS, "elsewhere"), "found a link or a file"),
    "another graph": (another_bias, "onnx/model_quantized.onnx: SHA-256 found"),
    "the other variant's graph": (
        copied(GRAPH.with_name("model.onnx"), GRAPH),
        "model_quantized.onnx: found",
    ),
    "no graph": (lambda: GRAPH.unlink(), "model_quantized.onnx: no such file"),
    "a space in the tokenizer": (
        replaced(TOKENIZER, lambda c: c + b" "),
        "tokenizer.json: found",
    ),
    "two tokens swapped": (renumbered, "tokenizer.json: "),
    "a space in the manifest": (
        replaced(MANIFEST, lambda c: c + b" "),
        "artifact is not the",
    ),
    "another artifact, all listed": (another_artifact, "artifact" + IS_ANOTHER),
    "one byte of the input in place": (in_place(A), "in/a.csv"),
    "a row more of the input": (replaced(B, lambda c: c + b"9,z\n"), "in/b.csv"),
    "a file more of the input": (copied(A, "in/c.csv"), "input" + IS_ANOTHER),
    "a file less of the input": (lambda: B.unlink(), "input" + IS_ANOTHER),
    "two files of the input swapped": (swapped(A, B), "input" + IS_ANOTHER),
    "a digit of the list": (
        replaced(LIST, lambda c: c.replace(b'"rows": 40', b'"rows": 39')),
        "changed since it was written",
    ),
    "a list cut short": (replaced(LIST, lambda c: c[:-9]), "cannot be read as JSON"),
    "a list elsewhere": (linked(LIST, "elsewhere"), "is nothing that a run made"),
    "a list without the middle": (listed(lambda parts: parts.pop(1)), "file: found 'part-000002.csv'"),
    "a name above": (listed(lambda p: p[0].update(file="../in/a.csv")), "file: found '../in/a.csv'"),
    "an absolute name": (listed(lambda p: p[0].update(file="/etc/passwd")), "found '/etc/passwd', expected"),
    "a name of another terminal": (listed(lambda p: p[0].update(file="\x1b[2J\n")), r"found '\x1b[2J\n'"),
    "no rows": (listed(lambda p: p[0].update(rows=-40)), "found (-40, "),
    "a truth for a number": (listed(lambda p: p[0].update(rows=True)), "found (True, "),
    "a hash that is none": (listed(lambda p: p[0].update(sha256=5)), "found SHA-256 5"),
}


def everything(folder):
    return {
        path: path.is_file() and not path.is_symlink() and path.read_bytes() for path in folder.rglob("*")
    }


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_refused(work, in_process, change):
    spoil, said = CHANGES[change]
    spoil(work) if spoil is another_artifact else spoil()
    before = everything(work)
    status, printed = in_process(command.main, "artifact", "in", "out.csv", "--resume")
    assert status == 2
    assert [line[:7] for line in printed.err.splitlines()] == ["error: "]
    assert said in printed.err
    assert everything(work) == before


def test_what_did_not_change_is_continued(work, in_process):
    status, printed = in_process(command.main, "artifact", "in", "out.csv", "--resume")
    assert (status, printed.out.split(";")[0]) == (0, "out.csv: 300 rows")
    resumed = (work / "out.csv").read_bytes()
    assert len(csv.read_csv("out.csv")) == 300
    assert in_process(command.main, "artifact", "in", "out.csv")[0] == 0
    assert (work / "out.csv").read_bytes() == resumed


def test_an_input_that_changes_while_it_is_scored(work, in_process, monkeypatch):
    """With its size and its time as they were; what was finished before is kept."""
    append = Segments.append

    def change(self, table):
        in_place(B)()
        append(self, table)

    monkeypatch.setattr(Segments, "append", change)
    status, printed = in_process(
        command.main, "artifact", "in", "out.csv", "--resume", "--checkpoint-seconds", 0
    )
    assert status == 2
    assert "error: in/b.csv: changed while it was scored" in printed.err
    assert (work / FIRST).is_file()


def test_a_part_that_changes_before_it_is_joined(work, in_process, monkeypatch):
    check, calls = Segment.check, []

    def late(self, folder):
        calls.append(self)
        if len(calls) == 4:
            flipped(FIRST, 99)()
        check(self, folder)

    monkeypatch.setattr(Segment, "check", late)
    status, printed = in_process(command.main, "artifact", "in", "out.csv", "--resume")
    assert status == 2
    assert "part-000000.csv: a finished segment changed" in printed.err
    assert not (work / "out.csv").exists()


def test_a_folder_of_other_files_is_left_alone(work, in_process):
    shutil.rmtree(PARTS)
    PARTS.mkdir()
    (PARTS / "thesis.txt").write_text("mine")
    status, printed = in_process(command.main, "artifact", "in", "out.csv")
    assert status == 2
    assert f"{PARTS}/thesis.txt: is nothing that a run made" in printed.err
    assert list(PARTS.iterdir()) == [PARTS / "thesis.txt"]


def test_parts_are_on_the_disk_before_they_count(work, monkeypatch):
    events, fsync, write = [], os.fsync, progress.write

    def synced(handle):
        events.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(progress, "write", lambda *given: (events.append("listed"), write(*given)))
    with pytest.raises(ScoreError):
        job.run(Options(work / "artifact", "in", work / "out.csv"))
    shutil.rmtree(PARTS)
    job.run(Options(work / "artifact", "in", work / "out.csv"))
    written = events.index(f"{work}/{PARTS}/unfinished")
    assert events[written + 1] == f"{work}/{PARTS}"
    assert events[written + 2] == "listed"
    assert events[-2:] == [f"{work}/{PARTS}/unfinished", str(work)]
