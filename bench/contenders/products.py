"""Write single matrix products, to time a machine's peak: `python -m bench.contenders.products FOLDER`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.contract import OPSET
from core.disk.files import replacing, write_text

Kind = Literal["int8", "fp32"]
PRODUCTS_FILE = "products.json"
_IR_VERSION = 10
_CONTRIB = "com.microsoft"


@dataclass(frozen=True)
class Product:
    """`[rows, inner] x [inner, columns]`; its multiply-accumulates are the three multiplied."""

    kind: Kind
    rows: int
    inner: int
    columns: int

    @property
    def file(self) -> str:
        """Name of the graph's file."""
        return f"{self.kind}-{self.rows}x{self.inner}x{self.columns}.onnx"


# The feed-forward products of a 384-wide encoder, at batches of 256 to 1,024 tokens.
PRODUCTS = tuple(
    Product(kind, *shape)
    for kind in ("int8", "fp32")
    for shape in ((256, 384, 1536), (512, 384, 1536), (512, 1536, 384), (1024, 1536, 384))
)


def _constant(name: str, array: NDArray[np.generic]) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    return ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=ir.TensorType(tensor.dtype))  # type: ignore[arg-type]


def product(wanted: Product) -> ir.Model:
    """Build one product with constant weights: `activations` `[rows, inner]` → `result` float32.

    ``int8`` is `MatMulIntegerToFloat` of uint8 activations (one constant scale and zero point) and
    int8 weights (one scale a column), ``fp32`` is `MatMul`. The same weights every time.
    """
    random = np.random.default_rng(0)
    shape = (wanted.inner, wanted.columns)
    integer = wanted.kind == "int8"
    dtype = ir.DataType.UINT8 if integer else ir.DataType.FLOAT
    activations = ir.Value(
        name="activations", shape=ir.Shape([wanted.rows, wanted.inner]), type=ir.TensorType(dtype)
    )
    if integer:
        constants = [
            _constant("weight", random.integers(-127, 128, shape, np.int8)),
            _constant("activation_scale", np.array(0.02, np.float32)),
            _constant("weight_scale", random.uniform(1e-3, 1e-2, wanted.columns).astype(np.float32)),
            _constant("activation_zero_point", np.array(128, np.uint8)),
        ]
        node = ir.Node(_CONTRIB, "MatMulIntegerToFloat", [activations, *constants], name="product")
    else:
        constants = [_constant("weight", random.standard_normal(shape).astype(np.float32))]
        node = ir.Node("", "MatMul", [activations, *constants], name="product")
    result = node.outputs[0]
    result.name, result.type = "result", ir.TensorType(ir.DataType.FLOAT)
    result.shape = ir.Shape([wanted.rows, wanted.columns])
    graph = ir.Graph(
        [activations],
        [result],
        nodes=[node],
        initializers=constants,
        opset_imports={"": OPSET, _CONTRIB: 1},
        name="product",
    )
    return ir.Model(graph, ir_version=_IR_VERSION)


def write(folder: Path) -> None:
    """Write a graph for each of `PRODUCTS`, and then `products.json`: their files and sizes."""
    for wanted in PRODUCTS:
        with replacing(folder / wanted.file) as temporary:
            ir.save(product(wanted), temporary)
    listed = [{"file": wanted.file, **asdict(wanted)} for wanted in PRODUCTS]
    write_text(folder / PRODUCTS_FILE, json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
