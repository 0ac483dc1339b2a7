"""What is written over, cleaned or replaced is this project's own, whatever its name and a recipe's are."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest

from tests.support.building import LABELS, make, places, stamp, tiny
from tests.support.commands import call, environment_of_make, run
from tests.support.factories import write_recipe
from tests.support.killing import content
from tests.support.places import ROOT

EVIL = "a\n\ttouch canary\n#:;|`touch canary`$(touch canary)$(shell touch canary)'\" \\"


def of_make(*arguments):
    """Run make with its own folders; an answer within 10 seconds."""
    return call("make", *arguments, env=environment_of_make("ENCODER", "HEAD"), timeout=10)


@pytest.mark.parametrize("end", ["/", "//", "/.", "/./", "/../minilm-l6-go-emotions"])
def test_the_folders_of_a_build_have_the_recipes_name_however_its_path_is_typed(end):
    told = of_make("-n", "artifact", f"RECIPE=recipes/minilm-l6-go-emotions{end}", "ENCODER=path:another")
    assert told.returncode == 0, told.stderr
    places = [line.split()[-1] for line in told.stdout.splitlines() if " -m " in line]
    assert places[-5:] == [f"{kind}/minilm-l6-go-emotions" for kind in "build build build dist dist".split()]


@pytest.mark.parametrize("recipe", ["recipes/minilm-l6-go-emotions/..", "..", ".", "", "/", "recipes"])
def test_a_folder_above_is_no_recipe(recipe):
    told = of_make("artifact", f"RECIPE={recipe}")
    assert (told.returncode, told.stdout) == (2, "")
    assert "no such recipe" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def odd(kind, path):
    """Make what is no file of a few kilobytes."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(3 << 30)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "sparse", "zero"])
def test_a_recipe_that_is_no_file_of_a_recipes_size_is_one_line_of_make(tmp_path, kind):
    (tmp_path / "mine").mkdir()
    odd(kind, tmp_path / "mine" / "recipe.toml")
    told = of_make("artifact", f"RECIPE={tmp_path / 'mine'}", f"BUILD={tmp_path}/build")
    assert told.returncode == 2
    assert "recipe.toml" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert os.listdir(tmp_path) == ["mine"]  # noqa: PTH208


@pytest.mark.parametrize("variable", ["RECIPE", "ENCODER", "INPUT", "ARTIFACT", "NAME"])
def test_a_line_break_is_none_of_a_name_and_nothing_of_a_name_runs(tmp_path, variable):
    canary, target = tmp_path / "canary", "new" if variable == "NAME" else "score"
    for name in (f"x\ntouch {canary}\n", f"x';touch {canary};'$$(touch {canary})$(shell touch {canary})"):
        for given in ([f"{variable}={name}"], []):
            environment = environment_of_make("ENCODER", "HEAD") | {variable: name}
            told = call("make", target, "PY=true", *given, env=environment, timeout=10)
            if "\n" in name:
                assert told.returncode == 2
                assert f"{variable}: found a line break" in told.stderr
    assert not canary.exists()


@pytest.fixture
def notes(tmp_path):
    """A folder of somebody's notes, with what looks unfinished; nothing of it may go."""
    folder = tmp_path / "notes"
    (folder / "inner").mkdir(parents=True)
    for name in ("notes.txt", ".draft.tmp", "inner/.other.tmp"):
        (folder / name).write_text("mine")
    return folder


def refused(ended, folder, before):
    """Hold a command to one line that names a folder, which is as it was."""
    assert ended.returncode in (1, 2)
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith(f"error: {folder}: found ")
    assert content(folder) == before


def test_a_build_in_a_folder_of_other_files_is_refused(tmp_path, notes):
    _, _, variables = tiny(tmp_path)
    before = content(notes)
    refused(run("export", "build", variables["RECIPE"], notes, timeout=60), notes, before)
    refused(run("verify", "gate", variables["RECIPE"], notes, timeout=60), notes, before)
    refused(make("artifact", **variables | {"BUILD": notes}), notes, before)


