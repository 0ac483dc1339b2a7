"""The reference, against torch, scikit-learn and onnxruntime put together by hand."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoTokenizer, BertModel, BertTokenizer

from export.encoder import checkpoint
from export.reference import answers
from tests.support.factories import write_head
from tests.support.heads import read_head
from tests.support.places import DEFAULT
from tests.support.sources import read_checkpoint

LABELS = ["joy", "fear", "neutral"]
TEXTS = ["", "the", "a b c!", "the " * 80, "xyz. " * 3, "abc"]


@pytest.fixture
def built(tiny, tmp_path):
    classifiers = write_head(tmp_path / "head", LABELS, 24, shuffled=True)
    info = read_checkpoint(tiny)
    head = read_head(tmp_path / "head", LABELS, 24)
    tokenizer = checkpoint.load_tokenizer(tiny / "tokenizer.json", info.max_length)

    def build():
        return answers.build(tiny, info, head, tokenizer, TEXTS)

    return build, info, head, classifiers


def text(array) -> str:
    return array.tobytes().decode("utf-8")


def test_equals_torch_and_scikit_learn(built, tiny, offline):
    build, info, head, classifiers = built
    arrays = build()
    assert json.loads(text(arrays["texts"])) == TEXTS
    assert json.loads(text(arrays["labels"])) == LABELS
    assert text(arrays["encoder_sha256"]) == info.sha256["model.safetensors"]
    assert text(arrays["head_sha256"]) == head.info.sha256["model.onnx"]
    tokenizer, bert = BertTokenizer.from_pretrained(tiny), BertModel.from_pretrained(tiny).eval()
    rows = [tokenizer(one, truncation=True, max_length=64)["input_ids"] for one in TEXTS]
    assert arrays["lengths"].tolist() == [len(row) for row in rows]
    assert max(arrays["lengths"]) == 64
    assert arrays["input_ids"].tolist() == [token for row in rows for token in row]
    with torch.inference_mode():
        hidden = [bert(torch.tensor([row])).last_hidden_state[0].numpy() for row in rows]
    pooled = np.stack([tokens_sh.mean(axis=0) for tokens_sh in hidden])
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    expected = np.stack([found.predict_proba(pooled)[:, 1] for found in classifiers], axis=1)
    np.testing.assert_allclose(arrays["probabilities"], expected, atol=1e-6)
    logits = np.stack([found.decision_function(pooled) for found in classifiers], axis=1)
    np.testing.assert_allclose(arrays["logits"], logits, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 1e-3
    assert arrays["thresholds"].tolist() == [head.info.thresholds[label] for label in LABELS]
    assert arrays["thresholds"].dtype == np.float64


def test_types_and_shapes(built):
    found = {name: (array.dtype.name, array.shape) for name, array in built[0]().items() if array.ndim == 2}
    assert found == dict.fromkeys(["logits", "probabilities"], ("float32", (6, 3)))


def test_two_builds_are_equal_and_so_are_their_files(built, tmp_path):
    first, second = built[0](), built[0]()
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    answers.write(tmp_path / "a.npz", first)
    answers.write(tmp_path / "b.npz", second)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert set(stored) == set(first)
        for name in first:
            np.testing.assert_array_equal(stored[name], first[name])
            assert stored[name].dtype == first[name].dtype


def test_the_fixed_list_of_texts(minilm, offline):
    texts = answers.texts()
    assert len(texts) > 96
    assert len(set(texts)) == len(texts)
    assert "" in texts
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    lengths = [len(tokenizer(one)["input_ids"]) for one in texts]
    assert min(lengths) == 2
    assert max(lengths) > 512
    # The limit, and one token over it.
    assert {512, 513} <= set(lengths)


def test_the_committed_reference(minilm, offline):
    """The default recipe's reference against transformers' hidden states and the head's own file."""
    bert = BertModel.from_pretrained(minilm, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    with np.load(DEFAULT / "reference.npz", allow_pickle=False) as stored:
        texts, labels = json.loads(text(stored["texts"])), json.loads(text(stored["labels"]))
        probabilities = stored["probabilities"]
    assert texts == answers.texts()
    rows = [0, *range(1, len(texts), 7), int(np.argmax([len(one) for one in texts]))]
    features = []
    for row in rows:
        given = tokenizer(texts[row], truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            states = [state[0] for state in bert(**given, output_hidden_states=True).hidden_states]
        means = [states[layer].mean(dim=0) for layer in (0, 2, 3, 4, 5, 6)]
        maxima = [states[layer].amax(dim=0) for layer in (0, 3, 6)]
        features.append(torch.cat([*means, *maxima]).numpy())
    session = onnxruntime.InferenceSession(DEFAULT / "model.onnx", providers=["CPUExecutionProvider"])
    pairs = session.run(labels, {"logits": np.stack(features)})
    expected = np.stack([pair[:, 1] for pair in pairs], axis=1)
    np.testing.assert_allclose(probabilities[rows], expected, atol=1e-5)
