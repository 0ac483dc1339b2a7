"""Texts that say the same again and again are found, whatever stands beside them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.guard import repeated
from tests.support.graphs import run


def graph() -> ir.Model:
    inputs = [
        ops.typed(ir.Value(name=name), ir.DataType.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    made = ir.Graph(inputs, [], nodes=[], name="main", opset_imports={"": 18})
    value = repeated.repeated(Chain(made))
    made.outputs.append(ops.typed(value, ir.DataType.BOOL, ["batch"]))
    return ir.Model(made, ir_version=8)


@pytest.mark.parametrize("longest", [1, 9, 40])
def test_the_graph_counts_as_numpy_does(longest):
    random = np.random.default_rng(longest)
    ids = random.integers(0, 4, (200, longest))
    # Half of the texts have few different tokens; masks have holes, some are empty.
    ids[::2] = ids[::2, :1]
    mask = (random.random(ids.shape) < random.random((200, 1))).astype(np.int64)
    expected = [repeated.is_repeated(row[real > 0]) for row, real in zip(ids, mask, strict=True)]
    assert any(expected) == (longest > 4)
    assert not all(expected)
    model = graph()
    (found,) = run(model, ids, mask, ["repeated"])
    np.testing.assert_array_equal(found, expected)
    padded = [np.pad(array, ((0, 0), (0, 7))) for array in (ids, mask)]
    np.testing.assert_array_equal(run(model, *padded, ["repeated"])[0], expected)


def test_a_batch_of_none():
    empty = np.zeros((0, 5), np.int64)
    assert run(graph(), empty, empty, ["repeated"])[0].shape == (0,)


def test_plain_sentences_are_not_repeated():
    assert not repeated.is_repeated(np.arange(30) % 8)
    assert repeated.is_repeated(np.r_[101, np.full(40, 6517), 102])
