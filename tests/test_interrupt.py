"""Ctrl-C at any moment is one line and exit status 130; a terminal interrupts every process of a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.support import artifacts
from tests.support.commands import environment_of_make
from tests.support.places import ROOT

SECONDS = 60


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return artifacts.artifact(tmp_path_factory.mktemp("tiny"), {"fp32": 0.0, "int8": 0.25})


def interrupted(line, is_time, **more):
    """Run a command as a terminal does, interrupt it when its time has come; return its status and lines."""
    environment = environment_of_make() | more
    process = subprocess.Popen(
        [*map(str, line)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + SECONDS
        while not is_time(process) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()
        started = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    _, left = psutil.wait_procs(started, timeout=10)
    assert not left
    return process.returncode, said.splitlines()


def without_bar(lines):
    """The lines without the last state of the bar, which stays."""
    return [text for text in lines if "/400020 " not in text]


def has_child(part):
    """Whether a process has one whose command line has some words."""

    def check(process):
        children = psutil.Process(process.pid).children(recursive=True)
        return any(part in " ".join(words) for words in map(cmdline, children))

    return check


def cmdline(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize("module", ["score", "verify", "deliver", "graphs", "export"])
def test_while_libraries_load(tmp_path, module):
    loading = tmp_path / "loading"
    # Whichever of them comes first.
    for name in ("numpy", "onnxruntime", "rich", "pyarrow", "onnx_ir", "tokenizers"):
        (tmp_path / f"{name}.py").write_text(f"import time; open({str(loading)!r}, 'w'); time.sleep(60)\n")
    line = [sys.executable, "-m", module, "--help"]
    status, said = interrupted(line, lambda _: loading.exists(), PYTHONPATH=str(tmp_path))
    assert (status, said) == (130, ["interrupted"])


def test_a_library_that_is_missing_is_an_error_and_no_verdict(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['numpy'] = None\n")
    line = [sys.executable, "-m", "verify", "parity", "x"]
    ended = subprocess.run(
        line,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == "error: import of numpy halted; None in sys.modules\n"


def test_while_processes_run(tiny):
    (tiny / "config.json").write_text('{"vocab_size": 40, "max_position_embeddings": 64}')
    line = [sys.executable, "-m", "verify", "stress", tiny, "--batches", "1000000"]
    status, said = interrupted(line, has_child("graph_service"))
    assert (status, said) == (130, ["interrupted"])


def test_while_a_process_measures_beside():
    program = (
        "import time; from bench.measure import cache_line; from core.cli import exit_code\n"
        "def run(_):\n"
        "    with cache_line.opened(): time.sleep(60)\n"
        "import sys; sys.exit(exit_code(run, None))"
    )
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU: nothing is measured")
    status, said = interrupted([sys.executable, "-c", program], has_child("spawn_main"))
    assert (status, said) == (130, ["interrupted"])


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("text\n" + "the a b z z z\n" * 20 + "".join(f"the {n}\n" for n in range(400_000)))
    return path


def test_a_run_that_kept_something_says_how_to_go_on(tiny, tmp_path, corpus):
    kept = tmp_path / "out.csv.parts" / "part-000000.csv"
    line = [sys.executable, "-m", "score", tiny, corpus, tmp_path / "out.csv", "--checkpoint-seconds", "0"]
    status, said = interrupted(line, lambda _: kept.exists())
    assert status == 130
    assert without_bar(said) == ["interrupted: finished segments are kept; continue with --resume"]
    assert kept.exists()


def test_under_make_it_is_makes_line(tiny, tmp_path, corpus):
    variables = [f"INPUT={corpus}", f"OUTPUT={tmp_path / 'out.csv'}", f"ARTIFACT={tiny}"]
    status, said = interrupted(["make", "score", *variables], lambda _: (tmp_path / "out.csv.parts").exists())
    # A shell's 130.
    assert status == -signal.SIGINT
    assert without_bar(said) == [f"make: *** [Makefile:{number_of('score:')}: score] Error 130"]


def number_of(target):
    """The line of a target's recipe in the Makefile."""
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    return 2 + next(number for number, line in enumerate(lines) if line.startswith(target))
