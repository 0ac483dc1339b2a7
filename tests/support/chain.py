"""Random heads of affine steps, one of every form that a converter may emit."""

from __future__ import annotations

import numpy as np
from onnx import helper

node = helper.make_node
STEPS = (
    "gemm,gemm transposed,gemm without bias,matmul,scaler,add,sub,from,mul,div,concat,slice,gather,identity"
).split(",")


class Chain:
    """A head of random affine steps; `value` is the last output's name."""

    def __init__(self, width: int, seed: int) -> None:
        self.random, self.nodes, self.constants = np.random.default_rng(seed), [], {}
        self.value, self.width = "x", width

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(
            array, np.int64 if np.asarray(array).dtype.kind == "i" else np.float32
        )
        return name

    def emit(self, operator: str, inputs: list[str], **attributes) -> None:
        self.value = f"v{len(self.nodes)}"
        self.nodes.append(node(operator, inputs, [self.value], **attributes))

    def row(self) -> str:
        shape = [(self.width,), (1, self.width), (1,), ()][self.random.integers(4)]
        return self.constant(self.random.uniform(0.5, 1.5, shape))

    def step(self, kind: str) -> None:
        random, value = self.random, self.value
        if kind.startswith(("gemm", "matmul")):
            wide = int(random.integers(1, 5))
            weight = random.standard_normal((self.width, wide)) / self.width**0.5
            self.width = wide
            if kind == "matmul":
                self.emit("MatMul", [value, self.constant(weight)])
            elif kind == "gemm without bias":
                self.emit("Gemm", [value, self.constant(weight)], alpha=0.5)
            elif kind == "gemm transposed":
                self.emit(
                    "Gemm", [value, self.constant(weight.T), self.row()], transB=1, alpha=-1.5, beta=0.25
                )
            else:
                self.emit("Gemm", [value, self.constant(weight), self.row()], beta=-2.0)
        elif kind == "scaler":
            offset, scale = random.uniform(0.5, 1.5, (2, self.width)).tolist()
            self.emit("Scaler", [value], domain="ai.onnx.ml", offset=offset, scale=scale)
        elif kind == "from":
            self.emit("Sub", [self.row(), value])
        elif kind in ("add", "mul"):
            self.emit(kind.title(), [value, self.row()][:: int(random.choice([-1, 1]))])
        elif kind in ("sub", "div"):
            self.emit(kind.title(), [value, self.row()])
        elif kind == "concat":
            doubled = f"d{len(self.nodes)}"
            self.nodes.append(node("Mul", [value, self.constant(-2.0)], [doubled]))
            self.emit("Concat", [value, doubled], axis=int(random.choice([-1, 1])))
            self.width *= 2
        elif kind == "slice" and self.width > 1:
            stop = int(random.integers(1, self.width))
            self.emit("Slice", [value, *map(self.constant, ([0], [stop], [1]))])
            self.width = stop
        elif kind == "gather":
            picked = random.integers(0, self.width, 3)
            self.emit("Gather", [value, self.constant(picked)], axis=1)
            self.width = 3
        else:
            self.emit("Identity", [value])
