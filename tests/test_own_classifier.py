"""docs/own-classifier.md from end to end: own texts, labels and encoder, through make as it stands there."""

from __future__ import annotations

import csv
import json
import pickle
import re
import sys

import numpy as np
import onnxruntime
import pytest
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression

from core.untrusted import tokenizer_file
from export.__main__ import main
from tests.support.building import stamp
from tests.support.commands import assert_failed, call, environment_of_make
from tests.support.factories import Shape, write_checkpoint
from tests.support.places import ROOT
from tests.support.snippets import run_python, snippet, snippets
from tests.support.sources import sentence_layout

DOCUMENT = "docs/own-classifier.md"
FIRST = "# Your own encoder and head"
# Each has a letter that tells it; labels as people write them.
HINTS = {"late": "q", "damaged": "j", "asks, politely": "g", "Lob/é": "n", "other": "x"}


def write_encoder(folder):
    """Write a tiny checkpoint that sentence-transformers opens."""
    write_checkpoint(folder, Shape(layers=1), None)
    pooling = {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True}
    sentence_layout(folder, ["Transformer", "Pooling", "Normalize"], pooling)


def rows(count, seed):
    random = np.random.default_rng(seed)
    for number in range(count):
        labels = sorted(random.choice(list(HINTS), random.integers(1, 3), replace=False).tolist())
        hints = " ".join(HINTS[label] * 3 for label in labels)
        # A number in letters, so that no text is there twice.
        words = " ".join(random.choice([*"abcdehiklm"], 3))
        yield f"{hints} {words} {''.join('abcdefghij'[int(digit)] for digit in f'{seed}{number}')}", labels


def write(path, split):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "labels"])
        writer.writerows((text, "|".join(labels)) for text, labels in split)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout that is not this one, with 300 own texts and a tiny encoder beside it."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("Makefile", "make", "core", "export", "graphs", "verify", "score", "requirements", "web"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "recipes").mkdir()
    (folder / "recipes/minilm-l6-go-emotions").symlink_to(ROOT / "recipes/minilm-l6-go-emotions")
    write_encoder(folder / "encoder")
    for seed, (split, count) in enumerate({"train": 180, "dev": 60, "test": 60}.items()):
        write(folder / f"{split}.csv", rows(count, seed))
    return folder


def make(folder, *arguments):
    environment = environment_of_make("GO_EMOTIONS_DIR", "ENCODER", "HEAD")
    found = call("make", *arguments, f"PY={sys.executable}", f"VENV={stamp()}", cwd=folder, env=environment)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def lines_of_make(heading):
    """The lines of make under a heading, as they stand."""
    blocks = [
        block.code
        for block in snippets(ROOT / DOCUMENT)
        if (block.heading, block.language) == (heading, "sh")
    ]
    return [line.split()[1:] for line in "".join(blocks).splitlines()]


@pytest.fixture(scope="module")
def head(place):
    """The first example's program, run as it stands."""
    run_python(snippet(FIRST, "python", DOCUMENT, max_lines=20), place)
    return place / "head"


@pytest.fixture
def new(place, in_process, monkeypatch):
    """Run `python -m export new` in the checkout, as make does."""
    monkeypatch.chdir(place)

    def run(name, head, encoder, *options):
        monkeypatch.setenv("HEAD", str(head))
        monkeypatch.setenv("ENCODER", str(encoder))
        return in_process(main, "new", f"recipes/{name}", *options)

    return run


def test_a_new_recipe_says_what_encoder_and_head_say(place, head, new):
    code, said = new("mine", "head", "path:encoder")
    assert code == 0, said.err
    text = (place / "recipes/mine/recipe.toml").read_text("utf-8")
    assert 'source = "path:../../encoder"' in text
    assert 'source = "path:../../head"' in text
    assert 'pooling = "mean"\nnormalize = true\nmax_length = ' in text
    assert all(json.dumps(label, ensure_ascii=False) in text for label in HINTS)
    assert '[text]\nvariant = "int8"' in text
    assert_failed(new("mine", "head", "encoder"), "recipes/mine: is there already, and is not written over")
    assert (place / "recipes/mine/recipe.toml").read_text("utf-8") == text


def test_what_a_build_would_refuse_gives_no_recipe(place, head, new, tmp_path):
    assert_failed(new("no", "", "encoder"), "HEAD: expected hub:ID, package:MODULE/FOLDER or a folder")
    assert_failed(new("no", "gone", "encoder"), "path:gone: no such folder")
    write_checkpoint(tmp_path / "wide", Shape(layers=1, hidden=36), "cls")
    assert_failed(new("no", "head", tmp_path / "wide"), "model.onnx: input X: found shape")
    write_checkpoint(tmp_path / "bare", Shape(layers=1), None)
    assert_failed(new("no", "head", tmp_path / "bare"), "has no modules.json, so nothing says how it pools")
    assert_failed(new("No name", "head", "encoder"), "name")
    assert not (place / "recipes/no").exists()
    code, said = new("bare", "head", tmp_path / "bare", "--pooling", "cls", "--normalize")
    assert code == 0, said.err
    assert f'source = "path:{tmp_path}/bare"' in (place / "recipes/bare/recipe.toml").read_text("utf-8")


