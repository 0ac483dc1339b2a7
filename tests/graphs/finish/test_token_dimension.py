"""The tokens' dimension by name: that what has it is as long as it says, and that no answer moves."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import onnx_ir as ir
import pytest

from graphs.edit import legal
from graphs.finish import token_dimension
from graphs.unpadded import branch
from tests.support.graphs import Exported, session_of
from tests.support.masks import KINDS, batch_of
from tests.support.quantization import busy, int8, packed_with_head


def named_values(graph):
    found = [value for node in graph for value in node.outputs if value.shape is not None]
    return [value for value in found if value.shape and str(value.shape[0]) == token_dimension.TOKENS]


def attentions(made: Exported) -> int:
    """Of the last layer only one token's is there where pooling is CLS."""
    return made.info.layers - int(made.info.pooling == "cls")


@pytest.mark.parametrize(
    "make", [packed_with_head, int8, partial(int8, change=busy)], ids=["float", "int8", "busy"]
)
def test_what_is_named_has_a_row_a_token_and_answers_stay(every_encoder, make):
    before = session_of(make(every_encoder))
    model = make(every_encoder)
    assert token_dimension.name(model, every_encoder.info.hidden) == attentions(every_encoder)
    legal.check(model)
    answers = [value.name for value in model.graph.outputs]
    named = named_values(model.graph)
    # As outputs they are never written over: the graph without them is the one that is kept.
    after = session_of(model)
    model.graph.outputs.extend(named)
    watched = session_of(model)
    for seed, kind in enumerate(KINDS):
        ids, mask = batch_of(every_encoder, kind, 5, 9, seed)
        if every_encoder.info.pooling == "mean":
            mask[3] = 0  # laid out as one token
        feed = {"input_ids": ids, "attention_mask": mask}
        tokens = np.maximum(mask.sum(axis=1), 1).sum()
        found = watched.run([value.name for value in named], feed)
        assert [one.shape for one in found] == [(tokens, *value.shape[1:]) for value in named]
        assert [ir.DataType.from_numpy(one.dtype) for one in found] == [value.dtype for value in named]
        for mine, theirs in zip(after.run(answers, feed), before.run(answers, feed), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_all_that_is_token_wise_is_named(deep):
    model = int8(deep)
    token_dimension.name(model, deep.info.hidden)
    named = {value.name for value in named_values(model.graph)}
    # The third layer is only of the first tokens, but for its keys and values.
    wanted = re.compile(
        r"layer_[01]_((qkv|up|down|attention_output)_(u8|int8)|(attention_)?norm_(sum|scaled)|gelu)"
    )
    there = {str(node.name) for node in model.graph if wanted.fullmatch(str(node.name))}
    assert len(there) == 2 * (8 + 4 + 1)
    assert there <= named
    assert not [name for name in named if "cls" in name or "scores" in name or "heads" in name]


def test_a_branch_without_padding_knows_no_such_dimension(mean):
    model = int8(mean)
    token_dimension.name(model, mean.info.hidden)
    branch.unpadded(model)
    (chosen,) = [node for node in model.graph if node.op_type == "If"]
    assert named_values(chosen.attributes["else_branch"].as_graph())
    assert not [
        value.name
        for node in chosen.attributes["then_branch"].as_graph()
        for value in node.outputs
        if value.shape is not None and not value.is_graph_output()
    ]
