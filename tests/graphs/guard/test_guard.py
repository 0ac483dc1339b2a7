"""The variant `guarded`: who is asked again, what they are answered, and that no batch changes either."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from core import recipe
from core.artifact.metadata import Metadata
from core.build.plan import GUARD_STATED
from core.contract import SINGLE_LABEL
from core.decisions import log_odds, log_probabilities
from core.errors import GraphError
from graphs import pipeline
from graphs.edit import ops
from graphs.finish import padded
from graphs.guard import near
from graphs.head.files import LinearHead, SubgraphHead
from graphs.int8 import calibration
from graphs.job import Job
from graphs.search import initial_plan
from tests.support.factories import write_recipe
from tests.support.features import encoder_with_features
from tests.support.graphs import Exported, curved_head, linear_head, session_of, softmax_head
from tests.support.head_info import head_info

LABELS = ["joy", "anger", 'a "quoted" – label']
VARIANTS = "[variants.int8]\nmax_flip_rate = 0.5\n[variants.guarded]\nmax_flip_rate = 0.25\n"
ALWAYS, NEVER = 1e9, 0.0
WITHIN = 1e-5


def subgraph(width: int) -> SubgraphHead:
    return curved_head(LABELS, width)


def plain_head(width: int) -> LinearHead:
    return linear_head(LABELS, width, LABELS[::-1])


def one_label_head(width: int) -> LinearHead:
    """Its first label has a threshold that the highest may fail; the second one's is 0."""
    return softmax_head(LABELS, width, [0.6, 0.0, 0.5])


@dataclasses.dataclass
class Guarded:
    """A job with margins of 0, and sessions of its graphs by stage; `guarded` makes one of some margins."""

    job: Job
    simplified: ir.Model

    def model(self, margins: list[float]) -> ir.Model:
        record = {GUARD_STATED: "of 5000 texts …"}
        plan = dataclasses.replace(self.job.plan, margins=tuple(margins), record=record)
        model = self.simplified.clone()
        list(pipeline.run(model, dataclasses.replace(self.job, plan=plan), "guarded"))
        return model

    def guarded(self, margins: list[float]):
        return session_of(self.model(margins))

    def exact(self):
        model = self.simplified.clone()
        list(pipeline.run(model, self.job, "fp32"))
        return session_of(model)


def guarded_of(
    encoder: Exported, head: Callable, folder, contract: str = "stacked", extra: str = ""
) -> Guarded:
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
        variants=VARIANTS,
    )
    job = Job(recipe.load(written), info, head(info.features))
    model = encoder.model()
    for stage in ("merge", "pack", "simplify"):
        list(pipeline.run(model, job, stage))
    seen = calibration.calibrate(model, [ids.astype(np.int32) for ids in texts(info, 40)])
    plan = initial_plan.initial_plan(model, seen, info.weights_sha256, job.head.info.model_sha256)
    return Guarded(dataclasses.replace(job, plan=plan, exact=model), model)


def texts(info, count: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, info.positions + 1, count)
    return [random.integers(0, info.vocabulary, length) for length in lengths]


def batch(rows: list[np.ndarray], more: int = 0) -> dict[str, np.ndarray]:
    length = max(map(len, rows)) + more
    ids, mask = np.zeros((2, len(rows), length), np.int64)
    for row, text in enumerate(rows):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return {"input_ids": ids, "attention_mask": mask}


def positive(job: Job, outputs: list[np.ndarray]) -> np.ndarray:
    """Probabilities `[n, labels]` of a session's outputs, under either contract."""
    if job.recipe.contract == "stacked":
        return outputs[1]
    by_label = dict(zip(job.head.info.output_order, outputs, strict=False))
    return np.stack([by_label[label][:, 1] for label in job.head.info.labels], axis=1)


def distances(job: Job, probabilities: np.ndarray) -> np.ndarray:
    """How far each text is from a decision, in log-odds, in the plain words of the definition."""
    p = probabilities.astype(np.float64)
    thresholds = np.array([job.head.info.thresholds[label] for label in job.head.info.labels])
    with np.errstate(divide="ignore"):
        limits = np.log(thresholds) - np.log1p(-thresholds)
    if job.head.info.problem_type != SINGLE_LABEL:
        return abs(log_odds(1 - p, p) - limits).min(axis=1)
    winner = p.argmax(axis=1)
    logits = np.sort(log_probabilities(p), axis=1)
    highest = p[np.arange(len(p)), winner]
    below = np.where(thresholds[winner] > 0, abs(log_odds(1 - highest, highest) - limits[winner]), np.inf)
    return np.minimum(logits[:, -1] - logits[:, -2], below)


CASES = {
    "linear": ("mean", plain_head, "stacked", ""),
    "pairs": ("mean", plain_head, "per-label", ""),
    "one label": ("mean", one_label_head, "stacked", ""),
    "another head and embedding": ("cls", subgraph, "per-label", "sentence_embedding = true"),
    "embedding": ("cls", plain_head, "stacked", "sentence_embedding = true"),
    "features": ("mixture", plain_head, "stacked", ""),
}


@pytest.fixture(scope="session")
def mixture(tmp_path_factory) -> Exported:
    return encoder_with_features(tmp_path_factory.mktemp("mixture"), "mixture")


@pytest.fixture(scope="module", params=CASES)
def made(request, tmp_path_factory) -> Guarded:
    encoder, head, contract, extra = CASES[request.param]
    folder = tmp_path_factory.mktemp("guarded")
    return guarded_of(request.getfixturevalue(encoder), head, folder, contract, extra)


