"""An encoder exported from random weights, and the torch original beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from transformers import PreTrainedModel

from core.build.facts import EncoderInfo
from core.contract import SINGLE_LABEL, Pooling
from core.recipe import EncoderTable, FeaturesTable
from export.encoder import checkpoint, torch_encoder
from export.sources import resolve
from graphs.encoder import embeddings, features, fuse, mask, pool
from graphs.head.files import LinearHead, SubgraphHead
from graphs.packed import pack, prune, unfuse
from tests.support.factories import Shape, write_checkpoint
from tests.support.head_info import head_info

# Attention of a packed layer: groups of the long rows, and of the short ones.
GROUP = {"Gather": 4, "Transpose": 1, "MatMul": 2, "Add": 1, "Softmax": 1, "Reshape": 1}
ATTENTION = Counter({"Gemm": 1, "Reshape": 2, "Concat": 1}) + Counter(GROUP) + Counter(GROUP)


@dataclass(frozen=True)
class Exported:
    """A checkpoint in `folder`, its torch model, and the path of its ONNX export."""

    folder: Path
    bert: PreTrainedModel
    info: EncoderInfo
    path: Path

    def model(self) -> ir.Model:
        return ir.from_proto(ir.to_proto(ir.load(self.path)))

    def original(self, ids, attention_mask) -> np.ndarray:
        """Torch's sentence embedding, pooled in the plain words of the definition."""
        hidden = self.last_hidden_state(ids, attention_mask)
        if self.info.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            rows = zip(hidden, attention_mask, strict=True)
            pooled = np.stack([row[kept == 1].mean(axis=0) for row, kept in rows])
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True) if self.info.normalize else pooled

    def last_hidden_state(self, ids, attention_mask) -> np.ndarray:
        """Torch's `[b, s, h]`."""
        with torch.inference_mode():
            return self.bert(
                torch.tensor(ids), attention_mask=torch.tensor(attention_mask)
            ).last_hidden_state.numpy()

    def with_pooling(self, pooling: Pooling, normalize: bool) -> Exported:
        """The same export, whose tokens are pooled another way."""
        return replace(self, info=replace(self.info, pooling=pooling, normalize=normalize))


def exported(
    folder: Path,
    shape: Shape,
    pooling: str,
    *,
    normalize: bool = True,
    features: Sequence[FeaturesTable] = (),
    kind: str = "bert",
) -> Exported:
    write_checkpoint(folder, shape, pooling, normalize=normalize, kind=kind)
    source = resolve.Source(f"path:{folder}", folder)
    part = EncoderTable(source=source.spec, pooling=pooling, normalize=normalize)
    info = checkpoint.read(source, part, features)
    bert = torch_encoder.load(folder)
    path = folder / "encoder.onnx"
    torch_encoder.export(bert, info, path)
    return Exported(folder, bert, info, path)


@cache
def _embedded(path: Path, token_types: bool, padding_id: int | None) -> bytes:
    """The graph before pooling: kept, as fusing takes most of a test's time."""
    model = ir.from_proto(ir.to_proto(ir.load(path)))
    fuse.fuse(model)
    mask.mask(model)
    embeddings.embeddings(model, token_types, padding_id)
    return ir.to_proto(model).SerializeToString()


def pooled(made: Exported) -> ir.Model:
    """The graph after every rewrite before the merge."""
    model = ir.from_proto(
        onnx.ModelProto.FromString(_embedded(made.path, made.info.token_types, made.info.padding_id))
    )
    if made.info.feature_layers:
        features.features(model, made.info)
    else:
        pool.pool(model, made.info.pooling, made.info.normalize)
    return model


def packed(made: Exported) -> ir.Model:
    model = pooled(made)
    pack.pack(model)
    return model


def unfused(made: Exported) -> ir.Model:
    model = packed(made)
    unfuse.unfuse(model)
    return model


def pruned(made: Exported) -> ir.Model:
    model = unfused(made)
    prune.prune(model, made.info.layers)
    return model


def finished(made: Exported) -> ir.Model:
    """The graph after every step of the stage `pack`."""
    return pruned(made) if made.info.pooling == "cls" else unfused(made)


def operators_of_layer(model: ir.Model, number: int) -> Counter[str]:
    """Count the operators of a layer's nodes, which its number names."""
    names = {node: str(node.name) for node in model.graph}
    return Counter(node.op_type for node, name in names.items() if name.startswith(f"layer_{number}_"))


def session_of(model: ir.Model) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised; a test reads them there
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), options)


def answer(session: onnxruntime.InferenceSession, ids, attention_mask) -> np.ndarray:
    return session.run(None, {"input_ids": ids, "attention_mask": attention_mask})[0]


def run(model: ir.Model, ids, attention_mask, names=None) -> list[np.ndarray]:
    return session_of(model).run(names, {"input_ids": ids, "attention_mask": attention_mask})


def softmax_head(labels: list[str], hidden: int, thresholds: Sequence[float]) -> LinearHead:
    """A single-label head of random weights."""
    made = linear_head(labels, hidden)
    floors = dict(zip(labels, thresholds, strict=True))
    return replace(made, info=replace(made.info, problem_type=SINGLE_LABEL, thresholds=floors))


def linear_head(labels: list[str], hidden: int, order: list[str] | None = None) -> LinearHead:
    random = np.random.default_rng(5)
    thresholds = {label: 0.3 + 0.1 * index for index, label in enumerate(labels)}
    info = head_info(labels, thresholds, order=order or labels)
    weight = random.standard_normal((hidden, len(labels))).astype(np.float32) * 3
    return LinearHead(info, weight, random.standard_normal(len(labels)).astype(np.float32))


def curved_head(labels: list[str], hidden: int) -> SubgraphHead:
    """sigmoid(tanh(z)) of the linear head's logits z, as one tensor `[b, labels]`."""
    helper, kind, plain = onnx.helper, onnx.TensorProto.FLOAT, linear_head(labels, hidden)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["logits", "weight", "bias"], ["z"]),
            helper.make_node("Tanh", ["z"], ["t"]),
            helper.make_node("Sigmoid", ["t"], ["answers"]),
        ],
        "head",
        [helper.make_tensor_value_info("logits", kind, ["N", hidden])],
        [helper.make_tensor_value_info("answers", kind, ["N", len(labels)])],
        [
            onnx.numpy_helper.from_array(plain.weight_hl, "weight"),
            onnx.numpy_helper.from_array(plain.bias_l, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    info = replace(plain.info, kind="subgraph", layout="columns", output="answers")
    return SubgraphHead(info, ir.from_proto(model))
