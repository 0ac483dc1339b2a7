"""Untrusted JSON and TOML: strict, of limited size and depth."""

from __future__ import annotations

import json
import os
import time

import pytest

from core.errors import ArtifactError, RecipeError
from core.untrusted import json_file, limits, toml_file


def refused(content, message):
    with pytest.raises(ArtifactError, match=rf"^here: .*{message}"):
        json_file.loads(content, "here", ArtifactError)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b'{"a": 1} x', "cannot be read as JSON"),
        (b"\xff", "cannot be read as JSON"),
        (b'"\xed\xa0\x80"', "cannot be read as JSON"),
        (b"\xef\xbb\xbf{}", "begins with a byte order mark"),
        (b"[NaN]", "NaN is not a number of JSON"),
        (b"[-Infinity]", "-Infinity is not a number of JSON"),
        (b"[1e999]", "1e999 is beyond what a number can be"),
        (b"[" + b"9" * 41 + b"]", "a number of 41 digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "duplicate key 'a'"),
        (b'[{"x": {"a": 1, "a": 1}}]', "duplicate key 'a'"),
        (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper than 32"),
        (b"[" * 100_000, "nested deeper than 32"),
        (b'{"a":' * 100_000, "nested deeper than 32"),
        (b"[" + b"{}," * 200_000 + b"1]", "more than 200,000 objects and lists"),
    ],
)
def test_json_that_is_refused(content, message):
    refused(content, message)


def test_json_that_is_read():
    deepest = b"[" * 32 + b"]" * 32
    assert json_file.loads(deepest, "here", ArtifactError) == json.loads(deepest)
    content = '{"ä": [1, -2.5e3, true, null, "\\ud83d\\ude00"], "max": 1000000000000000019884624838656}'
    assert json_file.loads(content.encode(), "here", ArtifactError) == json.loads(content)


def test_a_file_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(limits.JSON_BYTES + 1)
    start = time.monotonic()
    with pytest.raises(
        ArtifactError, match=rf"a\.json: found {limits.JSON_BYTES + 1:,} bytes, expected at most"
    ):
        json_file.read(path, ArtifactError)
    assert time.monotonic() - start < 1


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("pipe.json", ".", "missing.json", "a\0b"):
        with pytest.raises(ArtifactError, match="cannot be read: "):
            json_file.read(tmp_path / name, ArtifactError)


@pytest.mark.parametrize(
    "start",
    [b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\0" * 257 + b"ustar"],
)
def test_archives_are_not_unpacked(tmp_path, start):
    (tmp_path / "a.json").write_bytes(start + b"\0" * 600)
    with pytest.raises(ArtifactError, match=r"a\.json: an archive, which is not accepted"):
        json_file.read(tmp_path / "a.json", ArtifactError)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a = 1\na = 2", "cannot be read as TOML"),
        ("a = " + "[" * 33 + "]" * 33, "nested deeper than 32"),
        ("a = " + "[" * 30_000, "nested deeper than 32"),
        ("a = " + "{a = " * 10_000, "nested deeper than 32"),
        ("a." * 32 + "a = 1", "nested deeper than 32"),
        ("[" + "a." * 20_000 + "a]", "nested deeper than 32"),
        ("a = " + "9" * 5_000, "cannot be read as TOML"),
        ("a" * (limits.RECIPE_BYTES + 1), "found .* bytes, expected at most"),
        ('"' + "\\" * 60_000, "cannot be read as TOML"),
    ],
)
def test_toml_that_is_refused_at_once(tmp_path, content, message):
    (tmp_path / "recipe.toml").write_text(content)
    start = time.monotonic()
    with pytest.raises(RecipeError, match=message):
        toml_file.read(tmp_path / "recipe.toml", RecipeError)
    assert time.monotonic() - start < 5


def test_toml_whose_brackets_are_in_strings_and_comments(tmp_path):
    text = (
        "a = '[[[["
        + "[" * 50
        + "'\n# "
        + "[" * 50
        + '\nb = "'
        + "a." * 50
        + '"\nc = """'
        + "{" * 50
        + '"""\n'
    )
    (tmp_path / "recipe.toml").write_text(text)
    found = toml_file.read(tmp_path / "recipe.toml", RecipeError)
    assert set(found) == {"a", "b", "c"}
