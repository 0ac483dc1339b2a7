"""An artifact that a test may change: links to the real one's files."""

from __future__ import annotations

import json

import pytest

from tests.support.forge import linked_copy, reseal, rewrite


@pytest.fixture
def changeable(artifact, tmp_path):
    return linked_copy(artifact, tmp_path / "artifact")


@pytest.fixture
def change(changeable):
    """Change a JSON file of the artifact, and list it anew: the link goes, the real file stays."""

    def write(name, /, **fields):
        content = json.loads((changeable / name).read_text("utf-8")) | fields
        kept = {key: value for key, value in content.items() if value is not None}
        rewrite(changeable / name, json.dumps(kept).encode())
        if name != "manifest.json":
            reseal(changeable)

    return write
