"""The floor's MACs against a count by hand, and against the products of an exported encoder."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from bench.contenders.bare_products import Product
from bench.measure.floor import Shape, macs, peaks
from tests.support.factories import Shape as BertShape
from tests.support.graphs import exported


def test_macs_by_hand():
    # Three tokens: 3 (4·2² + 2·2·5) + 2·3²·2 = 144 a layer.
    assert macs(Shape(2, 2, 5, "mean"), 3) == 288
    # The last layer: keys and values 3·2·2², one token's query and output 2·2², feed-forward 2·2·5,
    # one row of attention 2·3·2.
    assert macs(Shape(2, 2, 5, "cls"), 3) == 144 + 24 + 8 + 20 + 12
    # One token: nothing can be left out of the last layer.
    assert macs(Shape(3, 4, 8, "cls"), 1) == macs(Shape(3, 4, 8, "mean"), 1)


def test_macs_of_the_published_shape():
    # facts.md's figure: about 0.38 GMAC for 19.1 tokens through 12 layers with the last one pruned.
    assert macs(Shape(12, 384, 1536, "cls"), 19.1) == pytest.approx(0.38e9, rel=0.02)


@pytest.mark.parametrize("tokens", [1, 7, 20])
def test_macs_against_the_products_of_an_exported_encoder(tmp_path, tokens):
    shape = BertShape(layers=2, heads=3, hidden=24, intermediate=40)
    model = onnx.load(exported(tmp_path, shape, "mean").path)
    products = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    names = {name for node in products for name in (*node.input[:2], *node.output)}
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    computed = sorted(names - set(constants))
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in computed)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    ids = np.ones((1, tokens), np.int64)
    found = session.run(computed, {"input_ids": ids, "attention_mask": ids})
    shapes = constants | {name: value.shape for name, value in zip(computed, found, strict=True)}
    # A product of [.., m, k] and [k, n] has as many MACs as its output has numbers, times k.
    counted = sum(np.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1] for node in products)
    assert counted == macs(Shape(2, 24, 40, "mean"), tokens)


def test_the_peak_is_the_fastest_call_of_a_precision():
    products = [Product("int8", 6, 10, 10), Product("fp32", 6, 10, 10), Product("int8", 1, 10, 10)]
    calls = [(0, 3.0), (0, 2.0), (1, 6.0), (1, 8.0), (2, 0.5), (2, 0.25)]
    assert peaks(products, calls) == {"int8": 400.0, "fp32": 100.0}
