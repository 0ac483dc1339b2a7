"""An older Python is one sentence, whatever it is asked to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import call, environment_of_make
from tests.support.places import ROOT

MODULES = ["bench", "core.build.front", "deliver", "export", "graphs", "score", "verify"]
MODULES += [f"requirements.{name}" for name in ("audit", "install", "pin", "plan")]
SAID = "error: found Python {} ({}), expected 3.11 or later"
OLD = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10"]
PRINTED = "import sys; print(sys.version.split()[0] + ' ' + sys.executable)"
# This interpreter, as if it were older: it stops before it meets anything that an older one lacks.
PRETENDED = "import sys; sys.version_info = (3, 10, 13, 'final', 0); sys.version = '3.10.13 (main)'"


@pytest.fixture
def pretended(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(PRETENDED)
    return {**environment_of_make(), "PYTHONPATH": str(tmp_path)}


def interpreter(version):
    """An older Python of this machine, on the path or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python"))]
    for path in filter(None, found):
        try:
            told = call(path, "-c", PRINTED, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return told.stdout.split()
    pytest.skip(f"no Python {version} here")


@pytest.mark.parametrize("module", MODULES)
def test_every_command_says_what_it_needs(module, pretended):
    ended = call(sys.executable, "-m", module, env=pretended)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == SAID.format("3.10.13", sys.executable) + "\n"


def test_make_says_what_it_needs_whatever_the_target(pretended):
    for target in ("artifact", "help", "test"):
        ended = call("make", target, f"PYTHON={sys.executable}", env=pretended)
        assert (ended.returncode, ended.stdout) == (2, "")
        (line,) = ended.stderr.splitlines()
        assert SAID.format("3.10.13", sys.executable) in line


def test_make_says_that_there_is_no_such_python():
    ended = call("make", "artifact", "PYTHON=no-such-python", env=environment_of_make())
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert "no-such-python" in line
    assert "not found" in line


@pytest.mark.parametrize("version", OLD)
def test_an_older_python_itself_gets_as_far_as_the_sentence(version):
    found, path = interpreter(version)
    for module in MODULES:
        ended = call(path, "-m", module, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        assert (ended.returncode, ended.stderr) == (2, SAID.format(found, path) + "\n"), module
    ended = call("make", "artifact", f"PYTHON={path}", env=environment_of_make(), cwd=ROOT)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert SAID.format(found, path) in line
