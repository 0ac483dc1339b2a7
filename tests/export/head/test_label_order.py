"""Shapes of heads, label orders, and what a head holds of names: right by scikit-learn, or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.errors import HeadError
from core.untrusted.limited import process
from tests.support import limited
from tests.support.heads import WIDTH, read_head, write_head
from tests.support.shapes import (
    COUNTED,
    MULTI,
    OPTIONS,
    SINGLE,
    SORTED,
    by_label,
    convert,
    multi,
    of_the_build,
    rows,
    single,
)

ORDERS = [SORTED, COUNTED, COUNTED[::-1]]
X = rows(seed=7, count=80)


@pytest.fixture(autouse=True)
def _no_process_a_head(monkeypatch):
    """Limited processes have tests of their own, and starting one takes longer than all of this."""
    monkeypatch.setattr(process, "start", limited.in_a_thread)


def assert_right(found, estimator, labels):
    expected = by_label(estimator, labels, X)
    # A swap would show: no two labels are as close as this.
    assert (
        abs(expected[:, :, None] - expected[:, None]).max(axis=0)[~np.eye(len(labels), dtype=bool)].min()
        > 1e-3
    )
    np.testing.assert_allclose(found.run(X)[1], expected, atol=2e-6)
    np.testing.assert_allclose(of_the_build(found, labels, X), expected, atol=2e-6)
    assert found.info.labels == labels


def read_counted(folder, estimator, option, labels):
    """Write a head without names: right in the order of its thresholds, refused (None) in another."""
    write_head(folder, convert(estimator, OPTIONS[option]), COUNTED)
    if labels != COUNTED:
        with pytest.raises(
            HeadError, match=r"holds no names of labels, and thresholds\.json has them in another"
        ):
            read_head(folder, labels, WIDTH)
        return None
    found = read_head(folder, labels, WIDTH)
    assert_right(found, estimator, labels)
    return found


@pytest.mark.parametrize("labels", ORDERS, ids=["sorted", "counted", "reversed"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", SINGLE)
def test_a_softmax_over_names(tmp_path, kind, option, labels):
    estimator = single(kind, "names")
    write_head(tmp_path, convert(estimator, OPTIONS[option]), COUNTED)
    found = read_head(tmp_path, labels, WIDTH)
    assert_right(found, estimator, labels)
    assert (found.info.problem_type, found.info.columns_from) == ("single_label_classification", "names")
    # scikit-learn's order is the file's.
    assert found.info.output_order == SORTED


@pytest.mark.parametrize("labels", ORDERS[1:], ids=["counted", "reversed"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(
    "kind", ["LogisticRegression", "SGD", "SVC", "forest", "MLP", "OneVsRest", "Calibrated"]
)
def test_a_softmax_over_integers(tmp_path, kind, option, labels):
    estimator = single(kind, "integers")
    found = read_counted(tmp_path, estimator, option, labels)
    if found is None:
        return
    assert (found.info.problem_type, found.info.columns_from) == ("single_label_classification", "integers")


@pytest.mark.parametrize("labels", ORDERS[1:], ids=["counted", "reversed"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", MULTI)
def test_columns_of_0_and_1(tmp_path, kind, option, labels):
    estimator = multi(kind)
    if (kind, option) == ("MultiOutput", "columns"):
        with pytest.raises(ValueError, match="Unexpected value"):
            convert(estimator, OPTIONS[option])
        return
    found = read_counted(tmp_path, estimator, option, labels)
    if found is None:
        return
    assert found.info.problem_type == "multi_label_classification"
    assert found.info.columns_from in ("recipe", "integers")


@pytest.mark.parametrize("option", OPTIONS)
def test_names_are_one_set_with_the_recipes(tmp_path, option):
    model = convert(single("LogisticRegression", "names"), OPTIONS[option])
    write_head(tmp_path, model, [*SORTED[:3], "envy"])
    with pytest.raises(HeadError, match=r"model\.onnx: (label 'neutral' is unknown to|found outputs)"):
        read_head(tmp_path, [*SORTED[:3], "envy"], WIDTH)
    (tmp_path / "thresholds.json").write_text(json.dumps(dict.fromkeys([*SORTED, "envy"], 0.5)))
    with pytest.raises(HeadError, match=r"model\.onnx: (label 'envy' of the recipe is missing|found )"):
        read_head(tmp_path, [*SORTED, "envy"], WIDTH)
