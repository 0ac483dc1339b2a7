"""Bare products: each computes what it says, from constant weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import numpy_helper

from bench.contenders import products
from bench.measure.floor import read_products


@pytest.mark.parametrize("kind", ["int8", "fp32"])
def test_a_product_against_numpy(kind):
    wanted = products.Product(kind, 5, 16, 24)
    model = ir.to_proto(products.product(wanted))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    value = session.get_inputs()[0]
    assert value.shape == [5, 16]
    activations = np.random.default_rng(1).integers(0, 256, (5, 16))
    if kind == "int8":
        assert value.type == "tensor(uint8)"
        centred = activations - int(constants["activation_zero_point"])
        scale = constants["activation_scale"] * constants["weight_scale"]
        expected = centred @ constants["weight"].astype(int) * scale
        assert constants["weight"].dtype == np.int8
        assert len(set(constants["weight_scale"])) == 24
    else:
        expected = activations @ constants["weight"]
    (found,) = session.run(None, {value.name: activations.astype(np.uint8 if kind == "int8" else np.float32)})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_the_files_and_their_list(tmp_path):
    products.write(tmp_path)
    listed = read_products(tmp_path)
    assert {product.kind for product in listed} == {"int8", "fp32"}
    assert listed[0].macs == 256 * 384 * 1536
    assert all(product.file.is_file() for product in listed)
    first = listed[0].file.read_bytes()
    products.write(tmp_path)
    assert listed[0].file.read_bytes() == first
