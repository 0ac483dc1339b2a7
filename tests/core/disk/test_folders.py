"""A folder that takes another's place: killed before every file operation, there is always one of the two."""

from __future__ import annotations

import os
import resource
import signal

import pytest

from core.disk import files
from core.disk import folders as swap
from core.errors import ArtifactError
from tests.support.killing import content, killed_at


def fill(folder, letter):
    (folder / "inner").mkdir(parents=True)
    for name in ("a", "b", "inner/c"):
        (folder / name).write_text(letter * 1000)


def replace(target, letter):
    with swap.replacing_folder(target, "a") as fresh:
        fill(fresh, letter)


@pytest.fixture
def folders(tmp_path):
    """The target with the old content, and what old and new content look like."""
    for letter in "on":
        fill(tmp_path / letter, letter)
    replace(tmp_path / "target", "o")
    return tmp_path / "target", content(tmp_path / "o"), content(tmp_path / "n")


def test_killed_anywhere_one_of_the_two_is_there_and_the_next_run_succeeds(folders):
    target, old, new = folders
    if not swap.exchange(target, target.with_name("o")):
        pytest.skip(f"{target.parent}: this file system cannot exchange two folders")
    swap.exchange(target, target.with_name("o"))
    seen = set()
    for operation in range(1, 200):
        if not killed_at(operation, lambda: replace(target, "n")):
            break
        assert content(target) in (old, new)
        seen.add(content(target) == new)
        replace(target, "o")
        assert content(target) == old
        assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []
    assert seen == {False, True}
    assert 10 < operation < 199


def test_where_no_exchange_is_possible_the_next_run_puts_the_old_back(folders, monkeypatch):
    target, old, new = folders
    monkeypatch.setattr(swap, "exchange", lambda one, other: False)
    missing = 0
    for operation in range(1, 200):
        if not killed_at(operation, lambda: replace(target, "n")):
            break
        missing += not target.exists()
        swap.recover(target)
        assert content(target) in (old, new)
        replace(target, "o")
        assert content(target) == old
    assert missing > 0
    assert operation < 199


def test_the_exchange_is_one_step_and_refuses_what_is_not_there(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "is").write_text(name)
    if not swap.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip(f"{tmp_path}: this file system cannot exchange two folders")
    assert (tmp_path / "a/is").read_text() == "b"
    with pytest.raises(FileNotFoundError):
        swap.exchange(tmp_path / "a", tmp_path / "none")


def test_what_another_artifact_of_a_like_name_is_writing_is_left_alone(folders):
    target, _, _ = folders
    others = target.with_name(".target.small.abc.tmp")
    others.mkdir()
    # Of the right name, and another's all the same.
    foreign = target.with_name(".target.abc.tmp")
    foreign.mkdir()
    (foreign / "notes").touch()
    replace(target, "n")
    assert others.is_dir()
    assert (foreign / "notes").is_file()


def test_an_error_while_filling_leaves_the_old_and_nothing_else(folders):
    target, old, _ = folders

    def failing():
        with swap.replacing_folder(target, "a") as fresh:
            fill(fresh, "n")
            raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        failing()
    assert content(target) == old
    assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []


def test_a_file_killed_anywhere_is_the_old_or_the_new(tmp_path):
    path = tmp_path / "file.json"
    files.write_text(path, "old")
    for operation in range(1, 50):
        if not killed_at(operation, lambda: files.write_text(path, "new")):
            break
        assert path.read_text() in ("old", "new")
        files.remove_unfinished(tmp_path)
        assert [found.name for found in tmp_path.iterdir()] == ["file.json"]
    assert path.read_text() == "new"
    assert 3 < operation < 49


def test_a_file_over_the_limit_is_one_error_and_the_old_stays(tmp_path):
    path = tmp_path / "file.json"
    files.write_text(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(ArtifactError, match=r"file\.json: cannot be written: File too large$"):
            files.write_bytes(path, b"n" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, kept)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.json"]  # noqa: PTH208
