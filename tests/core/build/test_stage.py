"""Stages of a build: done once, and again when what they came from changes."""

from __future__ import annotations

import threading
import time

import grimp
import pytest

from core.build import inputs, stage
from core.disk import lock
from core.errors import ArtifactError
from tests.support.places import ROOT

# Each stage's room, and what it writes down.
ROOMS = {"export": inputs.INPUTS, "graphs": inputs.PLAN, "verify": inputs.DATA}


def files_of(module):
    """The files of a module and of all that it imports of this project, by import-linter's own graph."""
    graph = grimp.build_graph("core", "export", "graphs", "verify")
    for name in sorted({module, *graph.find_upstream_modules(module)}):
        path = ROOT / name.replace(".", "/")
        yield path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def record(folder, *files):
    """Write down what the stages of a folder, which is its own recipe's, have read."""
    inputs.Inputs(folder, files, folder).record()
    inputs.record_plan(folder, folder)


@pytest.fixture(autouse=True)
def _no_sources_on_the_make_line(monkeypatch):
    for name in inputs.OVERRIDES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("room", ROOMS)
def test_a_stage_is_due_when_any_code_that_it_imports_changes(room, monkeypatch):
    listed = []
    monkeypatch.setattr(inputs, "of_folders", lambda folders: listed.extend(folders) or "")
    inputs._code.__wrapped__(inputs._ROOMS[ROOMS[room]])
    assert listed == [ROOT / "core", ROOT / room]
    needed = list(files_of(f"{room}.__main__"))
    assert len(needed) > 20
    assert all(any(path.is_relative_to(folder) for folder in listed) for path in needed)


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
                record(tmp_path)
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
        record(tmp_path, tmp_path / "recipe.toml")
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
    (tmp_path / "recipe.toml").write_text("another")
    stages(stage.EXPORTED)
    assert done == [stage.GRAPHS, stage.EXPORTED]


def test_a_stage_refuses_a_folder_that_another_builds_export_took_over(tmp_path, monkeypatch):
    def graphs():
        done = []
        stage.run(tmp_path, tmp_path, stage.GRAPHS, lambda: done.append("graphs"))
        return done

    with pytest.raises(ArtifactError, match=r"found no \.exported: a stage before this one did not end"):
        graphs()
    stage.run(tmp_path, tmp_path, stage.EXPORTED, lambda: record(tmp_path))
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
    stage.run(tmp_path, tmp_path, stage.EXPORTED, lambda: record(tmp_path))
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
