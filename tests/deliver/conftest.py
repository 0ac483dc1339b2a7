"""An artifact that a test may change: links to the real one's files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def changeable(artifact, tmp_path):
    folder = tmp_path / "artifact"
    shutil.copytree(artifact, folder, copy_function=_link)
    return folder


def _link(source, target):
    Path(target).symlink_to(Path(source).resolve())


@pytest.fixture
def change(changeable):
    """Change a JSON file of the artifact: the link goes, the real file stays."""

    def write(name, **fields):
        path = changeable / name
        content = json.loads(path.read_text("utf-8")) | fields
        path.unlink()
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return write
