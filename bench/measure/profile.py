"""Tell where a graph's time goes: by kind of work, and what handing operators over costs by itself.

onnxruntime's profile has what each operator's kernel took. What is between kernels is measured beside it, in
the same rounds, on a graph of operators that do nothing. What neither explains stays as it is.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from bench.measure import texts
from core import runtime
from core.contract import IR_VERSION, OPSET
from core.timing import Turn, interleave

# Kinds of work, in the order in which a table has them.
PRODUCTS, FUSED, QUANTIZING = "products", "projections with attention (`QAttention`)", "quantizing"
NORMALIZATION, GELU, ATTENTION = "normalization and residuals", "GELU", "attention"
LAYOUT, EMBEDDINGS, HEAD, BRANCHES = "layout", "embeddings", "poolings and head", "branches and the rest"
KINDS = (PRODUCTS, FUSED, QUANTIZING, NORMALIZATION, GELU, ATTENTION, LAYOUT, EMBEDDINGS, HEAD, BRANCHES)
# By the node's name where that says it, else by its operator.
_BY_NAME = {
    EMBEDDINGS: re.compile(r"word_embedding|position|embedding_sum|token_ids|negative_ids"),
    HEAD: re.compile(
        r"feature_\d|projected|pooled|token_(weights|count|sum)|logits|probabilities|predictions"
    ),
    NORMALIZATION: re.compile(r"norm_sum(_residual)?$"),
}
_BY_OPERATOR = {
    PRODUCTS: "MatMulIntegerToFloat Gemm DynamicQuantizeMatMul",
    FUSED: "QAttention",
    QUANTIZING: "QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
    NORMALIZATION: "InstanceNormalization BatchNormalization LayerNormalization SkipLayerNormalization",
    GELU: "Gelu BiasGelu QuickGelu",
    ATTENTION: "MatMul FusedMatMul Softmax Attention MultiHeadAttention",
    LAYOUT: "Gather GatherND ScatterND Reshape Squeeze Unsqueeze Flatten Concat Split Slice Transpose Expand",
}
_OPERATORS = {operator: kind for kind, words in _BY_OPERATOR.items() for operator in words.split()}
_MASKED = re.compile(r"masked_scores$")
_KERNEL, _RUN = "_kernel_time", "model_run"
_EMPTY_NODES, _ROUNDS = 400, 7


@dataclass(frozen=True)
class Profile:
    """What one run of a graph takes, in microseconds: means over batches.

    `kinds` has what kernels took, `nodes` how many ran; `dispatch` is what as many operators that do nothing
    take, `call` what a run of one of them does.
    """

    wall: float
    kinds: dict[str, float]
    nodes: float
    dispatch: float
    call: float

    @property
    def rest(self) -> float:
        """What nothing explains; below 0 where profiling itself made kernels slower."""
        return self.wall - sum(self.kinds.values()) - self.dispatch - self.call


def kind_of(name: str, operator: str) -> str:
    """Return the kind of work of a node, by its name and operator."""
    found = next((kind for kind, pattern in _BY_NAME.items() if pattern.search(name)), None)
    if found is not None:
        return found
    return ATTENTION if _MASKED.search(name) else _OPERATORS.get(operator, BRANCHES)


def kernels(events: Iterable[Mapping[str, Any]]) -> list[tuple[Counter[str], int]]:
    """Return for each run in a profile's events the microseconds of each kind, and how many kernels ran.

    A node with branches is left out: its nodes have events of their own.
    """
    ordered = sorted(events, key=lambda event: int(event["ts"]))
    runs: list[tuple[Counter[str], int]] = []
    for event in ordered:
        name = str(event["name"])
        if name == _RUN:
            runs.append((Counter(), 0))
        operator = str(event.get("args", {}).get("op_name", ""))
        if runs and name.endswith(_KERNEL) and operator != "If":
            kinds, count = runs[-1]
            kinds[kind_of(name.removesuffix(_KERNEL), operator)] += int(event["dur"])
            runs[-1] = kinds, count + 1
    return runs


def _empty(nodes: int) -> bytes:
    """Return a graph of operators that do nothing worth its time: signs of one number, one after another."""
    first = value = ir.val("number", ir.DataType.FLOAT, [1])
    made = []
    for number in range(nodes):
        made.append(ir.node("Neg", [value], name=f"sign_{number}"))
        value = made[-1].outputs[0]
    value.name, value.dtype, value.shape = "result", ir.DataType.FLOAT, ir.Shape([1])
    graph = ir.Graph([first], [value], nodes=made, opset_imports={"": OPSET}, name="empty")
    serialized: bytes = ir.to_proto(ir.Model(graph, ir_version=IR_VERSION)).SerializeToString()
    return serialized


def _turn(session: runtime.Session, feeds: Sequence[Mapping[str, Any]]) -> Turn:
    def run(_: int) -> list[float]:
        session.run(None, feeds[0])
        start = time.perf_counter()
        for each in feeds:
            session.run(None, each)
        return [(time.perf_counter() - start) / len(feeds) * 1e6]

    return run


def profile(file: Path, ids: texts.Ids, size: int, threads: int) -> Profile:
    """Profile a finished graph, the file, on batches of `size` texts with some threads.

    Times are medians of rounds, batch by batch, and means over the batches.

    Raises:
        ArtifactError: onnxruntime does not load it.
    """
    feeds = [runtime.feeds(*runtime.pad(batch)) for batch in texts.batches(ids, size)]
    number = [{"number": np.ones(1, np.float32)}]
    with tempfile.TemporaryDirectory() as folder:
        observed = runtime.open_session(file, threads=threads, profile=Path(folder) / "profile")
        turns = {
            "graph": _turn(runtime.open_session(file, threads=threads), feeds),
            "empty": _turn(runtime.open_session(_empty(_EMPTY_NODES), threads=threads), number),
            "call": _turn(runtime.open_session(_empty(1), threads=threads), number),
            "profile": _turn(observed, feeds),
        }
        rounds = interleave(turns, _ROUNDS)
        events = json.loads(Path(observed.end_profiling()).read_text("utf-8"))
    wall, empty, call = (float(np.median(rounds[name])) for name in ("graph", "empty", "call"))
    # Each turn begins with one run more.
    runs = [run for number, run in enumerate(kernels(events)) if number % (len(feeds) + 1)]
    nodes = float(np.mean([count for _, count in runs]))
    times = {kind: np.reshape([found[kind] for found, _ in runs], (_ROUNDS, len(feeds))) for kind in KINDS}
    each = {kind: float(np.median(array, axis=0).mean()) for kind, array in times.items()}
    return Profile(wall, each, nodes, (empty - call) / (_EMPTY_NODES - 1) * nodes, call)
