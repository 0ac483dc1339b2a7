"""Features: several hidden states pooled, against torch, through every rewrite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.encoder import features
from graphs.head import project
from graphs.int8 import quantize, smooth
from tests.support.features import LABELS, plan_of, pruned, with_head
from tests.support.graphs import answer, linear_head, packed, pooled, run, session_of
from tests.support.masks import batch_of, batches

TOLERANCE = 1e-5


def original(made, ids, attention_mask):
    """The features in the plain words of the definition, one text at a time."""
    with torch.inference_mode():
        states = made.bert(
            torch.tensor(ids), attention_mask=torch.tensor(attention_mask), output_hidden_states=True
        ).hidden_states
    plain = {
        "mean": lambda tokens: tokens.mean(axis=0),
        "max": lambda tokens: tokens.max(axis=0),
        "cls": lambda tokens: tokens[0],
    }
    rows = []
    for row, kept in enumerate(attention_mask == 1):
        parts = [plain[how](states[at][row].numpy()[kept]) for at, how in made.info.feature_parts]
        rows.append(np.concatenate(parts))
    return np.stack(rows)


@pytest.fixture(scope="session")
def sessions(made):
    return {
        "padded": session_of(pooled(made)),
        "packed": session_of(packed(made)),
        "finished": session_of(pruned(made, packed(made))),
    }


@settings(max_examples=12, deadline=None)
@given(drawn=batches())
def test_any_mask_and_shape_against_torch(sessions, made, drawn):
    ids, attention_mask = batch_of(made, *drawn)
    expected = original(made, ids, attention_mask)
    for session in sessions.values():
        np.testing.assert_allclose(answer(session, ids, attention_mask), expected, rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="session")
def projected(made):
    return session_of(with_head(made, projected=True))


@settings(max_examples=12, deadline=None)
@given(drawn=batches())
def test_a_projected_head_against_torch(projected, made, drawn):
    ids, attention_mask = batch_of(made, *drawn)
    head = linear_head(LABELS, made.info.features)
    expected = original(made, ids, attention_mask) @ head.weight_hl + head.bias_l
    logits = answer(projected, ids, attention_mask)
    # Weights of about 3 times the encoder's own error, over 60 to 180 features.
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=2e-4)


def test_what_a_projection_leaves(made):
    model = with_head(made, projected=True)
    legal.check(model)
    names = {str(node.name) for node in model.graph}
    assert [value.name for value in model.graph.outputs] == ["logits", "probabilities", "predictions"]
    assert not [name for name in names if name.startswith("feature_") and "mean" in name]
    means = {layer for layer, pooling in made.info.feature_parts if pooling == "mean"}
    assert {f"feature_{layer}_projection" for layer in means} <= names


def test_layers_above_the_features_are_left_out(made):
    layers = {str(n.name).split("_")[1] for n in packed(made).graph if str(n.name).startswith("layer_")}
    assert layers == {str(number) for number in range(made.info.used_layers)}


@pytest.mark.parametrize("taken", [False, True], ids=["pooled first", "projected"])
def test_smoothing_is_exact(made, taken):
    model = with_head(made, projected=taken)
    plan = plan_of(made, model)
    batch, attention_mask = batch_of(made, "right", 5, 20, 3)
    expected = run(model, batch, attention_mask, ["logits"])[0]
    smooth.smooth(model, plan)
    np.testing.assert_allclose(run(model, batch, attention_mask, ["logits"])[0], expected, atol=2e-4)


def test_quantized_answers_are_near_and_do_not_depend_on_the_batch(made):
    model = with_head(made, projected=True)
    plan = plan_of(made, model)
    batch, attention_mask = batch_of(made, "right", 6, 24, 3)
    expected = run(model, batch, attention_mask, ["probabilities"])[0]
    quantize.quantize(model, plan)
    legal.check(model)
    # The head itself stays in float32.
    assert all("feature" not in str(n.name) for n in ops.nodes_of(model.graph, "MatMulIntegerToFloat"))
    session = session_of(model)
    names = {"input_ids": batch, "attention_mask": attention_mask}
    together = session.run(["probabilities"], names)[0]
    assert 0 < abs(together - expected).mean() < 0.05
    for row in range(len(batch)):
        one = {name: array[row : row + 1] for name, array in names.items()}
        np.testing.assert_allclose(session.run(["probabilities"], one)[0][0], together[row], atol=1e-6)


def test_refusals(made):
    with pytest.raises(GraphError, match="found outputs"):
        features.features(pooled(made), made.info)
    if "mean" in dict(map(reversed, made.info.feature_parts)):
        with pytest.raises(GraphError, match="no node logits; `merge` must come before"):
            project.project(pooled(made), made.info.feature_parts, "logits")
    assert project.project(pooled(made), [], "logits") == 0
    assert replace(made.info, feature_parts=[]).features == made.info.hidden