def test_a_target_that_no_release_wrote_is_refused(tiny_build, tmp_path, notes):
    copy = tiny_build.copy(tmp_path)
    recipe, build = copy.variables["RECIPE"], copy.variables["BUILD"]

    def release(target, cwd=ROOT):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return run("verify", "release", recipe, build, target, cwd=cwd, env=environment, timeout=60)

    before = content(notes)
    refused(release(notes), notes, before)
    refused(make("artifact", **copy.variables | {"DIST": notes}), notes, before)
    # The folder of all artifacts, one above, and the build's own.
    artifacts = tmp_path / "all"
    shutil.copytree(copy.dist, artifacts / "another")
    refused(release(artifacts), artifacts, content(artifacts))
    for target, here in ((".", artifacts), ("..", artifacts / "another"), ("another/..", artifacts)):
        kept = content(artifacts)
        told = release(target, cwd=here)
        assert told.returncode == 2
        assert "found no name of a folder's own" in told.stderr
        assert content(artifacts) == kept
    refused(release(build), build, content(build))
    # A link: what it leads to stays, and so does the link.
    link = tmp_path / "link"
    link.symlink_to(artifacts / "another")
    refused(release(link), link, content(link))
    assert link.is_symlink()
    # An artifact that somebody keeps notes in, and one whose manifest is none.
    (copy.dist / ".git").mkdir()
    (copy.dist / ".git" / "HEAD").write_text("ref")
    refused(release(copy.dist), copy.dist, content(copy.dist))
    shutil.rmtree(copy.dist / ".git")
    manifest = (copy.dist / "manifest.json").read_text("utf-8")
    (copy.dist / "manifest.json").write_text('{"files": 3}')
    kept = content(copy.dist)
    assert release(copy.dist).returncode == 2
    assert content(copy.dist) == kept
    (copy.dist / "manifest.json").write_text(manifest, "utf-8")
    assert release(copy.dist).returncode == 0


def test_a_package_replaces_packages_alone(artifact, tmp_path, notes):
    def package(target):
        return run("deliver", "package", artifact, target, "--format", "triton")

    before = content(notes)
    refused(package(notes), notes, before)
    for _ in range(2):
        assert package(tmp_path / "package").returncode == 0
    kept = content(artifact)
    assert package(artifact).returncode == 2
    assert content(artifact) == kept


def test_a_new_recipe_is_written_into_recipes_alone(tmp_path):
    name = f"NAME=../../{tmp_path.name}/x"
    environment = environment_of_make("ENCODER", "HEAD")
    told = call("make", "new", name, f"PY={sys.executable}", f"VENV={stamp()}", env=environment)
    assert told.returncode == 2
    assert "found .. in it" in told.stderr


@pytest.mark.slow
def test_names_of_a_sources_files_run_nowhere_and_a_build_knows_its_recipe(tmp_path):
    _, _, variables = tiny(tmp_path)
    place = tmp_path / EVIL
    place.mkdir()
    weights = tmp_path / "encoder" / "model.safetensors"
    (place / "weights").write_bytes(weights.read_bytes())
    weights.unlink()
    weights.symlink_to(place / "weights")
    recipe = variables["RECIPE"] / "recipe.toml"
    text = recipe.read_text("utf-8")
    key = json.dumps(EVIL)
    recipe.write_text(text.replace("[head]", f'[encoder.sha256]\n{key} = "{"0" * 64}"\n[head]'), "utf-8")
    told = make("artifact", **variables)
    assert told.returncode == 2
    assert len([line for line in told.stderr.splitlines() if not line.startswith("make: ***")]) == 1
    assert "encoder: has no a touch canary" in told.stderr
    recipe.write_text(text, "utf-8")
    for _ in range(2):
        told = make("artifact", **variables)
        assert told.returncode == 0, told.stderr
    assert "  export" not in told.stdout
    assert make("-n", "artifact", **variables).returncode == 0
    assert not [*tmp_path.rglob("canary"), *ROOT.glob("canary")]
    # Put in place with an older time.
    (tmp_path / "limit").write_text('{"max_seq_length": 32}')
    os.utime(tmp_path / "limit", (1, 1))
    (tmp_path / "limit").rename(tmp_path / "encoder" / "sentence_bert_config.json")
    assert make("--question", "package", **variables).returncode == 1
    # Another recipe of the same name.
    other = write_recipe(tmp_path / "other" / "tiny", LABELS[::-1], "path:../../encoder", "path:../../head")
    told = make("artifact", **variables | {"RECIPE": other})
    assert told.returncode == 0, told.stderr
    dist = places(tmp_path)["DIST"]
    assert list(json.loads((dist / "thresholds.json").read_text("utf-8"))) == LABELS[::-1]
    assert json.loads((dist / "tokenizer.json").read_text("utf-8"))["truncation"]["max_length"] == 32
