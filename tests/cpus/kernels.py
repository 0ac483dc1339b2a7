"""Small graphs of int8 products that tell a processor's kernels apart: which pairs of products saturate.

`MatMulIntegerToFloat` and `QAttention`, each with weights of which a pair of rows adds up to more than 128 in
magnitude, and with pair-safe ones. Every exact answer is a whole number below 2**24, so float32 has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from core.errors import ToolchainError

ROWS, DEPTH, HEAD = 5, 64, 32
# Two rows of a column, repeated: 255 * (127 + 127) saturates 16 bits, 255 * 128 does not.
PAIRS = {"unsafe": ((127, 127), (-127, -127)), "safe": ((64, 64), (-1, -127), (127, -127))}
OPERATORS = ("MatMulIntegerToFloat", "QAttention")


def columns(operator: str) -> int:
    """Return how many columns an operator's weights have: query, key and value, or one projection."""
    return 3 * HEAD if operator == "QAttention" else HEAD


def weights(pairs: tuple[tuple[int, int], ...], count: int) -> np.ndarray:
    """Return s8 `[DEPTH, count]`: the columns take the pairs in turn."""
    return np.array([pairs[column % len(pairs)] * (DEPTH // 2) for column in range(count)], np.int8).T


def _graph(operator: str, weight: np.ndarray) -> onnx.ModelProto:
    count = weight.shape[1]
    values = {"weight": weight, "one": np.float32(1), "ones": np.ones(count, np.float32)}
    values |= {"zero": np.uint8(0), "bias": np.zeros(count, np.float32)}
    if operator == "QAttention":
        inputs = ["token", "weight", "bias", "one", "ones", "", "zero"]
        node = helper.make_node(operator, inputs, ["y"], domain="com.microsoft", num_heads=1)
        given = helper.make_tensor_value_info("token", TensorProto.UINT8, [1, 1, DEPTH])
    else:
        node = helper.make_node(operator, ["rows", "weight", "one", "ones"], ["y"], domain="com.microsoft")
        given = helper.make_tensor_value_info("rows", TensorProto.UINT8, ["n", DEPTH])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    used = [constant for constant in constants if constant.name in node.input]
    graph = helper.make_graph([node], operator, [given], [answer], used)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def write(folder: Path) -> tuple[dict[str, np.ndarray], list[Path]]:
    """Write the graphs; return what they read by name, 255 throughout, and the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    full = np.full((ROWS, DEPTH), 255, np.uint8)
    paths = []
    for operator in OPERATORS:
        for name, pairs in PAIRS.items():
            paths.append(folder / f"{operator}-{name}.onnx")
            onnx.save(_graph(operator, weights(pairs, columns(operator))), paths[-1])
    return {"rows": full, "token": full[None, :1]}, paths


def exact(operator: str, name: str) -> np.ndarray:
    """Return the exact answers `[columns]`, the same in each row; attention to one token is its value."""
    sums = 255 * weights(PAIRS[name], columns(operator)).astype(np.int64).sum(axis=0)
    return sums[-HEAD:]


def saturating(processor: str, answers: dict[str, np.ndarray]) -> list[str]:
    """Return the operators whose pairs of products saturate on a processor.

    Raises:
        ToolchainError: a product of pair-safe weights is not exact.
    """
    found = []
    for operator in OPERATORS:
        for name in PAIRS:
            rows = answers[f"{operator}-{name}"].reshape(-1, HEAD)
            if (rows == exact(operator, name)).all():
                continue
            if name == "safe":
                expected = "expected the exact sums"
                raise ToolchainError(
                    f"{processor}: {operator} of pair-safe weights: found others, {expected}"
                )
            found.append(operator)
    return found


def check(processor: str, answers: dict[str, np.ndarray], saturates: bool) -> None:
    """Hold an emulated processor to the kernels that it is chosen for: others would prove nothing.

    Raises:
        ToolchainError: unsafe pairs saturate though `saturates` is false, or are exact though it is true; or
            pair-safe ones are not exact.
    """
    found = saturating(processor, answers)
    expected = [*OPERATORS] if saturates else []
    if found != expected:
        names = [" and ".join(operators) or "no operator" for operators in (found, expected)]
        said = f"found {names[0]} to saturate, expected {names[1]}"
        raise ToolchainError(f"{processor}: {said}: not the kernels of that processor")
