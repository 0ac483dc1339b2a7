"""Exports are slow: each is made once and shared."""

from __future__ import annotations

import onnx_ir as ir
import onnxruntime
import pytest

from tests.factories import Shape
from tests.graphs.make import Exported, exported, pooled


@pytest.fixture(scope="session")
def mean(tmp_path_factory) -> Exported:
    return exported(tmp_path_factory.mktemp("mean"), Shape(layers=2, heads=3), "mean")


@pytest.fixture(scope="session")
def cls(tmp_path_factory) -> Exported:
    shape = Shape(layers=1, heads=5, hidden=20)
    return exported(tmp_path_factory.mktemp("cls"), shape, "cls", normalize=False)


@pytest.fixture(scope="session", params=["mean", "cls"])
def any_encoder(request) -> Exported:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def mean_session(mean):
    return onnxruntime.InferenceSession(ir.to_proto(pooled(mean)).SerializeToString())
