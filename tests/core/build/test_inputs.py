"""What a build reads outside of its folder: every change of it is seen."""

from __future__ import annotations

import os

import pytest

from core.build import inputs
from tests.support.commands import run


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A recorded state of one source's file, some time ago."""
    for name in inputs.OVERRIDES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "recipe").mkdir()
    (tmp_path / "weights").write_text("1")
    inputs.Inputs(tmp_path / "recipe", [tmp_path / "weights", tmp_path / "none"]).record(tmp_path)
    os.utime(tmp_path / inputs.INPUTS, (1, 1))
    return tmp_path


def changed(folder, recipe="recipe", encoder="", **environment):
    """Whether the command that make runs touches `.inputs`."""
    path = folder / inputs.INPUTS
    before = path.stat().st_mtime
    run("core.build.inputs", folder, folder / recipe, encoder, "", check=True, env=os.environ | environment)
    return path.stat().st_mtime != before


def test_a_state_that_is_as_recorded_is_left_alone(recorded):
    assert not changed(recorded)


def test_every_change_of_the_state_is_seen(recorded):
    (recorded / "other").mkdir()
    assert changed(recorded, recipe="other")
    assert changed(recorded, encoder="path:elsewhere")
    (recorded / "none").touch()
    assert changed(recorded)
    (recorded / "none").unlink()
    assert not changed(recorded)
    (recorded / "weights").write_text("2")
    assert changed(recorded)
    (recorded / inputs.INPUTS).write_text("{")
    assert changed(recorded)


def test_without_a_build_nothing_is_written(tmp_path):
    inputs.refresh(tmp_path / "build", tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_data_that_comes_later_changes_or_is_elsewhere_is_seen(tmp_path, monkeypatch):
    monkeypatch.delenv("MY_DATA", raising=False)

    def is_touched():
        os.utime(tmp_path / inputs.DATA, (1, 1))
        inputs.refresh(tmp_path, tmp_path, {})
        return (tmp_path / inputs.DATA).stat().st_mtime != 1

    inputs.record_data(tmp_path, [tmp_path / "test.csv"], "MY_DATA")
    assert not is_touched()
    (tmp_path / "test.csv").write_text("text,labels")
    assert is_touched()
    inputs.record_data(tmp_path, [tmp_path / "test.csv"], "MY_DATA")
    assert not is_touched()
    (tmp_path / "test.csv").write_text("text,label")
    assert is_touched()
    inputs.record_data(tmp_path, [tmp_path / "test.csv"], "MY_DATA")
    monkeypatch.setenv("MY_DATA", str(tmp_path))
    assert is_touched()
    (tmp_path / inputs.DATA).write_text("None False")
    assert is_touched()
