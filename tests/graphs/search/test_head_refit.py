"""int8's head is refitted to its features: nearer to the float logits on other texts, replayed to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from core.build import plan as plan_file
from core.build.head_change import HeadChange
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.head import merge
from graphs.int8 import head_change, quantize
from graphs.packed import pack, unfuse
from graphs.search import head_refit
from graphs.search.head_refit import HeadRefit
from graphs.search.pairing import paired
from tests.support import features
from tests.support.graphs import linear_head, pooled, run, session_of, softmax_head
from tests.support.quantization import LABELS, packed_with_head, plan_of, random_ids


def coarse(plan):
    """The same plan, its ranges cut to a third, so that there is an error to make up for."""
    activations = {
        name: replace(own, range=replace(own.range, low_k=own.range.low_k / 3, high_k=own.range.high_k / 3))
        for name, own in plan.activations.items()
    }
    return replace(plan, activations=activations)


def answers(model: ir.Model, ids, output="logits"):
    session, each = session_of(model), [row[None].astype(np.int64) for row in ids]
    feeds = [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in each]
    return np.concatenate([session.run([output], given)[0] for given in feeds])


def error(simplified, plan, ids, output="logits"):
    model = simplified.clone()
    quantize.quantize(model, plan)
    return answers(model, ids, output) - answers(simplified, ids, output)


def rms(errors):
    return float(np.sqrt(np.square(errors).mean()))


def test_the_error_falls_on_texts_not_fitted_and_replays_to_the_bit(any_encoder, tmp_path):
    simplified, other = packed_with_head(any_encoder), random_ids(any_encoder, 40, seed=3)
    plan = paired(simplified, coarse(plan_of(any_encoder)))
    head = linear_head(LABELS, any_encoder.info.hidden).info
    refitted = HeadRefit(simplified, random_ids(any_encoder, 300, seed=2), head)(plan)
    before, after = (error(simplified, each, other) for each in (plan, refitted))
    assert rms(after) < 0.9 * rms(before)
    stated = refitted.record["head"]
    assert stated["error_after"] < stated["error_before"] == pytest.approx(rms(before), rel=0.2)
    path = tmp_path / "quantization.json"
    plan_file.write(path, refitted)
    np.testing.assert_array_equal(error(simplified, plan_file.read(path), other), after)
    assert "head refitted" in refitted.description
    assert "head" not in plan.description


def test_what_the_head_reads_is_found_in_the_published_order_of_channels(made):
    simplified = features.with_head(made, projected=True)
    plan = paired(simplified, features.plan_of(made, simplified))
    assert plan.order
    model, heads = head_refit.with_features(simplified), head_change.products(simplified.graph)
    quantize.quantize(model, plan)
    ids = random_ids(made, 3)
    weight = np.concatenate([ops.array(node, 1) for node in heads])
    for row in ids:
        read = np.concatenate(
            run(model, row[None].astype(np.int64), np.ones((1, len(row)), np.int64)), axis=1
        )
        whole = simplified.clone()
        quantize.quantize(whole, plan)
        expected = answers(whole, [row])
        np.testing.assert_allclose(read @ weight + ops.array(heads[0], 2), expected, atol=1e-4)


def test_both_columns_of_a_label_change_under_the_per_label_contract(mean):
    model = pooled(mean)
    head = linear_head(LABELS, mean.info.hidden, LABELS[::-1])
    merge.per_label(model, head)
    pack.pack(model)
    unfuse.unfuse(model)
    plan, other = coarse(plan_of(mean)), random_ids(mean, 40, seed=3)
    refitted = HeadRefit(model, random_ids(mean, 300, seed=2), head.info)(plan)
    before, after = (error(model, each, other, "joy") for each in (plan, refitted))
    assert rms(after) < 0.95 * rms(before)
    quantized = model.clone()
    quantize.quantize(quantized, refitted)
    np.testing.assert_allclose(answers(quantized, other, "joy").sum(axis=1), 1, atol=1e-6)
    weight = ops.array(names.node(quantized.graph, names.LOGIT_PAIRS), 1)
    np.testing.assert_array_equal(weight[:, ::2], -weight[:, 1::2])


def test_a_constant_of_all_labels_is_nothing_to_a_single_label_head(mean):
    model = pooled(mean)
    head = softmax_head(LABELS, mean.info.hidden, [0.0] * len(LABELS))
    merge.stacked(model, head)
    pack.pack(model)
    unfuse.unfuse(model)
    plan = coarse(plan_of(mean))
    refitted = HeadRefit(model, random_ids(mean, 300, seed=2), head.info)(plan)
    assert abs(refitted.head.weight.sum(axis=1)).max() < 0.05 * abs(refitted.head.weight).max()
    before, after = (
        error(model, each, random_ids(mean, 40, seed=3), "probabilities") for each in (plan, refitted)
    )
    assert rms(after) < rms(before)


def test_noise_is_not_fitted():
    random = np.random.default_rng(0)
    x, noise = random.normal(0, 1, (200, 300)).astype(np.float32), random.normal(0, 1, (200, 4))
    made, found = head_refit.refit(x, noise - noise.mean(axis=0))
    assert made is None or abs(made.weight).max() < 0.01
    assert found["texts"] == 200
    made, found = head_refit.refit(x, x[:, :2] @ random.normal(0, 5, (2, 4)) + 3)
    assert found["error_after"] < found["error_before"]
    np.testing.assert_allclose(made.bias_l, 3, atol=1)


def test_no_head_to_refit_is_no_change(cls):
    head, plan = linear_head(LABELS, cls.info.hidden).info, plan_of(cls)
    few = HeadRefit(packed_with_head(cls), random_ids(cls, 20), head)
    other = HeadRefit(packed_with_head(cls), random_ids(cls, 60), replace(head, kind="subgraph"))
    assert few(plan) is plan
    assert other(plan) is plan


def test_a_change_of_another_head_is_refused(cls):
    one = np.ones(3, np.float32)
    plan = replace(plan_of(cls), head=HeadChange(np.ones((7, 3), np.int8), one, one))
    with pytest.raises(
        GraphError, match=r"plan: head: found 20 features and \[6\] columns .* expected 7 and 3"
    ):
        quantize.quantize(packed_with_head(cls), plan)
