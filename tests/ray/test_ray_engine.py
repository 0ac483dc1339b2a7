"""Under Ray the output is that of one machine, byte for byte, whoever dies on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.errors import ScoreError
from score.job import run
from score.options import Options
from score.output.segments import Segments, folder_of
from tests.support.corpus import ROWS

pytestmark = pytest.mark.ray


@pytest.fixture(scope="session")
def local(artifact, corpus, tmp_path_factory):
    output = tmp_path_factory.mktemp("local") / "out.parquet"
    run(Options(artifact, str(corpus), output, probabilities=True))
    return output.read_bytes()


@pytest.fixture
def options(artifact, corpus, cluster, tmp_path):
    def make(**more):
        output = tmp_path / "out.parquet"
        given = {"probabilities": True, "engine": "ray", "address": cluster.address} | more
        return Options(artifact, given.pop("input", str(corpus)), output, **given)

    return make


def descendants() -> dict[int, str]:
    """The processes that this one started, and what each calls itself."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in parentheses may hold spaces.
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_bytes().decode().strip("\0")
        except OSError:
            continue

    def ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return {pid: name for pid, name in names.items() if ours(pid)}


def test_the_output_is_that_of_one_machine(options, local):
    found = run(options())
    assert (found.rows, found.null, found.truncated) == (ROWS, 40, 40)
    assert options().output.read_bytes() == local


def test_a_worker_killed_on_the_way_loses_nothing(options, local):
    killed = []

    def advance(done, total):
        if done and not killed:
            actors = [pid for pid, name in descendants().items() if "MapWorker" in name]
            assert len(actors) == 2
            os.kill(actors[0], signal.SIGKILL)
            killed.append(done)

    found = run(options(), advance)
    assert len(killed) == 1
    assert killed[0] < ROWS
    assert found.rows == ROWS
    assert options().output.read_bytes() == local


def test_an_interrupted_run_goes_on_with_either_engine(options, local, monkeypatch):
    class Killed(BaseException):
        pass

    def advance(done, total):
        if done > 9_000:
            raise Killed

    with pytest.raises(Killed):
        run(options(checkpoint_seconds=0), advance)
    assert folder_of(options().output).is_dir()
    found = run(options(resume=True, engine="local"))
    assert 0 < found.scored < ROWS
    assert options().output.read_bytes() == local


def test_what_fails_on_a_node_is_told_in_one_line(options, tmp_path, monkeypatch):
    given = tmp_path / "in.parquet"
    pq.write_table(pq.read_table(options().input), given)
    opened = Segments.open

    def vanish(self, resume):
        opened(self, resume)
        given.unlink()

    # After the survey: only a node finds out.
    monkeypatch.setattr(Segments, "open", vanish)
    with pytest.raises(ScoreError, match=r"in\.parquet: cannot be read as parquet") as told:
        run(options(input=str(given)))
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_refusals(options):
    with pytest.raises(ScoreError, match="standard input cannot be read on every node"):
        run(options(input="-"))
