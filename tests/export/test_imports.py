"""What a build imports: nothing that only trains a head."""

from __future__ import annotations

from tests.support.commands import python

BUILD = """
import sys
import export.__main__
from export.encoder import assets, torch_encoder
from export.head import published_head
from export.reference import answers, calibration
print(*sorted({"sklearn", "skl2onnx"} & set(sys.modules)))
"""


def test_a_build_imports_nothing_that_only_trains_a_head():
    found = python(BUILD)
    assert (found.returncode, found.stdout) == (0, "\n"), found.stderr
