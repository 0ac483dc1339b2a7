"""A plan is read back as it was written; calibration against torch; the search and its budget."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
import torch
from rich.console import Console

from core.build import plan as plan_file
from core.errors import ArtifactError, GraphError
from graphs.int8 import calibration
from graphs.search import frontier, search
from graphs.search.evaluator import Evaluation, Evaluator
from tests.support.graphs import linear_head
from tests.support.quantization import LABELS, bare, busy, packed_with_head, plan_of, random_ids


@pytest.fixture(scope="module")
def base(mean):
    return plan_of(mean)


def test_a_plan_is_read_back_exactly(base, tmp_path):
    written = replace(busy(base).with_mode("layer_1_up", "int8x2"), record={"calibration": "some – texts"})
    (tmp_path / "quantization.json").write_text(plan_file.dump(written), "utf-8")
    found = plan_file.read(tmp_path / "quantization.json")
    assert plan_file.dump(found) == plan_file.dump(written)
    for name, activation in written.activations.items():
        for mine, theirs in zip(
            vars(activation.range).values(), vars(found.activations[name].range).values(), strict=True
        ):
            assert mine.dtype == theirs.dtype == np.float32
            np.testing.assert_array_equal(mine, theirs)
    assert found.description == "static int8, 8-bit weights per column; activations: 7 int8, 1 int8x2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("sites"), "cannot be read as a quantization plan"),
        (lambda c: c.update(weight_bits=6), "weight_bits: found 6, expected 7 or 8"),
        (lambda c: c["sites"]["layer_0_up"].update(mode="int4"), "layer_0_up: mode: found 'int4'"),
        (lambda c: c["sites"]["layer_0_up"].update(low="AAAA"), "cannot be read|as many low, high and mean"),
        (lambda c: c["sites"]["layer_0_up"].update(split_channels=[99]), "expected different ones of 24"),
        (lambda c: c["sites"]["layer_0_up"].update(split_channels=[1], float_channels=[1]), "different ones"),
        (lambda c: c["sites"]["layer_0_up"].update(normalized=1), "layer_0_up: normalized: expected true or"),
        (lambda c: c["sites"]["layer_0_up"].update(normalized=True), "true in mode int8 with one range only"),
    ],
)
def test_a_damaged_plan_is_refused_with_its_file(base, tmp_path, change, message):
    content = json.loads(plan_file.dump(base))
    change(content)
    path = tmp_path / "quantization.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ArtifactError, match=message) as caught:
        plan_file.read(path)
    assert str(path) in str(caught.value)


def test_a_plan_of_normalized_activations_is_read_back_exactly(mean, tmp_path):
    written = bare(mean)
    assert [name for name, activation in written.activations.items() if activation.normalized] == [
        f"layer_{layer}_{name}" for layer in range(2) for name in ("qkv", "up")
    ]
    path = tmp_path / "quantization.json"
    path.write_text(plan_file.dump(written), "utf-8")
    assert plan_file.dump(plan_file.read(path)) == plan_file.dump(written)
    content = json.loads(plan_file.dump(written))
    content["sites"]["layer_0_up"]["mode"] = "int8x2"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ArtifactError, match="true in mode int8 with one range only"):
        plan_file.read(path)


def test_calibration_against_torchs_hidden_states(mean):
    ids = random_ids(mean, 30)
    observed = calibration.calibrate(packed_with_head(mean), ids)
    seen = {"layer_1_qkv": [], "layer_1_down": []}

    def keep(_module, _inputs, output):
        seen["layer_1_qkv"].append(output[0] if isinstance(output, tuple) else output)

    first, second = mean.bert.encoder.layer
    first.register_forward_hook(
        lambda m, i, o: seen["layer_1_qkv"].append(o[0] if isinstance(o, tuple) else o)
    )
    second.intermediate.register_forward_hook(lambda m, i, o: seen["layer_1_down"].append(o))
    with torch.inference_mode():
        for row in ids:
            mean.bert(torch.tensor(row[None].astype(np.int64)))
    for hooks in (first._forward_hooks, second.intermediate._forward_hooks):
        hooks.clear()
    for name, arrays in seen.items():
        expected = np.concatenate([array.reshape(-1, array.shape[-1]).numpy() for array in arrays])
        limits = observed[name].range
        np.testing.assert_allclose(limits.mean_k, expected.mean(0), atol=1e-4)
        np.testing.assert_allclose(observed[name].square_k, (expected**2).mean(0), rtol=1e-3)
        assert (limits.low_k >= expected.min(0) - 1e-4).all()
        assert (limits.high_k <= expected.max(0) + 1e-4).all()
        # A cut must be worth it: nearly everything is inside.
        inside = (expected >= limits.low_k - 1e-4) & (expected <= limits.high_k + 1e-4)
        assert inside.mean() > 0.97
    np.testing.assert_allclose(observed["layer_1_down"].range.high_k, expected.max(0), atol=1e-4)


def quiet():
    return Console(file=io.StringIO())


@pytest.fixture(scope="module")
def small(cls):
    return plan_of(cls)


@pytest.fixture(scope="module")
def evaluator(cls):
    head = linear_head(LABELS, cls.info.hidden).info
    return Evaluator(packed_with_head(cls), head, random_ids(cls, 600, seed=7))


def found(cls, small, evaluator, budget):
    return search.search(packed_with_head(cls), small, evaluator, evaluator, budget, quiet())


def test_the_float_graph_judged_by_itself_has_no_flip(cls, evaluator):
    evaluation = evaluator.evaluate(packed_with_head(cls))
    assert (evaluation.flip_rate, evaluation.logit_error) == (0, 0)


def test_a_generous_budget_takes_one_term_everywhere(cls, small, evaluator):
    chosen, points = found(cls, small, evaluator, 0.9)
    assert chosen.activations == small.activations
    assert points[0].inside
    assert [point.name for point in points] == ["one int8 term everywhere", "two int8 terms everywhere"]
    assert points[1].cost > points[0].cost
    assert points[1].logit_error < points[0].logit_error


class Counting:
    """Judges a graph by how many of its activations are still in one term: two flips in a hundred each."""

    ids = (np.zeros(3, np.int32),) * 10**6

    def evaluate(self, model, count=None):
        products = {node.name for node in model.graph if node.op_type == "MatMulIntegerToFloat"}
        single = {
            name for name in products if f"{name}_second" not in products and not name.endswith("_second")
        }
        return Evaluation(0.02 * len(single), 0.1 * len(single))

    def speeds(self, models):
        return dict.fromkeys(models, 100.0)


def test_a_budget_between_takes_up_the_cheapest_modes_until_it_is_within(cls, small):
    evaluator = Counting()
    chosen, points = search.search(packed_with_head(cls), small, evaluator, evaluator, 0.061, quiet())
    # Five products in one term at first, two of them of one activation. The smallest layer is the cheapest.
    assert [round(point.flip_rate, 2) for point in points] == [0.1, 0.08, 0.04, 0.0]
    assert [activation.mode for activation in chosen.activations.values()] == [
        "int8x2",
        "int8x2",
        "int8",
        "int8",
    ]
    assert frontier.chosen(points).name == "+ layer_0_qkv int8x2"
    again, _ = search.search(packed_with_head(cls), small, evaluator, evaluator, 0.061, quiet())
    assert plan_file.dump(again) == plan_file.dump(chosen)


def test_a_budget_that_nothing_meets_is_an_error(cls, small, evaluator):
    with pytest.raises(GraphError, match="no quantization found within a flip rate of 0 on held-out texts"):
        found(cls, small, evaluator, 0.0)


@pytest.mark.parametrize(
    ("rate", "texts", "expected"), [(0.05, 10**9, True), (0.05, 100, False), (0, 5, True)]
)
def test_within_adds_two_standard_errors(rate, texts, expected):
    assert search.within(rate, texts, 0.0501) is expected


def test_the_frontier_is_written_as_table_and_plot(tmp_path):
    points = [
        frontier.Point("one", 0.08, 0.06, 0.1, 10**6, 1.0, 900.0, False),
        frontier.Point("two", 0.04, 0.03, 0.05, 2 * 10**6, 1.5, 700.0, True),
        frontier.Point("three", 0.02, 0.01, 0.02, 2 * 10**6, 2.2, 400.0, True),
    ]
    frontier.write(tmp_path, points, 0.05)
    table = (tmp_path / "frontier.md").read_text("utf-8")
    assert "| two **chosen** | 0.0400 | 0.0300 | 0.0500 | 2.0 MB | 1.50 | 700 |" in table
    assert len(json.loads((tmp_path / "frontier.json").read_text())) == 3
    first = (tmp_path / "frontier.svg").read_bytes()
    assert b"<svg" in first
    frontier.write(tmp_path, points, 0.05)
    assert (tmp_path / "frontier.svg").read_bytes() == first


def test_calibration_files_that_are_damaged(tmp_path):
    path = tmp_path / "calibration.npz"
    with pytest.raises(ArtifactError, match=r"calibration\.npz: cannot be read"):
        calibration.read(path)
    path.write_bytes(b"no")
    with pytest.raises(ArtifactError, match=r"calibration\.npz: cannot be read"):
        calibration.read(path)


def test_activations_refuse_an_unpacked_graph(mean):
    with pytest.raises(GraphError, match="`pack` and `unfuse` must come before"):
        calibration.calibrate(ir.from_proto(ir.to_proto(mean.model())), random_ids(mean, 3))
