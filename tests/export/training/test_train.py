"""Training on a small made-up data set: what is chosen, written and kept, against scikit-learn."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from rich.console import Console
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from core.errors import DatasetError
from export.encoder import torch_encoder
from export.training import train
from tests.support import emotions
from tests.support.heads import read_head
from tests.support.sources import read_checkpoint

LABELS = ["neutral", "joy", "grief"]
GRID = [round(0.05 * step, 2) for step in range(1, 20)]
STRENGTHS = [1.0, 3.0, 10.0, 30.0, 100.0]


@pytest.fixture
def splits(tmp_path):
    emotions.write(tmp_path / "data")
    data = emotions.data_set(tmp_path / "data", LABELS)
    return {split: data.read(split) for split in ("train", "dev")}


@pytest.fixture
def run(tiny, tmp_path, splits):
    info = read_checkpoint(tiny)

    def train_to(name, *, cache="cache", labels=LABELS):
        console = Console(file=io.StringIO())
        data = emotions.data_set(tmp_path / "data", labels)
        return train.train(tiny, info, data, tmp_path / name, tmp_path / cache, console)

    return train_to


def truth(split, label):
    return np.array([label in labels for labels in split.labels])


def test_chooses_what_scikit_learn_would(run, tiny, tmp_path, splits, offline):
    trained = run("head")
    model = SentenceTransformer(str(tiny), device="cpu")
    x, dev = (model.encode(splits[name].texts) for name in ("train", "dev"))
    macro = {}
    for strength in STRENGTHS:
        best = []
        for label in LABELS:
            fitted = LogisticRegression(C=strength, max_iter=2000).fit(x, truth(splits["train"], label))
            scores = fitted.predict_proba(dev)[:, 1]
            best.append(max(f1_score(truth(splits["dev"], label), scores >= limit) for limit in GRID))
        macro[strength] = np.mean(best)
    assert len({round(value, 3) for value in macro.values()}) > 1
    assert macro[trained.settings["C"]] == pytest.approx(max(macro.values()), abs=0.01)
    assert trained.macro_f1 == pytest.approx(macro[trained.settings["C"]], abs=0.01)


def test_the_written_thresholds_have_the_best_f1_of_the_written_head(run, tiny, tmp_path, splits, offline):
    trained = run("head")
    stated = json.loads((tmp_path / "head" / "thresholds.json").read_text())
    assert list(stated) == LABELS
    assert stated == trained.thresholds
    session = onnxruntime.InferenceSession(tmp_path / "head" / "model.onnx")
    assert [value.name for value in session.get_outputs()] == LABELS
    dev = SentenceTransformer(str(tiny), device="cpu").encode(splits["dev"].texts)
    for label, pair in zip(LABELS, session.run(LABELS, {"logits": dev}), strict=True):
        wanted = truth(splits["dev"], label)
        scores = [f1_score(wanted, pair[:, 1] >= np.float32(limit), zero_division=0.0) for limit in GRID]
        assert stated[label] == GRID[int(np.argmax(scores))]
        assert trained.dev_f1[label] == pytest.approx(max(scores))
        assert max(scores) > 0.3


def test_the_written_head_folds(run, tmp_path):
    trained = run("head")
    found = read_head(tmp_path / "head", LABELS, 24)
    assert found.info.kind == "linear"
    weight = np.concatenate([classifier.coef_ for classifier in trained.classifiers]).T
    np.testing.assert_allclose(found.weight_hl, weight, rtol=1e-6)
    assert found.info.thresholds == trained.thresholds


def test_two_runs_write_the_same_bytes(run, tmp_path):
    run("one", cache="a")
    run("two", cache="b")
    for name in ("model.onnx", "thresholds.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["model.onnx", "thresholds.json"]


def test_embeddings_are_kept_and_used_again(run, tmp_path, monkeypatch):
    run("one")
    monkeypatch.setattr(torch_encoder, "load", lambda folder: pytest.fail("embedded again"))
    run("two")
    assert (tmp_path / "one" / "model.onnx").read_bytes() == (tmp_path / "two" / "model.onnx").read_bytes()


CHANGES = [
    {"max_length": 5},
    {"pooling": "cls"},
    {"normalize": False},
    {"sha256": {"model.safetensors": "0" * 64}},
]


@pytest.mark.parametrize("change", CHANGES, ids=[next(iter(change)) for change in CHANGES])
def test_embeddings_of_another_encoder_are_not_used(tiny, tmp_path, splits, change):
    info, texts, console = read_checkpoint(tiny), splits["dev"].texts, Console(file=io.StringIO())
    first = train.embeddings(tiny, info, "dev", texts, tmp_path, console)
    second = train.embeddings(tiny, replace(info, **change), "dev", texts, tmp_path, console)
    assert len(list(tmp_path.glob("dev-*.npy"))) == 2
    assert np.array_equal(first, second) == ("sha256" in change)


def test_a_label_without_a_text(run):
    with pytest.raises(DatasetError, match="the train split has no text labelled pride, relief"):
        run("head", labels=["joy", "relief", "pride"])
