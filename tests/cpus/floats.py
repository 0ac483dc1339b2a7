"""The float operators of an `int8` graph, each alone: on which processors is every bit this machine's?

What differs ahead of a rounding sends a few values to another integer. Integer products are in `kernels.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_WIDTH, _TOKENS = 384, 40
# A softmax is summed 16 values at a time where vectors are that long.
OPERATORS = {
    "InstanceNormalization": ("tokens", ["one", "zero"], "", {"epsilon": 1e-12}),
    "LayerNormalization": ("wide", ["gamma", "beta"], "", {"epsilon": 1e-12}),
    "Gelu": ("wide", [], "com.microsoft", {}),
    "Softmax of 16": ("scores_16", [], "", {}),
    "Softmax of 24": ("scores_24", [], "", {}),
    "MatMul": ("wide", ["square"], "", {}),
    "QuantizeLinear": ("wide", ["scale", "zero_point"], "", {}),
    "MatMulIntegerToFloat": ("u8", ["s8", "scale", "scales", "zero_point", "", "beta"], "com.microsoft", {}),
}


def _values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    wide = random.normal(0, 2, (_TOKENS, _WIDTH)).astype(np.float32)
    return {
        "wide": wide,
        "tokens": wide[:, None],
        "scores_16": wide[:, :16],
        "scores_24": wide[:, :24],
        "u8": random.integers(0, 256, wide.shape, np.uint8),
        # Half of the largest: no pair of two rows saturates.
        "s8": random.integers(-64, 65, (_WIDTH, _WIDTH)).astype(np.int8),
        "square": random.normal(0, 0.1, (_WIDTH, _WIDTH)).astype(np.float32),
        "scales": random.uniform(1e-3, 1e-2, _WIDTH).astype(np.float32),
        "gamma": random.normal(0, 30, _WIDTH).astype(np.float32),
        "beta": random.normal(0, 10, _WIDTH).astype(np.float32),
        "one": np.ones(1, np.float32),
        "zero": np.zeros(1, np.float32),
        "scale": np.float32(0.0371),
        "zero_point": np.uint8(117),
    }


def write(folder: Path) -> tuple[dict[str, np.ndarray], list[Path]]:
    """Write a graph for each operator; return what they read by name, and the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    values, paths = _values(), []
    for name, (given, constants, domain, attributes) in OPERATORS.items():
        node = helper.make_node(name.split(" ")[0], [given, *constants], ["y"], domain=domain, **attributes)
        kept = [numpy_helper.from_array(np.asarray(values[key]), key) for key in constants if key]
        kind = helper.np_dtype_to_tensor_dtype(values[given].dtype)
        answer_kind = TensorProto.UINT8 if name == "QuantizeLinear" else TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info(given, kind, values[given].shape)]
        answer = [helper.make_tensor_value_info("y", answer_kind, None)]
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
        graph = helper.make_graph([node], "operator", inputs, answer, kept)
        paths.append(folder / f"float {name}.onnx")
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), paths[-1])
    return {given: values[given] for given, *_ in OPERATORS.values()}, paths


def different(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the share of values that differ by operator, of those of which any does."""
    shares = {name: float((found[f"float {name}"] != expected[f"float {name}"]).mean()) for name in OPERATORS}
    return {name: share for name, share in shares.items() if share}