def test_from_setfit(place, new):
    """The folder as SetFit writes it: the encoder, its pickle and its list of labels."""
    write_encoder(place / "setfit")
    x = np.random.default_rng(0).standard_normal((60, 24)).astype(np.float32)
    classifier = LogisticRegression().fit(x, np.arange(60) % 3)
    (place / "setfit/model_head.pkl").write_bytes(pickle.dumps(classifier))
    (place / "setfit/config_setfit.json").write_text(json.dumps({"labels": ["good", "bad", "so so"]}))
    run_python(snippet("## From SetFit", "python", DOCUMENT, max_lines=14), place)
    code, said = new("reviews", "setfit-head", "setfit")
    assert code == 0, said.err
    assert "labels good, bad, so so" in said.out


@pytest.mark.slow
def test_one_label_a_text(place, new):
    given = list(csv.DictReader((place / "train.csv").open(encoding="utf-8")))
    (place / "one").mkdir()
    (place / "one/encoder").symlink_to(place / "encoder")
    with (place / "one/train.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((row["text"], row["labels"].split("|")[0]) for row in given)
    run_python(snippet("## One label a text", "python", DOCUMENT, max_lines=14), place / "one")
    (place / "topic").symlink_to(place / "one/topic")
    code, said = new("topics", "topic", "encoder")
    assert code == 0, said.err
    text = (place / "recipes/topics/recipe.toml").read_text("utf-8")
    assert "[thresholds]" not in text
    assert f"labels {', '.join(sorted(HINTS))}" in said.out
    # Random weights stay in no tight budget.
    recipe = place / "recipes/topics/recipe.toml"
    recipe.write_text(text.replace("max_flip_rate = 0.05", "max_flip_rate = 0.9"), "utf-8")
    make(place, "artifact", "RECIPE=recipes/topics")
    texts = [text for text, _ in rows(60, 2)]
    original = onnxruntime.InferenceSession(place / "topic/model.onnx")
    embeddings = SentenceTransformer(str(place / "encoder"), device="cpu").encode(texts)
    expected = original.run([original.get_outputs()[0].name], {original.get_inputs()[0].name: embeddings})[0]
    session = onnxruntime.InferenceSession(place / "dist/topics/onnx/model.onnx")
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    tokenizer = tokenizer_file.load(place / "dist/topics/tokenizer.json", AssertionError)
    for encoding, label in zip(tokenizer.encode_batch(texts), expected, strict=True):
        inputs = {"input_ids": [encoding.ids], "attention_mask": [[1] * len(encoding.ids)]}
        (decided,) = session.run(["predictions"], inputs)[0]
        assert [name for name, yes in zip(labels, decided, strict=True) if yes] == [label]


@pytest.mark.slow
def test_own_texts_from_the_program_to_the_measured_artifact(place, head):
    said = make(place, *lines_of_make(FIRST)[0])
    recipe = place / "recipes/parcels/recipe.toml"
    text = recipe.read_text("utf-8")
    splits = "".join(f'{split} = "../../{split}.csv"\n' for split in ("train", "dev", "test"))
    # Random weights stay in no tight budget: a search for one would take long.
    text = text.replace("max_flip_rate = 0.05", "max_flip_rate = 0.9")
    recipe.write_text(f"{text}\n[data]\n{splits}reference_texts = 20\n", "utf-8")
    for line in lines_of_make(FIRST)[1:]:
        said += make(place, *line)
    for target in ("search", "artifact", "head OUT=trained", "features OPTIONS=--parts=1"):
        said += make(place, *target.split(), "RECIPE=recipes/parcels")
    assert re.search(r"calibration 180 texts of own data train and \d+ general texts", said)
    assert "20 texts drawn from the test split of own data by seed 0" in said
    assert "macro average" in said
    assert not make(place, "artifact", "RECIPE=recipes/parcels").count("export   ")
    trained = json.loads((place / "trained/thresholds.json").read_text("utf-8"))
    assert list(trained) == sorted(HINTS)

    dist = place / "dist/parcels"
    session = onnxruntime.InferenceSession(dist / "onnx/model.onnx")
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    texts = [text for text, _ in rows(60, 2)]
    tokenizer = tokenizer_file.load(dist / "tokenizer.json", AssertionError)
    found = [
        session.run(["probabilities"], {"input_ids": [ids], "attention_mask": [[1] * len(ids)]})[0][0]
        for ids in (encoding.ids for encoding in tokenizer.encode_batch(texts))
    ]
    embeddings = SentenceTransformer(str(place / "encoder"), device="cpu").encode(texts)
    original = onnxruntime.InferenceSession(place / "head/model.onnx")
    (rows_by_class,) = original.run(
        [original.get_outputs()[1].name], {original.get_inputs()[0].name: embeddings}
    )
    # Class number i is scikit-learn's i-th label, which sorts them.
    expected = [[row[number] for number in range(len(labels))] for row in rows_by_class]
    assert labels == sorted(HINTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)

    manifest = json.loads((dist / "manifest.json").read_text("utf-8"))
    assert manifest["data"]["name"] == "own data"
    for path in (path for path in dist.rglob("*") if path.suffix in (".md", ".json", ".html", ".txt")):
        words = path.read_text("utf-8").replace("bge-go-emotions-export", "")
        assert not re.findall("(?i).{0,30}(?:emotion|reddit|admiration|macro-?f1 on go).{0,30}", words), path
    with (place / "test.csv").open("a", encoding="utf-8") as file:
        file.write("zz yy,late\n")
    assert "verify " in make(place, "artifact", "RECIPE=recipes/parcels")
