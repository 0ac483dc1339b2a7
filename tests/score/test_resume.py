"""Killed at any moment and started again: nothing lost, nothing doubled, the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from score import job
from score.input import corpus as corpus_files
from score.input.files import Form
from score.options import Options
from score.output import formats
from score.output.progress import PROGRESS_FILE
from score.output.segments import Segments, folder_of
from tests.support import commands
from tests.support.places import ROOT

KINDS = ("parquet", "csv", "jsonl")


class Killed(BaseException):
    """Stands for `kill -9`: nothing that the program does on its way out is done."""


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_files, "WINDOW_ROWS", 40)
    texts = [None if n % 13 == 0 else "the a b " * (n % 5) + "z" * (n % 9) for n in range(500)]
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(2):
        rows = range(250 * index, 250 * index + 250)
        pq.write_table(pa.table({"n": rows, "text": [texts[n] for n in rows]}), folder / f"{index}.parquet")
    return folder


@pytest.fixture
def run(tiny, corpus):
    def start(output, **more):
        return job.run(Options(tiny, str(corpus), output, probabilities=True, checkpoint_seconds=0, **more))

    return start


def dies_at(monkeypatch, owner, name, call, *, after):
    """Make the call-th call of a function the last thing that happens, done or not."""
    original, calls = getattr(owner, name), []

    def wrapped(*arguments):
        calls.append(1)
        if len(calls) == call and not after:
            raise Killed
        found = original(*arguments)
        if len(calls) == call:
            raise Killed
        return found

    monkeypatch.setattr(owner, name, wrapped)


MOMENTS = [
    (Segments, "_list", 1, True),
    (Segments, "append", 4, False),
    (Segments, "append", 4, True),
    (Segments, "_list", 5, False),
    (Segments, "_list", 5, True),
    (Segments, "finish", 1, False),
    (formats, "join", 1, True),
    (Segments, "_remove_folder", 1, False),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("owner", "name", "call", "after"), MOMENTS)
def test_every_moment(run, tmp_path, kind, owner, name, call, after):
    run(tmp_path / f"whole.{kind}")
    output = tmp_path / f"out.{kind}"
    with pytest.MonkeyPatch.context() as patch:
        dies_at(patch, owner, name, call, after=after)
        # All that the kernel does for a process that dies.
        patch.setattr(Segments, "close", lambda self: self._lock.release())
        with pytest.raises(Killed):
            run(output)
    assert folder_of(output).is_dir()
    run(output, resume=True)
    assert output.read_bytes() == (tmp_path / f"whole.{kind}").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["in", output.name, f"whole.{kind}"])


def test_a_resumed_run_scores_only_the_rest(run, tmp_path, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        dies_at(patch, Segments, "append", 4, after=False)
        with pytest.raises(Killed):
            run(tmp_path / "out.csv")
    found = run(tmp_path / "out.csv", resume=True)
    assert (found.rows, found.scored) == (500, 500 - 3 * 40)


def interrupted(run, output):
    with pytest.MonkeyPatch.context() as patch:
        dies_at(patch, Segments, "append", 4, after=False)
        with pytest.raises(Killed):
            run(output)


def test_an_interrupted_run_is_not_overwritten_in_silence(score, run, corpus, tmp_path):
    interrupted(run, tmp_path / "out.csv")
    code, printed = score(corpus, tmp_path / "out.csv", "--probabilities")
    assert code == 2
    for word in ("out.csv.parts", "120 scored rows", "--resume", "remove the folder"):
        assert word in printed.err
    code, printed = score(corpus, tmp_path / "out.csv", "--resume")
    assert code == 2
    assert "probabilities is not the interrupted run's: found False, expected True" in printed.err
    (folder_of(tmp_path / "out.csv") / "part-000001.csv").unlink()
    code, printed = score(corpus, tmp_path / "out.csv", "--resume", "--probabilities")
    assert code == 2
    assert "part-000001.csv: a finished segment is missing" in printed.err


def test_an_input_that_was_touched_is_the_same(score, run, corpus, tmp_path):
    interrupted(run, tmp_path / "out.csv")
    os.utime(corpus / "1.parquet", ns=(1, 1))
    assert score(corpus, tmp_path / "out.csv", "--resume", "--probabilities")[0] == 0


def test_two_runs_do_not_write_one_output(score, corpus, tmp_path):
    first = Segments(tmp_path / "out.csv", Form("csv"), {}, pa.schema([]))
    first.open(resume=False)
    code, printed = score(corpus, tmp_path / "out.csv", "--resume")
    assert code == 2
    assert "another run is writing" in printed.err
    first.close()
    assert score(corpus, tmp_path / "out.csv", "--resume")[0] == 0


@pytest.mark.parametrize("where", ["_check_ours", "_remove_unlisted", "_list"])
def test_interrupted_before_it_kept_anything_it_says_no_more(score, corpus, tmp_path, monkeypatch, where):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Segments, where, interrupt)
    code, printed = score(corpus, tmp_path / "out.csv")
    assert (code, printed.err) == (130, "interrupted\n")
    monkeypatch.undo()
    assert score(corpus, tmp_path / "out.csv")[0] == 0


def test_an_error_on_the_way_keeps_what_is_done_and_leaves_nothing_half(run, tmp_path, monkeypatch):
    dies_at(monkeypatch, Segments, "append", 2, after=True)
    with pytest.raises(Killed):
        run(tmp_path / "out.csv")
    names = {path.name for path in folder_of(tmp_path / "out.csv").iterdir()}
    assert names == {".lock", PROGRESS_FILE, "part-000000.csv"}


def test_kill_9_of_the_command_itself(tiny, tmp_path):
    # Every twentieth is longer than the encoder takes.
    texts = [f"the a b {n % 977}" + " z" * (n % 17 if n % 20 else 600) for n in range(12_000)]
    pq.write_table(pa.table({"n": range(len(texts)), "text": texts}), tmp_path / "in.parquet")
    line = [tiny, tmp_path / "in.parquet"]
    options = ["--probabilities", "--resume", "--checkpoint-seconds", "0"]
    commands.run("score", *line, tmp_path / "whole.parquet", *options, check=True)
    output = tmp_path / "out.parquet"
    kills = 0
    for segments in (1, 2, 4):
        command = [sys.executable, "-m", "score", *line, output, *options]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        segment = folder_of(output) / f"part-{segments - 1:06}.parquet"
        while not segment.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills == 3
    commands.run("score", *line, output, *options, check=True)
    assert output.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
