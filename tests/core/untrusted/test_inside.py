"""A name that an untrusted file states stays inside the folder, through every link and for every system."""

from __future__ import annotations

import pytest

from core.errors import ArtifactError
from core.untrusted import inside


@pytest.mark.parametrize("name", ["a", "onnx/model.onnx", "ä/b c", "a..b", ".a", "a" * 255])
def test_a_plain_name_is_joined(tmp_path, name):
    assert inside.join(tmp_path, name, "manifest.json", ArtifactError) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "/etc/passwd", "//host/share", "../x", "a/../../x", "a/..", "./a", "a//b", "a/"),
        *("a\\b", "..\\x", "C:x", "C:/x", "a\0b", "a\nb", "\x1b[31m", "\ud800", "a\u202eb", "a" * 256),
        *(5, None, ["a"], True),
    ],
)
def test_another_is_one_line_that_shows_it(tmp_path, name):
    with pytest.raises(
        ArtifactError, match=r"^manifest\.json: file: found .*, expected one inside"
    ) as raised:
        inside.join(tmp_path, name, "manifest.json", ArtifactError)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["link", "link/model.onnx", "folder/link"])
def test_a_link_is_none_of_the_folder_wherever_it_leads(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "folder/link").symlink_to("../folder")
    with pytest.raises(ArtifactError, match=r"link: found a link, expected a file of the folder's own"):
        inside.join(tmp_path, name, "manifest.json", ArtifactError)
