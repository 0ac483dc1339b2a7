"""Bare products: each computes what it says, from constant weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import numpy_helper

from bench.contenders import bare_products


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_product_against_numpy(precision):
    model = ir.to_proto(bare_products.graph(bare_products.Product(precision, 5, 16, 24)))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    value = session.get_inputs()[0]
    assert value.shape == [5, 16]
    activations = np.random.default_rng(1).integers(0, 256, (5, 16))
    if precision == "int8":
        assert value.type == "tensor(uint8)"
        centred = activations - int(constants["activation_zero_point"])
        scale = constants["activation_scale"] * constants["weight_scale"]
        expected = centred @ constants["weight"].astype(int) * scale
        assert constants["weight"].dtype == np.int8
        assert len(set(constants["weight_scale"])) == 24
    else:
        expected = activations @ constants["weight"]
    (found,) = session.run(
        None, {value.name: activations.astype(np.uint8 if precision == "int8" else np.float32)}
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_the_files_and_their_sizes(tmp_path):
    bare_products.write(tmp_path)
    products = bare_products.PRODUCTS
    assert {product.precision for product in products} == {"int8", "fp32"}
    assert products[0].macs == 256 * 384 * 1536
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(product.file for product in products)
    first = tmp_path / products[0].file
    content = first.read_bytes()
    bare_products.write(tmp_path)
    assert first.read_bytes() == content
