"""What a build reads outside of its folder: every change of its content is seen, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from core.build import file_hashes, inputs
from core.build.file_hashes import FileHashes, of_folders
from tests.support.commands import run


@pytest.fixture(autouse=True)
def _no_sources_on_the_make_line(monkeypatch):
    for name in inputs.OVERRIDES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def recorded(tmp_path):
    """The recorded state of one source's file, in a build's folder."""
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "recipe.toml").touch()
    (tmp_path / "weights").write_text("1")
    files = [tmp_path / "weights", tmp_path / "none"]
    inputs.Inputs(tmp_path / "recipe", files, tmp_path / "build").record()
    inputs.record_plan(tmp_path / "build", tmp_path / "recipe")
    inputs.record_data(tmp_path / "build", [tmp_path / "test.csv"], "MY_DATA")
    (tmp_path / "build" / ".exported").touch()
    return tmp_path


def changed(folder, recipe="recipe", encoder="", **environment):
    """What make is told to do again."""
    line = (folder / recipe, encoder, "", folder / "build", folder / "recipe" / "recipe.toml", "")
    told = run("core.build.front", *line, check=True, env=os.environ | environment)
    return told.stdout.split()[1:]


def test_a_state_that_is_as_recorded_is_left_alone(recorded):
    assert changed(recorded) == []
    # Other times, the same content.
    (recorded / "weights").touch()
    assert changed(recorded) == []
    os.utime(recorded / "weights", (1, 1))
    assert changed(recorded) == []


def test_every_change_of_the_state_is_seen(recorded):
    shutil.copytree(recorded / "recipe", recorded / "other")
    assert changed(recorded, recipe="other") == ["inputs"]
    assert changed(recorded, encoder="path:elsewhere") == ["inputs"]
    (recorded / "none").touch()
    assert changed(recorded) == ["inputs"]
    (recorded / "none").unlink()
    assert changed(recorded) == []
    # Of the same size, in the old one's place, and with its times.
    status = (recorded / "weights").stat()
    (recorded / "new").write_text("2")
    os.utime(recorded / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(recorded / "new", recorded / "weights")  # noqa: PTH105
    assert changed(recorded) == ["inputs"]
    (recorded / "weights").write_text("1")
    assert changed(recorded) == []
    (recorded / "build" / inputs.INPUTS).write_text("{")
    assert changed(recorded) == ["inputs"]


def test_a_plan_that_comes_changes_or_goes_is_seen(recorded):
    plan = recorded / "recipe" / "quantization.json"
    plan.write_text("{}")
    assert changed(recorded) == ["plan"]
    inputs.record_plan(recorded / "build", recorded / "recipe")
    assert changed(recorded) == []
    plan.write_text("[]")
    assert changed(recorded) == ["plan"]
    inputs.record_plan(recorded / "build", recorded / "recipe")
    for name in ("quantization.npz", "quantization_guarded.json", "quantization_guarded.npz"):
        (recorded / "recipe" / name).write_text("0")
        assert changed(recorded) == ["plan"], name
        inputs.record_plan(recorded / "build", recorded / "recipe")
        assert changed(recorded) == []
        (recorded / "recipe" / name).write_text("1")
        assert changed(recorded) == ["plan"], name
        inputs.record_plan(recorded / "build", recorded / "recipe")
    plan.unlink()
    # A search needs what only the export of a recipe without a plan writes.
    assert changed(recorded) == ["inputs", "plan"]


def test_data_that_comes_later_changes_or_is_elsewhere_is_seen(recorded):
    (recorded / "test.csv").write_text("text,labels")
    assert changed(recorded) == ["data"]
    inputs.record_data(recorded / "build", [recorded / "test.csv"], "MY_DATA")
    assert changed(recorded) == []
    (recorded / "test.csv").write_text("text,label")
    assert changed(recorded) == ["data"]
    inputs.record_data(recorded / "build", [recorded / "test.csv"], "MY_DATA")
    assert changed(recorded, MY_DATA=str(recorded)) == ["data"]


@pytest.mark.parametrize("record", inputs.RECORDS)
@pytest.mark.parametrize("key", ["code", "pins"])
def test_other_code_and_other_pins_are_seen(recorded, record, key):
    state = json.loads((recorded / "build" / record).read_text())
    assert state[key]
    (recorded / "build" / record).write_text(json.dumps(state | {key: "of before"}))
    assert changed(recorded) == [record.removeprefix(".")]


def test_any_file_of_a_folder_counts_by_name_and_content(tmp_path):
    (tmp_path / "room" / "inner").mkdir(parents=True)
    (tmp_path / "room" / "a.py").write_text("1")
    seen = {of_folders([tmp_path / "room"])}
    (tmp_path / "room" / "inner" / "page.css").write_text("1")
    seen.add(of_folders([tmp_path / "room"]))
    (tmp_path / "room" / "inner" / "page.css").write_text("2")
    seen.add(of_folders([tmp_path / "room"]))
    (tmp_path / "room" / "a.py").rename(tmp_path / "room" / "b.py")
    seen.add(of_folders([tmp_path / "room"]))
    assert len(seen) == 4
    (tmp_path / "room" / "__pycache__").mkdir()
    (tmp_path / "room" / "__pycache__" / "b.pyc").write_text("1")
    os.utime(tmp_path / "room" / "b.py", (1, 1))
    assert of_folders([tmp_path / "room"]) in seen


def test_a_file_is_hashed_again_only_where_it_may_have_changed(tmp_path, monkeypatch):
    hashed = []
    kept = file_hashes._hash
    monkeypatch.setattr(file_hashes, "_hash", lambda path: hashed.append(path.name) or kept(path))
    monkeypatch.setattr(file_hashes, "_SETTLED_NS", 0)
    (tmp_path / "a").write_text("1")

    def hash_of():
        hashes = FileHashes(tmp_path)
        found = hashes.of(tmp_path / "a")
        hashes.save()
        return found

    first = hash_of()
    assert hash_of() == first
    assert hashed == ["a"]
    os.utime(tmp_path / "a", (1, 1))
    assert hash_of() == first
    assert hashed == ["a", "a"]
    (tmp_path / "a").write_text("2")
    assert hash_of() != first
    (tmp_path / file_hashes.HASHES).write_text("{")
    assert hash_of() != first


def test_what_no_file_is_has_a_state_too_and_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 << 30)
    hashes = FileHashes(tmp_path)
    assert "not a regular file" in str(hashes.of(tmp_path / "pipe"))
    assert "not a regular file" in str(hashes.of(tmp_path / "zero"))
    assert "expected at most" in str(hashes.of(tmp_path / "sparse"))


def test_without_a_build_nothing_is_written(recorded):
    shutil.rmtree(recorded / "build")
    assert changed(recorded) == []
    assert not (recorded / "build").exists()
