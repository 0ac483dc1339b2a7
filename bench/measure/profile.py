"""Tell where a graph's time goes: by kind of work, and what handing operators over costs by itself.

onnxruntime's profile has what each operator's kernel took. What an operator costs that does nothing is
measured beside it, in the same rounds: in a profile, where that much of each kernel's time is keeping the
profile, and without one, where it is what handing an operator over takes. What neither explains is the rest.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from bench.measure import texts
from core import runtime
from core.contract import IR_VERSION, OPSET
from core.timing import Turn, call_seconds, interleave

# Kinds of work, in the order in which a table has them.
PRODUCTS, FUSED, QUANTIZING = "products", "projections with attention (`QAttention`)", "quantizing"
NORMALIZATION, GELU, ATTENTION = "normalization and residuals", "GELU", "attention"
LAYOUT, EMBEDDINGS, HEAD, BRANCHES = "layout", "embeddings", "poolings and head", "branches and the rest"
KINDS = (PRODUCTS, FUSED, QUANTIZING, NORMALIZATION, GELU, ATTENTION, LAYOUT, EMBEDDINGS, HEAD, BRANCHES)
# By the node's name where that says it, else by its operator.
_BY_NAME = {
    EMBEDDINGS: re.compile(r"word_embedding|position|embedding_sum|token_ids|negative_ids"),
    HEAD: re.compile(
        r"feature|projected|pooled|token_(weights|count|sum|present)|logit|_pairs|probabilit|head/"
    ),
    LAYOUT: re.compile(r"layout_|heads_(long|short)_"),
    NORMALIZATION: re.compile(r"norm_sum(_residual)?$"),
    ATTENTION: re.compile(r"masked_scores$"),
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
_KERNEL, _RUN = "_kernel_time", "model_run"
_EMPTY_NODES, _ROUNDS = 400, 7


@dataclass(frozen=True)
class Profile:
    """What one run of a graph takes, in microseconds: means over batches.

    `kinds` has what kernels took beyond one that does nothing, `nodes` how many ran; `dispatch` is what as
    many operators that do nothing take, `call` what a run of one of them does.
    """

    wall: float
    kinds: dict[str, float]
    nodes: float
    dispatch: float
    call: float

    @property
    def rest(self) -> float:
        """What nothing explains."""
        return self.wall - sum(self.kinds.values()) - self.dispatch - self.call


def kind_of(name: str, operator: str) -> str:
    """Return the kind of work of a node, by its name and operator."""
    named = (kind for kind, pattern in _BY_NAME.items() if pattern.search(name))
    return next(named, _OPERATORS.get(operator, BRANCHES))


def kernels(events: Iterable[Mapping[str, Any]]) -> list[dict[str, list[int]]]:
    """Return for each run in a profile's events the microseconds of each kernel, by kind of work.

    A node with branches is left out: its nodes have events of their own.
    """
    runs: list[dict[str, list[int]]] = []
    for event in sorted(events, key=lambda event: int(event["ts"])):
        name = str(event["name"])
        if name == _RUN:
            runs.append({})
        operator = str(event.get("args", {}).get("op_name", ""))
        if runs and name.endswith(_KERNEL) and operator != "If":
            kind = kind_of(name.removesuffix(_KERNEL), operator)
            runs[-1].setdefault(kind, []).append(int(event["dur"]))
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
    run = partial(session.run, None)

    def turn(_: int) -> list[float]:
        run(feeds[0])
        return [float(np.mean(call_seconds(run, feeds))) * 1e6]

    return turn


def profile(file: Path, ids: texts.Ids, size: int, threads: int) -> Profile:
    """Profile a finished graph, the file, on batches of `size` texts with some threads.

    Times are medians of rounds, batch by batch, and means over the batches.

    Raises:
        ArtifactError: onnxruntime does not load it.
    """
    feeds = [runtime.feeds(*runtime.pad(batch)) for batch in texts.batches(ids, size)]
    number = [{"number": np.ones(1, np.float32)}]
    graphs: dict[str, tuple[Path | bytes, Sequence[Mapping[str, Any]]]] = {
        "graph": (file, feeds),
        "empty": (_empty(_EMPTY_NODES), number),
        "call": (_empty(1), number),
    }
    with tempfile.TemporaryDirectory() as folder:
        observed = {
            name: runtime.open_session(graphs[name][0], threads=threads, profile=Path(folder) / name)
            for name in ("graph", "empty")
        }
        turns = {
            name: _turn(runtime.open_session(model, threads=threads), given)
            for name, (model, given) in graphs.items()
        }
        turns |= {f"{name}, profiled": _turn(session, graphs[name][1]) for name, session in observed.items()}
        rounds = interleave(turns, _ROUNDS)
        runs = {
            name: kernels(json.loads(Path(session.end_profiling()).read_text("utf-8")))
            for name, session in observed.items()
        }
    wall, empty, call = (float(np.median(rounds[name])) for name in graphs)
    profiled = float(np.median([took for run in runs["empty"] for took in run[BRANCHES]]))
    # Each turn begins with one run more.
    counted = [run for index, run in enumerate(runs["graph"]) if index % (len(feeds) + 1)]

    def microseconds(kind: str) -> float:
        net = [sum(run.get(kind, ())) - len(run.get(kind, ())) * profiled for run in counted]
        return float(np.median(np.reshape(net, (_ROUNDS, len(feeds))), axis=0).mean())

    nodes = float(np.mean([sum(map(len, run.values())) for run in counted]))
    dispatch = (empty - call) / (_EMPTY_NODES - 1) * nodes
    return Profile(wall, {kind: microseconds(kind) for kind in KINDS}, nodes, dispatch, call)
