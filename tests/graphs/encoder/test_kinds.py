"""DistilBERT and RoBERTa through every rewrite, against transformers' own models of random weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from core.recipe import FeaturesTable
from graphs.encoder import fuse
from graphs.packed import prune, unfuse
from graphs.plain import layout
from graphs.unpadded import branch
from tests.support.factories import Shape, random_tokens
from tests.support.graphs import exported, packed, pooled

KINDS = ["distilbert", "roberta"]
PADDING = 1  # RoBERTa's
# Batch, sequence, whether tokens are left out in the middle; up to the last position.
BATCHES = [(5, 20, False), (5, 20, True), (1, 64, False), (1, 1, False), (3, 64, True)]


@pytest.fixture(scope="module", params=KINDS)
def export(request, tmp_path_factory):
    return exported(tmp_path_factory.mktemp(request.param), Shape(), "mean", kind=request.param)


@pytest.fixture(scope="module", params=["mean", "cls"])
def made(request, export):
    return export.with_pooling(request.param, True)


def session(model):
    return onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())


def run(graph, ids, mask):
    return graph.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def steps(made):
    """The graph after each group of rewrites."""
    model = packed(made)
    unfuse.unfuse(model)
    if made.info.last_is_cls:
        prune.prune(model, made.info.used_layers)
    without_padding = model.clone()
    branch.unpadded(without_padding)
    plain = model.clone()
    layout.plain(plain)
    return {"pooled": pooled(made), "packed": model, "unpadded": without_padding, "plain": plain}


@pytest.fixture(scope="module")
def graphs(made):
    return {name: session(model) for name, model in steps(made).items()}


def test_fusions_are_counted_per_layer(export):
    counts = fuse.fuse(export.model())
    assert counts == {"Attention": 2, "SkipLayerNormalization": 4, "BiasGelu": 2}


@pytest.mark.parametrize(("batch", "sequence", "holes"), BATCHES)
def test_every_step_equals_torch(made, graphs, batch, sequence, holes):
    ids, mask = random_tokens(batch, sequence, 60, holes=holes)
    if batch == 1:
        mask[:] = 1
    # As a text has it in which the padding token is typed: RoBERTa's positions do not count it.
    ids[0, sequence // 2] = PADDING
    expected = made.original(ids, mask)
    for name, graph in graphs.items():
        np.testing.assert_allclose(run(graph, ids, mask), expected, atol=1e-6, err_msg=name)


def test_alone_as_in_a_batch(graphs):
    ids, mask = random_tokens(6, 30, 60)
    together = run(graphs["unpadded"], ids, mask)
    for row, answer in enumerate(together):
        length = int(mask[row].sum())
        alone = run(graphs["unpadded"], ids[row : row + 1, :length], mask[row : row + 1, :length])
        np.testing.assert_allclose(alone[0], answer, atol=1e-6)


def test_a_text_beyond_the_positions_is_an_error(graphs):
    ids, mask = random_tokens(1, 65, 60)
    ids[:], mask[:] = 7, 1
    for graph in graphs.values():
        with pytest.raises((Fail, InvalidArgument)):
            run(graph, ids, mask)


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_several_layers(tmp_path, kind):
    parts = [FeaturesTable(layers=[0, 2], pooling=["mean", "max"])]
    made = exported(tmp_path, Shape(), "mean", kind=kind, features=parts)
    ids, mask = random_tokens(4, 12, 60)
    with torch.inference_mode():
        hidden = made.bert(
            torch.tensor(ids), attention_mask=torch.tensor(mask), output_hidden_states=True
        ).hidden_states
    rows = []
    for states in (hidden[0].numpy(), hidden[2].numpy()):
        kept = [state[real == 1] for state, real in zip(states, mask, strict=True)]
        rows += [np.stack([state.mean(0) for state in kept]), np.stack([state.max(0) for state in kept])]
    model = packed(made)
    unfuse.unfuse(model)
    for graph in (pooled(made), model):
        np.testing.assert_allclose(run(session(graph), ids, mask), np.concatenate(rows, 1), atol=5e-6)
