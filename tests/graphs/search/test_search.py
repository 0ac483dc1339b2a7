"""The search takes the cheapest plan within its budget."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from core.build import plan as plan_file
from core.errors import GraphError
from graphs.search import frontier, search
from graphs.search.evaluator import Evaluation, Evaluator
from tests.support.graphs import linear_head
from tests.support.quantization import LABELS, packed_with_head, plan_of, random_ids


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
    chosen, _, points = found(cls, small, evaluator, 0.9)
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


def test_a_budget_between_takes_up_the_cheapest_modes_until_it_is_within(cls, small, tmp_path):
    evaluator = Counting()
    chosen, _, points = search.search(packed_with_head(cls), small, evaluator, evaluator, 0.061, quiet())
    # Five products in one term at first, two of them of one activation. The smallest layer is the cheapest.
    assert [round(point.flip_rate, 2) for point in points] == [0.1, 0.08, 0.04, 0.0]
    assert [activation.mode for activation in chosen.activations.values()] == [
        "int8x2",
        "int8x2",
        "int8",
        "int8",
    ]
    assert frontier.chosen(points).name == "+ layer_0_qkv int8x2"
    again, _, _ = search.search(packed_with_head(cls), small, evaluator, evaluator, 0.061, quiet())
    for name, plan in {"once": chosen, "again": again}.items():
        plan_file.write(tmp_path / f"{name}.json", plan)
    assert (tmp_path / "once.json").read_bytes() == (tmp_path / "again.json").read_bytes()


def test_a_budget_that_nothing_meets_is_an_error(cls, small, evaluator):
    with pytest.raises(GraphError, match="no quantization found within a flip rate of 0 on held-out texts"):
        found(cls, small, evaluator, 0.0)


@pytest.mark.parametrize(
    ("rate", "texts", "expected"), [(0.05, 10**9, True), (0.05, 100, False), (0, 5, True)]
)
def test_within_adds_two_standard_errors(rate, texts, expected):
    assert search.within(rate, texts, 0.0501) is expected
