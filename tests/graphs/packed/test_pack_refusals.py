"""The graphs that packing refuses."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from core.errors import GraphError
from graphs.edit import ops
from graphs.encoder import embeddings, fuse, mask
from graphs.packed import pack
from tests.support.graphs import packed, pooled


@pytest.mark.parametrize(
    ("rewrites", "message"),
    [
        ((), "no node word_embedding; `embeddings` must come before"),
        ((fuse.fuse, mask.mask), "no node word_embedding; `embeddings` must come before"),
        ((fuse.fuse, mask.mask, embeddings.embeddings), "found no pooling; `pool` must come before"),
        ((embeddings.embeddings,), "found no Attention"),
    ],
)
def test_pack_refuses_a_graph_before_its_rewrites_and_leaves_it(any_encoder, rewrites, message):
    model = any_encoder.model()
    for rewrite in rewrites:
        rewrite(model)
    before = ir.to_proto(model).SerializeToString()
    with pytest.raises(GraphError, match=message):
        pack.pack(model)
    assert ir.to_proto(model).SerializeToString() == before


def test_pack_refuses_a_packed_graph(any_encoder):
    with pytest.raises(GraphError, match="no node position_embedding; `embeddings` must come before"):
        pack.pack(packed(any_encoder))


def test_pack_refuses_an_attention_without_a_bias(any_encoder):
    model = pooled(any_encoder)
    node = ops.nodes_of(model.graph, "Attention")[0]
    node.replace_input_with(2, None)
    with pytest.raises(GraphError, match=f"{node.name}: expected an attention with weight and bias"):
        pack.pack(model)
