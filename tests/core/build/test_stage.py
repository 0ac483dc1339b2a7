"""Stages of a build: done once, and again when what they came from changes."""

from __future__ import annotations

import os
import threading
import time

import grimp
import pytest

from core.build import inputs, stage
from core.disk import lock
from core.errors import ArtifactError
from tests.support.commands import call, environment_of_make
from tests.support.places import ROOT

# A stage's command, the room whose code it is, and the file that it writes last.
STAGES = {
    "-m export build": ("export", "build/.exported"),
    "-m graphs build": ("graphs", "build/.graphs"),
    "-m verify gate": ("verify", "build/.verified"),
    "-m verify release": ("verify", "dist/manifest.json"),
}


def files_of(module):
    """The files of a module and of all that it imports of this project, by import-linter's own graph."""
    graph = grimp.build_graph("core", "export", "graphs", "verify")
    for name in sorted({module, *graph.find_upstream_modules(module)}):
        path = ROOT / name.replace(".", "/")
        yield path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.fixture(autouse=True)
def _no_sources_on_the_make_line(monkeypatch):
    for name in inputs.OVERRIDES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build folder in which every stage has been done, as make sees it: stamps in their order."""
    folder = tmp_path_factory.mktemp("stages")
    paths = [folder / "installed"]
    paths += [folder / "build" / name for name in (stage.EXPORTED, stage.GRAPHS, stage.VERIFIED)]
    paths += [folder / "dist" / "manifest.json"]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (4e9 + number, 4e9 + number))
    return folder


def commands(folder, *options):
    """What make would run, given that a file has changed."""
    places = [f"BUILD={folder}/build", f"DIST={folder}/dist", f"VENV={folder}/installed", "PY=python"]
    line = ("make", "-n", *options, "artifact", *places)
    return call(*line, env=environment_of_make(), check=True).stdout


def test_nothing_runs_again_where_nothing_changed(built):
    assert commands(built) == f"python -m verify summary {built}/dist\n"


def prerequisites(built, stamp):
    """What a stage's stamp depends on, in make's own words."""
    rules = commands(built, "-p").splitlines()
    targets = [line for line in rules if line.startswith(f"{built}/{stamp}: ")]
    (rule,) = [line for line in targets if "BUILD_BEGUN" not in line]
    return set(rule.split(": ", 1)[1].split())


@pytest.mark.parametrize("command", STAGES)
def test_a_stage_runs_again_when_any_code_that_it_imports_changes(built, command):
    room, stamp = STAGES[command]
    needed = {path.relative_to(ROOT).as_posix() for path in files_of(f"{room}.__main__")}
    data = [path for path in (ROOT / room).rglob("*") if path.suffix in (".json", ".j2", ".css")]
    needed |= {path.relative_to(ROOT).as_posix() for path in data}
    assert len(needed) > 20
    assert needed <= prerequisites(built, stamp)
    for path in (f"{room}/__main__.py", "core/untrusted/wire/operators.py"):
        assert command in commands(built, "-W", path)


def test_a_stage_that_waited_for_another_build_does_not_do_the_same_again(tmp_path):
    done = []
    export = (tmp_path, tmp_path, stage.EXPORTED)

    def exported_while_waiting(sources):
        with lock.build(tmp_path):
            line = (*export, lambda: done.append("again"))
            waiting = threading.Thread(target=stage.run, args=line)
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HEAD", sources)
                inputs.Inputs(tmp_path, []).record(tmp_path)
            (tmp_path / stage.EXPORTED).touch()
        waiting.join()

    exported_while_waiting("")
    assert done == []
    # What was exported meanwhile is another's.
    exported_while_waiting("path:another")
    assert done == ["again"]
    stage.run(*export, lambda: done.append("alone"))
    assert done == ["again", "alone"]


def test_a_stage_that_another_make_did_since_this_one_began_is_not_done_again(tmp_path, monkeypatch):
    done = []

    def stages(*names):
        for name in names:
            stage.run(tmp_path, tmp_path, name, lambda name=name: done.append(name))

    def export():
        inputs.Inputs(tmp_path, [tmp_path / "recipe.toml"]).record(tmp_path)
        done.append(stage.EXPORTED)

    stage.run(tmp_path, tmp_path, stage.EXPORTED, export)
    stages(stage.GRAPHS)
    monkeypatch.setenv(stage.BEGUN, str(int(time.time()) - 60))
    del done[:]
    stages(stage.EXPORTED, stage.GRAPHS)
    assert done == []
    # It was done of an export that is gone: make looks at the same times.
    (tmp_path / stage.EXPORTED).touch()
    stages(stage.GRAPHS)
    assert done == [stage.GRAPHS]
    (tmp_path / "recipe.toml").touch()
    stages(stage.EXPORTED)
    assert done == [stage.GRAPHS, stage.EXPORTED]


def test_a_stage_refuses_a_folder_that_another_builds_export_took_over(tmp_path, monkeypatch):
    def graphs():
        done = []
        stage.run(tmp_path, tmp_path, stage.GRAPHS, lambda: done.append("graphs"))
        return done

    with pytest.raises(ArtifactError, match=r"found no \.exported: a stage before this one did not end"):
        graphs()
    stage.run(tmp_path, tmp_path, stage.EXPORTED, lambda: inputs.Inputs(tmp_path, []).record(tmp_path))
    assert graphs() == ["graphs"]
    monkeypatch.setenv("ENCODER", "path:mine")
    with pytest.raises(
        ArtifactError, match=f"found {tmp_path}, expected a build of {tmp_path} ENCODER=path:mine; "
    ):
        graphs()
    with pytest.raises(ArtifactError, match=r"found no \.verified"):
        stage.run_alone(tmp_path, tmp_path, tmp_path / "dist" / "manifest.json", graphs)
    monkeypatch.delenv("ENCODER")
    # The graphs are of the export before.
    stage.run(tmp_path, tmp_path, stage.EXPORTED, lambda: inputs.Inputs(tmp_path, []).record(tmp_path))
    with pytest.raises(ArtifactError, match=r"found no \.graphs"):
        stage.run(tmp_path, tmp_path, stage.VERIFIED, graphs)
    # One that was killed has overwritten files of the export before it.
    assert graphs() == ["graphs"]
    with pytest.raises(KeyboardInterrupt):
        stage.run(tmp_path, tmp_path, stage.EXPORTED, interrupted)
    with pytest.raises(ArtifactError, match=r"found no \.exported"):
        graphs()


def interrupted():
    raise KeyboardInterrupt


def test_a_stage_that_fails_leaves_no_new_stamp(tmp_path):
    def fail():
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        stage.run(tmp_path, tmp_path, stage.EXPORTED, fail)
    assert not (tmp_path / stage.EXPORTED).exists()
