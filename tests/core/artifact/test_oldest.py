"""The oldest version of onnxruntime that runs a graph follows from the versions that its file states."""

from __future__ import annotations

import onnx
import pytest

from core.artifact import oldest
from core.errors import ArtifactError
from tests.support import onnx_files


@pytest.mark.parametrize(
    ("ir_version", "imports", "expected"),
    [
        (8, {"": 18}, "1.17"),
        (8, {"ai.onnx": 18, "com.microsoft": 1, "ai.onnx.ml": 4}, "1.17"),
        (8, {"": 18, "ai.onnx.ml": 5}, "1.18"),
        (10, {"": 18}, "1.18"),
    ],
)
def test_the_latest_of_all_that_is_stated(ir_version, imports, expected):
    assert oldest.of(ir_version, imports) == expected


@pytest.mark.parametrize(
    ("ir_version", "imports", "said"),
    [
        (99, {"": 18}, "ir_version: found 99, expected 8 or 9 or 10"),
        (8, {"": 99}, "operators of ai.onnx: version: found 99, expected 18"),
        (8, {"": 18, "ai.onnx.ml": 6}, "operators of ai.onnx.ml: version: found 6, expected 1 or 2"),
        (8, {"other": 1}, "operators of other: version: found 1, expected no such domain"),
    ],
)
def test_what_was_not_tried_is_not_stated(ir_version, imports, said):
    with pytest.raises(ArtifactError, match=said):
        oldest.of(ir_version, imports)


def test_a_file_states_it(tmp_path):
    path, model = tmp_path / "model.onnx", onnx_files.model()
    for ir_version, expected in ((8, "1.17"), (10, "1.18")):
        model.ir_version = ir_version
        onnx.save(model, path)
        assert oldest.of_file(path) == expected
    model.opset_import[0].version = 19
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match=r"model.onnx: operators of ai.onnx: version: found 19"):
        oldest.of_file(path)
