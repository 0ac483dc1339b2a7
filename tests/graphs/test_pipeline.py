"""Whole stages over a recipe's job: what they stamp, count and refuse."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from core import recipe
from core.artifact.metadata import Metadata
from core.errors import GraphError
from graphs import pipeline
from graphs.edit import ops
from graphs.int8 import calibration, quantize
from graphs.job import Job
from graphs.search import initial_plan
from tests.support.factories import random_tokens, write_recipe
from tests.support.graphs import linear_head, pooled, run

LABELS = ["joy", "anger", 'a "quoted" – label']


def planned(job, model):
    """A plan for a packed graph, calibrated on random tokens."""
    random = np.random.default_rng(0)
    ids = [random.integers(0, job.encoder.vocabulary, length).astype(np.int32) for length in range(2, 40)]
    observed = calibration.calibrate(model, ids)
    head_sha256 = job.head.info.model_sha256
    return initial_plan.initial_plan(model, observed, job.encoder.weights_sha256, head_sha256)


@pytest.fixture
def job(mean, tmp_path):
    folder = write_recipe(tmp_path / "tiny", LABELS, "path:x", "path:y", pooling="mean")
    return Job(recipe.load(folder), mean.info, linear_head(LABELS, mean.info.hidden))


def staged(job, model, *stages):
    for stage in stages:
        list(pipeline.run(model, job, stage))
    return model


def test_a_stamped_graph_tells_a_reader_everything(job, mean, tmp_path):
    model = staged(job, mean.model(), "merge", "pack", "simplify", "fp32")
    ir.save(model, tmp_path / "model.onnx")
    found = onnxruntime.InferenceSession(tmp_path / "model.onnx").get_modelmeta().custom_metadata_map
    assert set(found) == set(Metadata._fields) - {"guard"}
    assert json.loads(found["labels"]) == LABELS
    assert list(json.loads(found["thresholds"]).items()) == list(job.head.info.thresholds.items())
    del found["labels"], found["thresholds"]
    assert found == {
        "problem_type": "multi_label_classification",
        "pooling": "mean",
        "normalize": "true",
        "features": "[]",
        "max_length": "64",
        "recipe": "tiny",
        "encoder_sha256": mean.info.sha256["model.safetensors"],
        "head_sha256": "0" * 64,
        "quantization": "none",
        "toolchain_version": "0.1.0",
        "onnxruntime": "1.17",
    }


def test_stages_are_deterministic_and_leave_no_trace_of_tools(job, mean):
    models = [staged(job, mean.model(), "merge", "pack", "simplify", "fp32") for _ in range(2)]
    first, second = (ir.to_proto(model).SerializeToString() for model in models)
    assert first == second
    assert b"onnxsim" not in first
    assert str(mean.folder).encode() not in first
    assert not any(node.doc_string or node.metadata_props for node in models[0].graph)


def test_a_step_that_applies_too_seldom_fails_with_both_numbers(job, mean):
    wrong = dataclasses.replace(job, encoder=dataclasses.replace(mean.info, layers=3))
    with pytest.raises(GraphError, match="Attention: found 2, expected 3"):
        staged(wrong, mean.model(), "merge")


def test_a_failing_step_is_named(job, mean):
    with pytest.raises(GraphError, match=r"merge: mask: .*: attention bias from"):
        staged(job, pooled(mean), "merge")


def test_the_int8_stage_quantizes_every_product_but_the_head(job, mean):
    simplified = staged(job, mean.model(), "merge", "pack", "simplify")
    made = planned(job, simplified)
    model = staged(dataclasses.replace(job, plan=made), simplified.clone(), "int8")
    # For rows without padding, and with.
    (branches,) = ops.nodes_of(model.graph, "If")
    for branch in branches.attributes.values():
        nodes = list(branch.as_graph())
        products = [node.op_type for node in nodes if node.op_type in ("MatMulIntegerToFloat", "QAttention")]
        assert len(products) == 4 * mean.info.layers
        assert [str(node.name)[-6:] for node in nodes if node.op_type == "Gemm"] == ["logits"]
    assert model.metadata_props["quantization"] == (
        "static int8, pair-safe 8-bit weights per column; activations: 8 int8"
    )
    ids, mask = random_tokens(4, 9, mean.info.vocabulary)
    probabilities = run(model, ids, mask, ["probabilities"])[0]
    exact = run(simplified, ids, mask, ["probabilities"])[0]
    assert 0 < abs(probabilities - exact).max() < 0.2


def test_the_int8_stage_refuses_one_unsafe_pair(job, mean, monkeypatch):
    simplified = staged(job, mean.model(), "merge", "pack", "simplify")
    planned_job = dataclasses.replace(job, plan=planned(job, simplified))
    right = quantize.quantize

    def wrong(model, *given):
        count = right(model, *given)
        value = model.graph.initializers["layer_1_down_weight_s8"]
        weight = ops.array_of(value).copy()
        weight[4:6, 3] = 100, 29
        value.const_value = ir.tensor(weight, name=value.name)
        return count

    monkeypatch.setattr(quantize, "quantize", wrong)
    said = (
        r"^int8: quantize: weight layer_1_down_weight_s8 of node layer_1_down_int8: column 3, rows 4 and 5: "
        r"found 100 and 29, expected integers of one sign to add up to 128 at most; 1 of its [0-9,]+ pairs "
    )
    with pytest.raises(GraphError, match=said):
        staged(planned_job, simplified, "int8")


def test_the_int8_stage_refuses_a_plan_of_something_else(job, mean):
    simplified = staged(job, mean.model(), "merge", "pack", "simplify")
    with pytest.raises(GraphError, match="int8: quantize: no quantization plan"):
        staged(job, simplified.clone(), "int8")
    made = planned(job, simplified)
    for change, message in (
        ({"encoder_sha256": "1" * 64}, "encoder_sha256 1{64}, expected"),
        ({"head_sha256": "2" * 64}, "head_sha256 2{64}, expected .*; search again"),
    ):
        other = dataclasses.replace(job, plan=dataclasses.replace(made, **change))
        with pytest.raises(GraphError, match=message):
            staged(other, simplified.clone(), "int8")


def test_the_sentence_embedding_on_request(job, mean, tmp_path):
    folder = write_recipe(
        tmp_path / "more", LABELS, "path:x", "path:y", pooling="mean", extra="sentence_embedding = true"
    )
    more = dataclasses.replace(job, recipe=recipe.load(folder))
    model = staged(more, mean.model(), "merge", "pack", "simplify", "fp32")
    ids, mask = random_tokens(3, 5, mean.info.vocabulary)
    found = run(model, ids, mask, ["sentence_embedding"])[0]
    np.testing.assert_allclose(found, mean.original(ids, mask), atol=1e-5)
