"""Exports are slow: each is made once and shared."""

from __future__ import annotations

from itertools import product

import onnx_ir as ir
import onnxruntime
import pytest
import torch

from tests.support.factories import Shape
from tests.support.features import FEATURES, encoder_with_features
from tests.support.graphs import Exported, exported, pooled


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """Several threads on tensors this small wait for each other, a second a test on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mean(tmp_path_factory) -> Exported:
    return exported(tmp_path_factory.mktemp("mean"), Shape(layers=2, heads=3), "mean")


@pytest.fixture(scope="session")
def cls(tmp_path_factory) -> Exported:
    shape = Shape(layers=1, heads=5, hidden=20)
    return exported(tmp_path_factory.mktemp("cls"), shape, "cls", normalize=False)


@pytest.fixture(scope="session")
def deep(tmp_path_factory) -> Exported:
    return exported(tmp_path_factory.mktemp("deep"), Shape(layers=3, heads=7, hidden=28), "cls")


@pytest.fixture(scope="session", params=["mean", "cls"])
def any_encoder(request) -> Exported:
    return request.getfixturevalue(request.param)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param((export, pooling, normalize), id=f"{layers}-{pooling}{'-normalized' * normalize}")
        for (layers, export), pooling, normalize in product(
            enumerate(("cls", "mean", "deep"), 1), ("cls", "mean"), (False, True)
        )
    ],
)
def every_encoder(request) -> Exported:
    """1 to 3 layers, of 5, 3 and 7 heads; both poolings, normalized and not."""
    export, pooling, normalize = request.param
    return request.getfixturevalue(export).with_pooling(pooling, normalize)


@pytest.fixture(scope="session", params=FEATURES)
def made(request, tmp_path_factory) -> Exported:
    """An encoder with features of several layers, of every kind."""
    return encoder_with_features(tmp_path_factory.mktemp("features"), request.param)


@pytest.fixture(scope="session")
def mean_session(mean):
    return onnxruntime.InferenceSession(ir.to_proto(pooled(mean)).SerializeToString())
