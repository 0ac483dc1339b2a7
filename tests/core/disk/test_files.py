"""Files are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

from core.disk import files
from core.errors import ArtifactError


class StopError(Exception):
    """Something that goes wrong half-way."""


def stop_half_way(path):
    path.write_bytes(b"half of the n")
    raise StopError


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    target = tmp_path / "made" / "on" / "demand" / "a.bin"
    with files.replacing(target) as temporary:
        assert temporary.parent == target.parent
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(StopError), files.replacing(target) as temporary:
        stop_half_way(temporary)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_without_an_old_file_leaves_nothing(tmp_path):
    with pytest.raises(StopError), files.replacing(tmp_path / "a.bin"):
        raise StopError
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.replacing(tmp_path / "a.bin"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    target = tmp_path / "file" / "a.bin"
    with pytest.raises(ArtifactError, match=f"^{target}: cannot be written: "):
        files.write_bytes(target, b"new")
    assert (tmp_path / "file").read_bytes() == b""


def test_a_path_that_is_a_folder(tmp_path):
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(ArtifactError, match=r"a\.bin: cannot be written: "):
        files.write_bytes(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bin"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_decides_who_may_read(tmp_path, umask):
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "a.txt", "new")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~umask


def test_json_is_indented_utf8_in_the_order_given(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": "ü", "a": [1]})
    assert (tmp_path / "a.json").read_bytes() == '{\n  "b": "ü",\n  "a": [\n    1\n  ]\n}\n'.encode()


def test_text_is_utf8_and_its_line_ends_stay(tmp_path):
    files.write_text(tmp_path / "a.txt", "é\r\n日本\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n日本\n".encode()


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 5000])
def test_sha256(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    assert files.sha256_file(tmp_path / "a.bin") == hashlib.sha256(content).hexdigest()
