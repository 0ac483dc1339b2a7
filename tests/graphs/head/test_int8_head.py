"""A head that multiplies integers itself: merged as it is, and counted by what proves the artifact."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from core.recipe import HeadTable
from export.head import published_head
from export.sources import resolve
from graphs.edit import legal, pair_safe
from graphs.head import files, subgraph
from graphs.packed import pack, unfuse
from graphs.unpadded import branch
from tests.support.factories import random_tokens
from tests.support.graphs import pooled, run
from verify.proof import saturation

LABELS = ["joy", "anger", "neutral"]


def write_head(folder, hidden):
    """As onnxruntime's dynamic quantization leaves a linear layer; every pair can saturate."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    random = np.random.default_rng(0)
    weight = random.choice(np.array([-1, 1], np.int8), (1, len(LABELS))) * np.full((hidden, 1), 90, np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("DynamicQuantizeLinear", ["logits"], ["u8", "scale", "zero"]),
            helper.make_node("MatMulInteger", ["u8", "w", "zero"], ["sums"]),
            helper.make_node("Cast", ["sums"], ["floats"], to=kind),
            helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
            helper.make_node("Mul", ["scaled", "step"], ["z"]),
            helper.make_node("Sigmoid", ["z"], ["answers"]),
        ],
        "head",
        [helper.make_tensor_value_info("logits", kind, ["N", hidden])],
        [helper.make_tensor_value_info("answers", kind, ["N", len(LABELS)])],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(np.float32(0.01), "step")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    (folder / "thresholds.json").write_text(json.dumps(dict.fromkeys(LABELS, 0.5)), "utf-8")


def test_its_own_products_stay_and_are_counted(mean, tmp_path):
    hidden = mean.info.hidden
    write_head(tmp_path, hidden)
    source = resolve.Source("path:head", tmp_path)
    read = published_head.read(source, HeadTable(source="path:head"), LABELS, hidden)
    assert read.info.kind == "subgraph"
    original = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    written = tmp_path / "written"
    written.mkdir()
    published_head.write(read, written)
    model = pooled(mean)
    subgraph.stacked(model, files.read(written))
    pack.pack(model)
    unfuse.unfuse(model)
    branch.unpadded(model)
    legal.check(model)
    assert pair_safe.check(model) == 0
    ir.save(model, tmp_path / "merged.onnx")
    # Both branches read one weight.
    pairs = hidden // 2 * len(LABELS)
    found = saturation.count(tmp_path / "merged.onnx")
    assert found.stated() == {"weights": 1, "examined": pairs, "can_saturate": pairs, "unproven": 0}
    assert found.first.startswith("weight head/w: column 0, rows 0 and 1: found ")
    ids, mask = random_tokens(1, 7, mean.info.vocabulary)
    embedding = mean.original(ids, mask).astype(np.float32)
    expected = original.run(None, {"logits": embedding})[0]
    np.testing.assert_allclose(run(model, ids, mask, ["probabilities"])[0], expected, atol=0.05)
