"""Write graphs of a single matrix product each, which show a machine's peak."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx_ir as ir

from core.contract import OPSET
from core.disk.files import replacing

Precision = Literal["int8", "fp32"]
_IR_VERSION = 10
_CONTRIB = "com.microsoft"


@dataclass(frozen=True)
class Product:
    """`[rows, inner] x [inner, columns]`."""

    precision: Precision
    rows: int
    inner: int
    columns: int

    @property
    def file(self) -> str:
        """Name of the graph's file."""
        return f"{self.precision}-{self.rows}x{self.inner}x{self.columns}.onnx"

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return self.rows * self.inner * self.columns


# The feed-forward products of a 384-wide encoder, at batches of 256 to 1,024 tokens.
_PRECISIONS: tuple[Precision, ...] = ("int8", "fp32")
PRODUCTS = tuple(
    Product(precision, *shape)
    for precision in _PRECISIONS
    for shape in ((256, 384, 1536), (512, 384, 1536), (512, 1536, 384), (1024, 1536, 384))
)


def graph(product: Product) -> ir.Model:
    """Build one product with constant weights: `activations` `[rows, inner]` → `result` float32.

    ``int8`` is `MatMulIntegerToFloat` of uint8 activations (one constant scale and zero point) and
    int8 weights (one scale per column), ``fp32`` is `MatMul`. The same weights every time.
    """
    random = np.random.default_rng(0)
    shape, integer = (product.inner, product.columns), product.precision == "int8"
    if integer:
        constants = {
            # Seven bits: two products that saturate would be another result on CPUs without VNNI.
            "weight": random.integers(-63, 64, shape, np.int8),
            "activation_scale": np.array(0.02, np.float32),
            "weight_scale": random.uniform(1e-3, 1e-2, product.columns).astype(np.float32),
            "activation_zero_point": np.array(128, np.uint8),
        }
    else:
        constants = {"weight": random.standard_normal(shape).astype(np.float32)}
    activations = ir.val(
        "activations",
        ir.DataType.UINT8 if integer else ir.DataType.FLOAT,
        [product.rows, product.inner],
    )
    initializers = [
        ir.val(name, const_value=ir.tensor(array, name=name)) for name, array in constants.items()
    ]
    operator = (_CONTRIB, "MatMulIntegerToFloat") if integer else ("", "MatMul")
    result = ir.val("result", ir.DataType.FLOAT, [product.rows, product.columns])
    node = ir.Node(*operator, [activations, *initializers], outputs=[result], name="product")
    opsets = {"": OPSET, _CONTRIB: 1}
    made = ir.Graph(
        [activations], [result], nodes=[node], initializers=initializers, opset_imports=opsets, name="product"
    )
    return ir.Model(made, ir_version=_IR_VERSION)


def write(folder: Path) -> None:
    """Write a graph for each of `PRODUCTS`."""
    for product in PRODUCTS:
        with replacing(folder / product.file) as temporary:
            ir.save(graph(product), temporary)
