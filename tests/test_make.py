"""Whatever is typed on the make line reaches a command as it was typed, and no rule of make's."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.support.building import stamp
from tests.support.commands import call, environment_of_make
from tests.support.factories import write_recipe
from tests.support.places import ROOT

ODD = "we'i:r #d;$x $(y) %&|\"é\\"
# Stands for the interpreter of the environment: says what it was called with, and leaves what a stage leaves.
STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from core.build import inputs
_, module, command, *arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps([module, command, *arguments]) + "\\n")
if module in ("export", "graphs", "verify") and len(arguments) > 1:
    recipe, build = map(Path, arguments[:2])
    build.mkdir(parents=True, exist_ok=True)
    source = Path(os.environ.get("ENCODER", "path:none").removeprefix("path:"))
    if (module, command) == ("export", "build"):
        inputs.Inputs(recipe, [recipe / "recipe.toml", source], build).record()
        (build / ".exported").touch()
    elif (module, command) == ("graphs", "build"):
        inputs.record_plan(build, recipe)
        (build / ".graphs").touch()
    elif (module, command) == ("verify", "gate"):
        inputs.record_data(build, [])
        (build / ".verified").touch()
    elif (module, command) == ("verify", "release"):
        Path(arguments[2]).mkdir(exist_ok=True)
        (Path(arguments[2]) / "manifest.json").touch()
"""


@pytest.fixture
def line(tmp_path):
    """Run make with the stand-in; return its exit status and the command lines that it ran."""
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(STAND_IN.format(python=sys.executable, root=str(ROOT), log=str(log)))
    python.chmod(0o755)
    given = {"PY": python, "PYTHON": sys.executable, "VENV": stamp()}
    given |= {"BUILD": tmp_path / "build", "DIST": tmp_path / "dist"}

    def run(*arguments, **variables):
        log.write_text("")
        names = (f"{name}={value}" for name, value in {**given, **variables}.items())
        ended = call("make", *arguments, *names, env=environment_of_make("ENCODER", "HEAD"))
        return ended, [json.loads(entry) for entry in log.read_text().splitlines()]

    return run


def test_a_recipe_and_a_source_in_folders_of_any_name(line, tmp_path):
    recipe = write_recipe(tmp_path / ODD / "tiny", ["joy"], "path:e", "path:h")
    source = tmp_path / ODD / "run_12:30:00"
    source.mkdir()
    variables = {"RECIPE": recipe, "ENCODER": f"path:{source}"}
    ended, commands = line("package", **variables)
    assert ended.returncode == 0, ended.stderr
    stages = [("export", "build"), ("graphs", "build"), ("verify", "gate"), ("verify", "release")]
    assert [tuple(command[:2]) for command in commands] == stages
    assert {command[2] for command in commands} == {str(recipe)}
    ended, commands = line("package", **variables)
    assert (ended.returncode, commands) == (0, [])
    for target in ("clean", "help"):
        assert line("-n", target, **variables, TORCH=ODD, TORCH_INDEX=ODD)[0].returncode == 0
    # What changes is seen, though no rule names it.
    (recipe / "quantization.json").write_text("{}")
    assert [command[0] for command in line("package", RECIPE=recipe)[1]] == [stage for stage, _ in stages]
    assert line("package", RECIPE=recipe)[1] == []
    for path, first in ((recipe / "quantization.json", 1), (recipe / "recipe.toml", 0)):
        path.write_text(path.read_text() + " ")
        os.utime(path, (1, 1))
        assert [tuple(command[:2]) for command in line("package", RECIPE=recipe)[1]] == stages[first:]
    (recipe / "quantization.json").unlink()
    assert len(line("package", RECIPE=recipe)[1]) == len(stages)


@pytest.mark.parametrize("name", ["two words", "a:b", "a'b", "a;b", "a$b", "a#b", "a%b"])
def test_a_recipe_of_a_name_that_no_recipe_may_have_is_one_line(line, tmp_path, name):
    recipe = write_recipe(tmp_path / name, ["joy"], "path:e", "path:h")
    ended, commands = line("package", RECIPE=recipe)
    assert (ended.returncode, commands) == (2, [])
    assert "the folder's own name" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_paths_of_a_corpus_an_artifact_and_an_output(line, tmp_path):
    given = {"ARTIFACT": tmp_path / ODD, "INPUT": f"in, {ODD}.csv", "OUTPUT": f"out '{ODD}'.csv"}
    ended, commands = line("score", OPTIONS="--variant fp32", **given)
    assert ended.returncode == 0, ended.stderr
    assert commands == [["score", *map(str, given.values()), "--variant", "fp32"]]
    assert line("verify-artifact", ARTIFACT=ODD)[1] == [["verify", "artifact", ODD]]
    assert line("head", OUT=ODD)[1][0][-2:] == ["--out", ODD]
    assert line("publish", ARTIFACT=ODD, REPO="a'b/$c")[1] == [["deliver", "publish", ODD, "a'b/$c"]]