def assert_close(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=0, atol=WITHIN)


def test_texts_near_to_a_decision_get_the_float_graphs_answers_and_no_others(made):
    rows = texts(made.job.encoder, 96, seed=1)
    given = batch(rows)
    labels = len(LABELS)
    exact, half = made.exact().run(None, given), made.guarded([NEVER] * labels).run(None, given)
    away = distances(made.job, positive(made.job, half))
    order = np.sort(away)
    # In the middle of the widest gap of distances about the median: rounding moves none over it.
    low, high = max(pairwise(order[40:56]), key=lambda ends: ends[1] - ends[0])
    margin = float(low + high) / 2
    asked = away < margin
    assert 0 < asked.sum() < len(rows)
    found = made.guarded([margin] * labels).run(None, given)
    assert_close([values[asked] for values in found], [values[asked] for values in exact])
    for mine, theirs in zip(found, half, strict=True):
        np.testing.assert_array_equal(mine[~asked], theirs[~asked])
    assert abs(positive(made.job, exact) - positive(made.job, half))[asked].max() > WITHIN
    assert_close(made.guarded([ALWAYS] * labels).run(None, given), exact)


def test_a_text_gets_the_same_answer_in_any_batch(made):
    rows = texts(made.job.encoder, 64, seed=2)
    session = made.guarded([0.2] * len(LABELS))
    half = made.guarded([NEVER] * len(LABELS))
    alone = [[values[0] for values in session.run(None, batch([row]))] for row in rows]
    of_half = np.concatenate([positive(made.job, half.run(None, batch([row]))) for row in rows])
    order = np.random.default_rng(0).permutation(len(rows))
    for places, more in ((np.arange(64), 0), (order, 0), (order[::-1], 7)):
        for start in range(0, len(rows), 16):
            chosen = places[start : start + 16]
            given = batch([rows[place] for place in chosen], more)
            if given["input_ids"].shape[1] > made.job.encoder.positions:
                given = {name: values[:, : made.job.encoder.positions] for name, values in given.items()}
            # To the bit, so that the same texts are near.
            found = positive(made.job, half.run(None, given))
            np.testing.assert_array_equal(found, of_half[chosen])
            expected_answers = [np.stack(v) for v in zip(*[alone[p] for p in chosen], strict=True)]
            for values, expected in zip(session.run(None, given), expected_answers, strict=True):
                np.testing.assert_allclose(values.astype(float), expected.astype(float), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("margin", [NEVER, 0.2, ALWAYS])
def test_no_rows_rows_without_a_token_and_the_shortest_and_longest(made, margin):
    session, exact = made.guarded([margin] * len(LABELS)), made.exact()
    positions = made.job.encoder.positions
    for shape in ((0, 4), (1, 1), (2, positions)):
        ids = np.full(shape, 3)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        found = session.run(None, given)
        assert [len(values) for values in found] == [shape[0]] * len(found)
        assert all(np.isfinite(values).all() for values in found)
    ids = texts(made.job.encoder, 3, seed=3)
    given = batch(ids)
    given["attention_mask"][1] = 0
    found, expected = session.run(None, given), exact.run(None, given)
    assert all(np.isfinite(values).all() for values in found)
    if margin == ALWAYS:
        assert_close(found, expected)


def test_the_graph_is_onnx_has_no_constant_twice_and_says_its_margins(made):
    margins = [0.1, 0.0, 1.5]
    model = made.model(margins)
    proto = ir.to_proto(model)
    ignored = {"com.microsoft"}
    if not ignored & {node.domain for node in model.graph.all_nodes()}:
        onnx.checker.check_model(proto, full_check=True)
    onnx.checker.check_model(proto)
    contents = [
        (array.dtype, array.shape, array.tobytes())
        for array in map(ops.array_of, model.graph.initializers.values())
        if array.size > 64
    ]
    assert len(set(contents)) == len(contents)
    assert ir.to_proto(made.model(margins)).SerializeToString() == proto.SerializeToString()
    stated = Metadata.read("model", model.metadata_props)
    assert stated.guard == {
        "margins": dict(zip(LABELS, margins, strict=True)),
        "max_flip_rate": 0.25,
        "bound": "of 5000 texts …",
    }


def test_limits_are_of_log_odds():
    info = head_info(LABELS, {LABELS[0]: 0.5, LABELS[1]: 0.0, LABELS[2]: 0.25}, order=LABELS)
    lows, highs = near.limits(info, [2, 5, float("inf")])
    np.testing.assert_array_equal(lows, np.float32([-2, np.inf, -np.inf]))
    np.testing.assert_array_equal(highs, np.float32([2, -np.inf, np.inf]))


@pytest.mark.parametrize("margins", [[], [0.1, 0.1], [0.1, -0.1, 0.1], [0.1, float("nan"), 0.1]])
def test_wrong_margins_are_refused(margins):
    with pytest.raises(GraphError, match=r"margins: found .*, expected a number from 0 on for each of 3"):
        near.limits(head_info(LABELS, dict.fromkeys(LABELS, 0.5), order=LABELS), margins)


def test_without_the_branch_for_unpadded_rows_it_answers_the_same(made):
    model = made.model([0.2] * len(LABELS))
    given = batch(texts(made.job.encoder, 8, seed=4))
    expected = session_of(model).run(None, given)
    assert padded.padded(model) == 1
    assert [node.name for node in ops.nodes_of(model.graph, "If")] == ["guard"]
    assert "QAttention" not in {node.op_type for node in model.graph.all_nodes()}
    for mine, theirs in zip(session_of(model).run(None, given), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
