"""The stage `pack` between the others: every contract and head, and the sentence embedding."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from core import recipe
from core.errors import GraphError
from graphs import pipeline
from graphs.head.files import LinearHead, SubgraphHead
from graphs.job import Job
from tests.support.factories import write_recipe
from tests.support.graphs import curved_head, linear_head, run, session_of
from tests.support.masks import KINDS, batch_of

LABELS = ["joy", "anger", "neutral"]
SHUFFLED = ["neutral", "joy", "anger"]
STAGES = ("merge", "pack", "simplify", "fp32")
BATCH = 5


@pytest.fixture(
    scope="session",
    params=[("mean", "mean", True), ("cls", "mean", False), ("cls", "cls", False), ("deep", "cls", True)],
    ids=["2-mean-normalized", "1-mean", "1-cls", "3-cls-normalized"],
)
def encoder(request):
    export, pooling, normalize = request.param
    return request.getfixturevalue(export).with_pooling(pooling, normalize)


def linear(hidden) -> LinearHead:
    return linear_head(LABELS, hidden, order=SHUFFLED)


def subgraph(hidden) -> SubgraphHead:
    return curved_head(LABELS, hidden)


def job_of(encoder, head, folder, contract, extra=""):
    info = encoder.info
    written = write_recipe(
        folder / "tiny",
        LABELS,
        "path:x",
        "path:y",
        contract=contract,
        pooling=info.pooling,
        normalize=info.normalize,
        extra=extra,
    )
    return Job(recipe.load(written), info, head(info.hidden))


def staged(job, encoder):
    model, counts = encoder.model(), {}
    for stage in STAGES:
        counts.update(pipeline.run(model, job, stage))
    return model, counts


def expected_of(encoder, head, ids, attention_mask):
    plain = linear(encoder.info.hidden)
    z = encoder.original(ids, attention_mask).astype(np.float64) @ plain.weight_hl + plain.bias_l
    return 1 / (1 + np.exp(-(np.tanh(z) if head is subgraph else z)))


@pytest.mark.parametrize("head", [linear, subgraph])
def test_stacked(encoder, head, tmp_path):
    job = job_of(encoder, head, tmp_path, "stacked", "sentence_embedding = true")
    model, counts = staged(job, encoder)
    assert counts["pack"] == {"attentions": encoder.info.layers}
    assert counts["unfuse"] == {"linear layers": 3 * encoder.info.layers}
    assert counts["prune"] == {"layers": int(encoder.info.pooling == "cls")}
    names = ["logits", "probabilities", "predictions", "sentence_embedding"]
    assert [value.name for value in model.graph.outputs] == names
    assert [str(dim) for dim in model.graph.outputs[-1].shape] == ["batch", str(encoder.info.hidden)]
    limits = np.array([0.3, 0.4, 0.5], np.float32)
    for seed, kind in enumerate(KINDS):
        ids, attention_mask = batch_of(encoder, kind, BATCH, 10, seed)
        _, probabilities, predictions, embedding = run(model, ids, attention_mask, names)
        expected = expected_of(encoder, head, ids, attention_mask)
        np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(predictions, probabilities >= limits)
        original = encoder.original(ids, attention_mask)
        np.testing.assert_allclose(embedding, original, rtol=0, atol=1e-5)


@pytest.mark.parametrize("head", [linear, subgraph])
def test_per_label(encoder, head, tmp_path):
    job = job_of(encoder, head, tmp_path, "per-label")
    model, _ = staged(job, encoder)
    assert [value.name for value in model.graph.outputs] == job.head.info.output_order
    for seed, kind in enumerate(KINDS):
        ids, attention_mask = batch_of(encoder, kind, BATCH, 10, seed)
        expected = expected_of(encoder, head, ids, attention_mask)
        for label, pair in zip(LABELS, run(model, ids, attention_mask, LABELS), strict=True):
            column = expected[:, LABELS.index(label)]
            np.testing.assert_allclose(pair, np.stack([1 - column, column], axis=1), rtol=0, atol=1e-5)


def test_the_finished_graph_is_the_same_each_time(encoder, tmp_path):
    job = job_of(encoder, linear, tmp_path, "stacked")
    first, second = (ir.to_proto(staged(job, encoder)[0]).SerializeToString() for _ in range(2))
    assert first == second


def test_the_finished_graph_refuses_ids_and_mask_of_different_shapes(encoder, tmp_path):
    model, _ = staged(job_of(encoder, linear, tmp_path, "stacked"), encoder)
    session = session_of(model)
    # Any engine that knows ONNX can run it.
    assert not [node for node in model.graph if node.domain]
    assert set(model.opset_imports) == {""}
    for shape in ((4, 3), (2, 6), (3, 5), (3, 1), (1, 4)):
        with pytest.raises(Exception, match="ids_and_mask"):
            session.run(None, {"input_ids": np.ones(shape, np.int64), "attention_mask": np.ones((3, 4), int)})


def test_a_count_that_is_not_the_encoders_is_an_error(mean, tmp_path):
    job = job_of(mean, linear, tmp_path, "stacked")
    model = mean.model()
    list(pipeline.run(model, job, "merge"))
    wrong = Job(job.recipe, type(mean.info)(**{**vars(mean.info), "layers": 3}), linear(mean.info.hidden))
    with pytest.raises(GraphError, match="pack: attentions: found 2, expected 3"):
        list(pipeline.run(model, wrong, "pack"))


def test_packing_twice_names_the_stage_and_the_step(mean, tmp_path):
    job = job_of(mean, linear, tmp_path, "stacked")
    model = mean.model()
    for stage in ("merge", "pack"):
        list(pipeline.run(model, job, stage))
    with pytest.raises(GraphError, match="pack: pack: no node position_embedding; `embeddings` must"):
        list(pipeline.run(model, job, "pack"))
