"""Heads of others through make, columns in another order: the artifact answers as scikit-learn does."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.support.building import make, places
from tests.support.factories import Shape, random_tokens, write_checkpoint, write_recipe
from tests.support.heads import named, write_head
from tests.support.shapes import convert

LABELS = ["joy", "anger", "neutral"]
SHAPE = Shape(layers=1)


def embedded(bert, ids, mask):
    with torch.inference_mode():
        hidden = bert(torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state
    return torch.nn.functional.normalize(hidden[:, 0], dim=-1).numpy()


def rows(bert):
    """Embeddings of random texts, float32 `[n, h]`, and how much each label is in them, `[n, labels]`."""
    ids, mask = random_tokens(200, 9, 55, seed=5)
    x = embedded(bert, ids, mask)
    z = (x - x.mean(axis=0)) @ np.random.default_rng(0).standard_normal((x.shape[1], len(LABELS)))
    return x, z / z.std(axis=0)


def softmax(bert):
    x, z = rows(bert)
    estimator = LogisticRegression(C=100).fit(x, np.array(LABELS)[z.argmax(axis=1)])
    columns = [estimator.classes_.tolist().index(label) for label in LABELS]
    return convert(estimator, {}, SHAPE.hidden), lambda x: estimator.predict_proba(x)[:, columns]


def softmax_of_a_tree(bert):
    x, z = rows(bert)
    estimator = DecisionTreeClassifier(max_depth=4).fit(x, np.array(LABELS)[z.argmax(axis=1)])
    columns = [estimator.classes_.tolist().index(label) for label in LABELS]
    return convert(estimator, {"zipmap": "columns"}, SHAPE.hidden), lambda x: estimator.predict_proba(x)[
        :, columns
    ]


def own_class_first(bert):
    x, z = rows(bert)
    found = {
        label: LogisticRegression(C=100).fit(x, np.where(z[:, column] > 0, label, "other"))
        for column, label in enumerate(LABELS)
    }
    assert [estimator.classes_.tolist().index(label) for label, estimator in found.items()] == [0, 0, 0]
    model = named({label: found[label] for label in LABELS[::-1]}, SHAPE.hidden)
    return model, lambda x: np.stack([found[label].predict_proba(x)[:, 0] for label in LABELS], axis=1)


def zip_map(bert):
    x, z = rows(bert)
    estimator = OneVsRestClassifier(LogisticRegression(C=100)).fit(x, (z > 0).astype(int))
    return convert(estimator, {}, SHAPE.hidden), estimator.predict_proba


HEADS = {
    "a softmax": (softmax, "linear", "names"),
    "a tree's classes": (softmax_of_a_tree, "subgraph", "names"),
    "its own class first": (own_class_first, "linear", "names"),
    "ZipMap of integers": (zip_map, "linear", "integers"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HEADS)
def test_the_artifact_says_what_scikit_learn_says(tmp_path, kind):
    head, form, columns_from = HEADS[kind]
    bert = write_checkpoint(tmp_path / "encoder", SHAPE, "cls")
    model, predict = head(bert)
    write_head(tmp_path / "head", model, LABELS)
    recipe = write_recipe(tmp_path / "tiny", LABELS, "path:../encoder", "path:../head")
    result = make("package", RECIPE=recipe, **places(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    said = "labels     columns taken in the order of the recipe: joy, anger, neutral"
    assert (said in result.stdout) == (columns_from != "names")
    described = json.loads((tmp_path / "dist/manifest.json").read_text("utf-8"))["head"]
    assert (described["kind"], described["columns_from"]) == (form, columns_from)
    assert ("taken in the order of the recipe" in (tmp_path / "dist/README.md").read_text("utf-8")) == (
        columns_from != "names"
    )
    ids, mask = random_tokens(40, 9, 55, seed=3)
    graph = onnxruntime.InferenceSession(tmp_path / "dist/onnx/model.onnx")
    found = graph.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0]
    expected = predict(embedded(bert, ids, mask))
    near = abs(found - expected).max(axis=1) < 1e-5
    # A tree's answer may turn at a boundary, with the last bit of an embedding.
    assert near.all() if form == "linear" else near.mean() > 0.9
    assert len(np.unique(expected.argmax(axis=1))) == len(LABELS)
