"""`[features]`: recipes that don't fit, embedding against torch, and the head that is trained on it."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from transformers import BertModel

from core import recipe
from core.errors import CheckpointError, RecipeError
from core.recipe import EncoderTable, FeaturesTable
from core.thresholds import GRID
from export.encoder import checkpoint, torch_encoder
from export.training import features as train_features
from export.training import platt_scaling, train, tuning
from export.training.features import Linear, Standard
from tests.support import emotions
from tests.support.factories import random_tokens
from tests.support.heads import read_head
from tests.support.recipes import GOOD, load
from tests.support.sources import read_checkpoint, source

LABELS = ["neutral", "joy", "grief"]
PART = FeaturesTable(layers=[1, 0], pooling=["mean", "max", "cls"])
FEATURES = '[features]\nlayers = [0, 1]\npooling = ["mean"]\n'


def with_features(folder, *parts):
    encoder_part = EncoderTable(source="path:x", pooling="mean", normalize=True)
    return checkpoint.read(source(folder), encoder_part, parts or [PART])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[0, 1]", "[0, 0]", r"features: duplicate in \[\(0, 'mean'\), \(0, 'mean'\)\]"),
        ('["mean"]', '["mean", "mean"]', "features: duplicate in"),
        ("[0, 1]", "[-1]", r"features\.0\.layers\.0: .*greater than or equal to 0, found -1"),
        ("[0, 1]", "[]", r"features\.0\.layers: .*at least 1 item"),
        ("[0, 1]", "[0]", r"features\.layers: expected a layer above 0"),
        ('["mean"]', '["sum"]', r"features\.0\.pooling\.0: .*'cls', 'mean' or 'max', found 'sum'"),
        ("layers =", "levels =", r"features\.0\.(layers: missing|levels: unknown key)"),
        ('contract = "stacked"', 'contract = "stacked"\nsentence_embedding = true', "does not compute it"),
    ],
)
def test_a_recipe_that_does_not_fit(tmp_path, old, new, said):
    text = GOOD.replace("[head]", FEATURES + "[head]")
    assert load(tmp_path, text).features == [FeaturesTable(layers=[0, 1], pooling=["mean"])]
    assert text.count(old) == 1
    (tmp_path / "mine" / "recipe.toml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(RecipeError, match=rf"recipe\.toml: .*{said}"):
        recipe.load(tmp_path / "mine")


def test_a_layer_that_the_encoder_does_not_have(tiny):
    with pytest.raises(CheckpointError, match=r"features\.layers: the recipe says 2, but the encoder has 1"):
        with_features(tiny, FeaturesTable(layers=[0, 2], pooling=["mean"]))


def plain(bert, ids):
    """The features of one text, in the order of the recipe, in plain words."""
    with torch.inference_mode():
        states = bert(torch.tensor([ids]), output_hidden_states=True).hidden_states
    found = []
    for layer in (1, 0):
        tokens = states[layer][0].numpy()
        found += [tokens.mean(axis=0), tokens.max(axis=0), tokens[0]]
    return np.concatenate(found)


def test_embedding_against_torch(tiny):
    info = with_features(tiny)
    random = np.random.default_rng(0)
    ids = [random.integers(0, info.vocabulary, length).tolist() for length in (5, 1, 30, 64, 7)]
    bert = BertModel.from_pretrained(tiny, add_pooling_layer=False).eval()
    found = torch_encoder.embed(torch_encoder.load(tiny), info, ids, batch_size=3)
    assert found.shape == (5, 6 * 24) == (5, info.features)
    np.testing.assert_allclose(found, [plain(bert, row) for row in ids], atol=1e-6)


def test_the_export_gives_the_hidden_states(tiny, tmp_path):
    info = with_features(tiny)
    torch_encoder.export(torch_encoder.load(tiny), info, tmp_path / "encoder.onnx")
    ids, mask = random_tokens(4, 9, info.vocabulary, seed=0)
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    assert [value.name for value in session.get_outputs()] == ["hidden_state_0", "hidden_state_1"]
    found = session.run(None, {"input_ids": ids, "attention_mask": mask})
    bert = BertModel.from_pretrained(tiny, add_pooling_layer=False).eval()
    with torch.inference_mode():
        states = bert(
            torch.tensor(ids), attention_mask=torch.tensor(mask), output_hidden_states=True
        ).hidden_states
    for array, layer in zip(found, (0, 1), strict=True):
        np.testing.assert_allclose(array[mask == 1], states[layer].numpy()[mask == 1], atol=1e-5)


@pytest.fixture
def run(tiny, tmp_path, monkeypatch):
    emotions.write(tmp_path / "data")
    data = emotions.data_set(tmp_path / "data", LABELS)
    # One batch holds all 150 texts: as many steps as on GoEmotions take more epochs.
    monkeypatch.setattr(train_features, "_EPOCHS", 600)

    def train_to(name):
        console = Console(file=io.StringIO())
        return train.train(tiny, with_features(tiny), data, tmp_path / name, tmp_path / "cache", console)

    return train_to


@pytest.mark.slow
def test_the_written_head_is_the_best_on_dev_and_folds(run, tmp_path):
    trained = run("head")
    info = with_features(tmp_path / "tiny")
    found = read_head(tmp_path / "head", LABELS, info.features)
    assert found.info.kind == "linear", found.info.reason
    assert found.info.thresholds == trained.thresholds
    parts = {}
    for name in ("train", "dev"):
        split = emotions.data_set(tmp_path / "data", LABELS).read(name)
        features = train.embeddings(
            tmp_path / "tiny", info, name, split.texts, tmp_path / "cache" / "embeddings", Console()
        )
        parts[name] = features, np.array([[label in one for label in LABELS] for one in split.labels])
    (x, y), (dev, wanted) = parts["train"], parts["dev"]
    scores = {}

    def judge(*settings):
        logits = train_features.out_of_fold((x, y), 6, train_features.Settings(*settings), lambda: None)
        scores[settings] = tuning.macro_f1_across_halves(y, tuning.sigmoid(logits)), logits

    for decay in (3.0, 5.0):
        for power in (0.0, 0.25):
            judge(decay, power, 0.0)
    judge(*max(scores, key=lambda key: scores[key][0])[:2], 1.0)
    best = max(scores, key=lambda key: scores[key][0])
    assert tuple(trained.settings[key] for key in ("weight_decay", "rarity_power", "focus")) == best
    head = train_features.fit(x, y, 6, train_features.Settings(*best), 0)
    held_out = np.concatenate([scores[best][1], head.logits(dev)]).astype(np.float64)
    scale, shift = platt_scaling.fit(np.concatenate([y, wanted]), held_out).T
    np.testing.assert_allclose(found.weight_hl, scale * head.weight_fl, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.bias_l, scale * head.bias_l + shift, rtol=1e-4, atol=1e-4)
    probabilities = tuning.sigmoid(scale * held_out + shift)
    limits = tuning.tune(np.concatenate([y, wanted]), probabilities)
    assert list(trained.thresholds.values()) == limits.tolist()
    # As good as scikit-learn's own fit, on texts whose letters hint at their labels.
    for column, label in enumerate(LABELS):
        model = LogisticRegression(C=0.1, max_iter=2000).fit(x, y[:, column])
        positive = model.predict_proba(dev)[:, 1]
        theirs = max(f1_score(wanted[:, column], positive >= limit) for limit in GRID)
        assert trained.dev_f1[label] > theirs - 0.1


def test_out_of_fold_no_text_is_in_its_own_fit(monkeypatch):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((53, 8)).astype(np.float32), random.random((53, 2)) < 0.4
    fitted = []

    def remember(features, truth, parts, settings, seed):
        fitted.append(features)
        return Linear(np.zeros((8, 2)), np.full(2, float(len(fitted))))

    monkeypatch.setattr(train_features, "fit", remember)
    logits = train_features.out_of_fold((x, y), 2, train_features.Settings(3.0, 0.0), lambda: None)
    assert sorted(set(logits[:, 0])) == [1, 2, 3, 4, 5]
    for row, number in zip(x, logits[:, 0].astype(int), strict=True):
        assert not (fitted[number - 1] == row).all(axis=1).any()
    assert sum(len(one) for one in fitted) == 4 * 53


def test_standardizing_is_undone_and_leaves_no_weight_on_a_part_s_mean():
    random = np.random.default_rng(0)
    x = (random.standard_normal((200, 12)) * random.uniform(0.5, 3, 12) + 40).astype(np.float32)
    standard = Standard.of(x, 3)
    weight, bias = random.standard_normal((12, 2)).astype(np.float32), np.float32([1, -2])
    found = standard.undo(weight, bias)
    np.testing.assert_allclose(
        x @ found.weight_fl + found.bias_l, standard.apply(x) @ weight + bias, atol=1e-4
    )
    shares = (x.mean(axis=0)[:, None] * found.weight_fl).reshape(3, 4, 2).sum(axis=1)
    np.testing.assert_allclose(shares, 0, atol=1e-4)


@pytest.mark.slow
def test_two_trainings_write_the_same_bytes(run, tmp_path):
    run("one")
    run("two")
    for name in ("model.onnx", "thresholds.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_features_of_other_layers_are_not_used(tiny, tmp_path, run):
    run("one")
    data, info = emotions.data_set(tmp_path / "data", LABELS), with_features(tiny)
    texts = data.read("dev").texts
    cache = tmp_path / "cache" / "embeddings"
    other = replace(info, feature_parts=info.feature_parts[::-1])
    kept, found = (
        train.embeddings(tiny, one, "dev", texts, cache, Console(file=io.StringIO())) for one in (info, other)
    )
    assert not np.array_equal(kept, found)
    plain_info = read_checkpoint(tiny)
    assert (plain_info.features, plain_info.outputs) == (24, ["last_hidden_state"])
