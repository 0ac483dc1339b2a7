"""Every command in the environments of others: no docstrings, old encodings, closed streams."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core import cli
from core.errors import GateError, ScoreError
from tests.support import commands, scored
from tests.support.artifacts import artifact as write_artifact
from tests.support.places import FILES, ROOT

ROOMS = ("export", "graphs", "verify", "score", "deliver", "bench")
# Prints each command's help; whatever needs a docstring fails here.
HELP = """
import importlib, sys
for room in sys.argv[1:]:
    try:
        importlib.import_module(room + ".__main__").main(["--help"])
    except SystemExit as end:
        if end.code:
            raise
"""
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "déjà vu"
    folder.mkdir()
    return write_artifact(folder, {"fp32": 0.0, "int8": 0.25}, max_probability_error=0.5, max_flip_rate=1.0)


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "HOME")}
    return kept | more


def shell(line, *arguments, **more):
    """Run a line of a shell that closes streams, `"$@"` being the command."""
    return commands.call("sh", "-c", line, "sh", sys.executable, *arguments, env=environment(**more))


def test_no_code_reads_a_docstring():
    for path in FILES:
        assert "__doc__" not in path.read_text("utf-8"), path


# Without docstrings torch is compiled anew.
@pytest.mark.slow
def test_without_docstrings_every_command_says_what_it_is_for():
    ended = commands.call(sys.executable, "-OO", "-c", HELP, *ROOMS, env=environment())
    assert ended.returncode == 0, ended.stderr
    for summary in ("sources to the files", "finished graphs", "Measure", "corpus", "publish", "Benchmarks"):
        assert summary in ended.stdout


def test_a_report_is_written_whatever_standard_output_takes(tiny, tmp_path):
    line = ("-m", "verify", "parity", tiny, "--junit", tmp_path / "junit.xml")
    ended = shell('"$@"', *line, PYTHONIOENCODING="cp1252")
    assert ended.returncode == 0, ended.stderr
    assert "max \\u0394p" in ended.stdout
    assert (tmp_path / "junit.xml").read_text("utf-8").count("<testcase") > 1
    (tmp_path / "junit.xml").unlink()
    ended = shell('"$@" >&- 2>&- <&-', *line, **OLD)
    assert ended.returncode == 0
    assert (tmp_path / "junit.xml").is_file()


@pytest.mark.parametrize("streams", ["", ">&- 2>&- <&-"])
def test_a_corpus_is_scored_in_the_c_locale_whatever_is_closed(tiny, tmp_path, streams):
    given, output = tmp_path / "entrée.csv", tmp_path / "é.csv"
    given.write_text("text\na the b\n", "utf-8")
    ended = shell(f'"$@" {streams}', "-m", "score", tiny, given, output, **OLD)
    assert ended.returncode == 0, ended.stderr
    (row,) = scored.rows(output)
    assert row["labels"] == scored.labels("a the b")


def test_what_libraries_print_never_reaches_a_file_in_place_of_a_closed_stream():
    program = (
        "import os, sys; from core.cli import make_streams_safe; make_streams_safe(); "
        "file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); sys.exit(file < 3)"
    )
    assert shell('"$@" >&- 2>&- <&-', "-c", program, os.devnull).returncode == 0


def test_every_end_is_an_exit_code(capsys):
    def ends(error):
        def run(arguments):
            raise error

        return cli.exit_code(run, None), capsys.readouterr().err

    assert ends(ScoreError("x\ny")) == (2, "error: x y\n")
    assert ends(KeyboardInterrupt()) == (130, "interrupted\n")
    assert ends(OSError(28, "No space left on device", "a\nb")) == (
        2,
        "error: [Errno 28] No space left on device: 'a\\nb'\n",
    )
    assert ends(BrokenPipeError()) == (2, "")
    assert cli.exit_code(lambda arguments: 3, None) == 3
    assert ends(GateError("over")) == (1, "error: over\n")
    # A mistake of ours is no verdict.
    status, said = ends(ZeroDivisionError("mine"))
    assert (status, said.splitlines()[-1]) == (2, "ZeroDivisionError: mine")
    with pytest.raises(ModuleNotFoundError):
        ends(ModuleNotFoundError("left to who knows what brings it"))


def test_a_pipe_that_nobody_reads_is_an_exit_code(tiny):
    process = subprocess.Popen(
        [sys.executable, "-m", "verify", "parity", tiny],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 2
