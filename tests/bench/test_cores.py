"""What threads and sessions give: the serial share that explains it, and a real graph that is run."""

from __future__ import annotations

import pytest

from bench.measure import cores
from bench.measure.cores import Scaling
from bench.report import markdown
from core import runtime
from core.timing import Spread


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("cpus", [2, 64])
def test_the_serial_share_explains_the_speedup(share, cpus):
    assert cores.serial_share(cores.amdahl(share, cpus), cpus) == pytest.approx(share)


def test_half_as_much_again_of_two_cpus_is_a_third():
    assert cores.serial_share(1.5, 2) == pytest.approx(1 / 3)
    assert cores.amdahl(1 / 3, 2) == pytest.approx(1.5)


def test_each_way_runs_all_batches(tiny_build, monkeypatch):
    monkeypatch.setattr("core.timing.IDLE_SECONDS", 0)
    opened, ran = [], []

    class Counted:
        def __init__(self, session, threads):
            self.session, self.threads = session, threads

        def run(self, outputs, feeds):
            ran.append((self.threads, feeds["input_ids"].shape))
            return self.session.run(outputs, feeds)

    real = runtime.open_session

    def open_session(file, *, threads):
        opened.append(threads)
        return Counted(real(file, threads=threads), threads)

    monkeypatch.setattr(runtime, "open_session", open_session)
    monkeypatch.setattr(cores, "_ROUNDS", 2)
    ids = [list(range(5, 5 + length)) for length in (3, 4, 6)]
    found = cores.scaling(tiny_build.folder / "build" / "model_quantized.onnx", ids, 2, 2)
    assert sorted(opened) == [1, 1, 1, 2]
    # In each of two rounds: the first batch once more, to warm up, and both.
    shapes = [(2, 4), (2, 4), (1, 6)] * 2
    assert sorted(ran) == sorted([(threads, shape) for threads in (1, 1, 1, 2) for shape in shapes])
    assert found.cpus == 2
    assert found.threads.low > 0 < found.sessions.low
    assert found.serial_share.high == pytest.approx(cores.serial_share(found.threads.low, 2))


def test_the_table_says_what_is_measured_and_what_is_on_paper():
    def about(value):
        return Spread(value, value - 0.1, value + 0.1)

    lines = markdown.scalings({1: Scaling(2, about(1.5), about(1.9))}).splitlines()
    assert lines[2].startswith("| batch | a session of 2 threads | 2 sessions of one thread | serial share")
    assert lines[4] == "| 1 | 1.5 (1.4–1.6) | 1.9 (1.8–2) | 33% (25%–43%) | 2.4 | 2.9 |"
