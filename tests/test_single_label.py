"""A single-label classifier of a user's own, from scikit-learn to every way of running the artifact."""

from __future__ import annotations

import io
import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from core.artifact.graph import Graph
from deliver import tei
from deliver.source import open_source
from export.__main__ import main as export
from graphs.__main__ import main as graphs
from score.__main__ import main as score
from tests.support.building import SLOPPY
from tests.support.commands import assert_failed
from tests.support.factories import Shape, write_checkpoint, write_recipe
from tests.support.forge import linked_copy, reseal, rewrite
from tests.support.shapes import convert
from tests.support.snippets import run_python, snippet
from verify.__main__ import main as verify

# Another order than scikit-learn's, which is that of the alphabet.
LABELS = ["sport", "food", "travel", "music", "work"]
# Says nothing where its probability is lower than in half of the texts that it wins.
SILENT = "music"
SHAPE = Shape(layers=1)


@dataclass(frozen=True)
class Made:
    """The originals, and the artifact of them in `folder`."""

    folder: Path
    texts: list[str]
    embeddings: np.ndarray
    classifier: Any
    floor: float

    @property
    def dist(self) -> Path:
        return self.folder / "dist"

    @property
    def probabilities(self) -> np.ndarray:
        """What scikit-learn says, columns in the recipe's order."""
        columns = [self.classifier.classes_.tolist().index(label) for label in LABELS]
        return self.classifier.predict_proba(self.embeddings)[:, columns]

    @property
    def decided(self) -> list[str | None]:
        """What scikit-learn predicts, and None where that is `SILENT` and its probability below the floor."""
        predicted = self.classifier.predict(self.embeddings).tolist()
        sure = self.probabilities.max(axis=1) >= self.floor
        return [
            None if label == SILENT and not yes else label for label, yes in zip(predicted, sure, strict=True)
        ]

    def answers(self, variant: str):
        tokenizer = Tokenizer.from_file(str(self.dist / "tokenizer.json"))
        ids = [encoding.ids for encoding in tokenizer.encode_batch(self.texts)]
        return Graph(self.dist / "onnx" / variant).run_batches(ids, 16)


def chosen(predictions: np.ndarray) -> list[str | None]:
    assert (predictions.sum(axis=1) <= 1).all()
    return [LABELS[row.argmax()] if row.any() else None for row in predictions]


def embedded(bert, tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Torch's normalized CLS embeddings, each text alone."""
    with torch.inference_mode():
        rows = [bert(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0, 0] for text in texts]
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1).numpy()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("single")
    bert = write_checkpoint(folder / "encoder", SHAPE, "cls")
    tokenizer = Tokenizer.from_file(str(folder / "encoder/tokenizer.json"))
    tokenizer.no_padding()
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list("abcdefghijklm"), random.integers(1, 8))) for _ in range(300)]
    x = embedded(bert, tokenizer, texts)
    z = (x - x.mean(axis=0)) @ random.standard_normal((SHAPE.hidden, len(LABELS)))
    truth = np.array(LABELS)[(z / z.std(axis=0)).argmax(axis=1)]
    classifier = LogisticRegression(C=100, max_iter=2000).fit(x[:200], truth[:200])
    won = classifier.predict_proba(x)[classifier.predict(x) == SILENT]
    floor = round(float(np.median(won.max(axis=1))), 3)
    (folder / "head").mkdir()
    (folder / "head/model.onnx").write_bytes(convert(classifier, {}, SHAPE.hidden).SerializeToString())
    (folder / "head/thresholds.json").write_text(json.dumps({SILENT: floor}))
    recipe = write_recipe(folder / "topics", LABELS, "path:../encoder", "path:../head", variants=SLOPPY)
    for main, command in ((export, "build"), (graphs, "build"), (verify, "gate")):
        assert main([command, str(recipe), str(folder / "build")]) == 0
    assert verify(["release", str(recipe), str(folder / "build"), str(folder / "dist")]) == 0
    return Made(folder, texts, x, classifier, floor)


def test_fp32_decides_as_scikit_learn_on_every_text(made):
    found = made.answers("model.onnx")
    np.testing.assert_allclose(found.probabilities, made.probabilities, atol=1e-5)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(softmax(found.logits, axis=1), found.probabilities, atol=1e-6)
    assert chosen(found.predictions) == made.decided
    assert set(made.decided) == {*LABELS, None}
    assert 0 < made.decided.count(None) < 60


def test_int8_flips_few_and_a_flip_is_another_label_or_none(made):
    found = made.answers("model_quantized.onnx")
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    flips = np.mean(
        [ours != theirs for ours, theirs in zip(chosen(found.predictions), made.decided, strict=True)]
    )
    assert 0 < flips <= 0.2
    with np.load(made.dist / "reference.npz") as file:
        said, ends = file["probabilities"], np.cumsum(file["lengths"])
        ids = [row.tolist() for row in np.split(file["input_ids"], ends[:-1])]
    sure = said.max(axis=1) >= np.where(said.argmax(axis=1) == LABELS.index(SILENT), made.floor, 0)
    expected = [LABELS[row.argmax()] if yes else None for row, yes in zip(said, sure, strict=True)]
    graph = Graph(made.dist / "onnx/model_quantized.onnx")
    other = [
        ours != theirs
        for ours, theirs in zip(chosen(graph.run_batches(ids, 1).predictions), expected, strict=True)
    ]
    (_, int8) = json.loads((made.dist / "manifest.json").read_text())["variants"]
    assert int8["parity"]["flip_rate"] == pytest.approx(np.mean(other))


def test_every_file_says_what_it_is(made, in_process):
    manifest = json.loads((made.dist / "manifest.json").read_text())
    config = json.loads((made.dist / "config.json").read_text())
    problem = "single_label_classification"
    assert (config["problem_type"], manifest["head"]["problem_type"]) == (problem, problem)
    assert list(config["id2label"].values()) == LABELS
    for name in ("model.onnx", "model_quantized.onnx"):
        session = onnxruntime.InferenceSession(made.dist / "onnx" / name)
        properties = session.get_modelmeta().custom_metadata_map
        assert properties["problem_type"] == problem
        assert json.loads(properties["labels"]) == LABELS
        assert json.loads(properties["thresholds"]) == dict.fromkeys(LABELS, 0.0) | {SILENT: made.floor}
    assert json.loads((made.dist / "thresholds.json").read_text())[SILENT] == made.floor
    status, said = in_process(verify, "artifact", made.dist)
    assert status == 0, said.err
    status, said = in_process(verify, "stress", made.dist, "--batches", 20, "--threads", 1)
    assert (status, said.out.count(" 0 violations")) == (0, 2), said


@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_another_problem_type_than_the_graphs_is_found(made, tmp_path, in_process, name):
    copy = linked_copy(made.dist, tmp_path / "copy")
    other = "multi_label_classification"
    if name == "config.json":
        config = json.loads((copy / name).read_text())
        rewrite(copy / name, json.dumps(config | {"problem_type": other}).encode())
        reseal(copy)
    else:
        reseal(copy, lambda manifest: manifest["head"].update(problem_type=other))
    proved = in_process(verify, "artifact", copy)
    assert_failed(proved, "problem_type", "single_label_classification", status=1)


def test_a_corpus_gets_one_label_a_row_or_none(made, tmp_path, in_process):
    corpus, output = tmp_path / "corpus.jsonl", tmp_path / "out.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in made.texts))
    status, said = in_process(
        score, made.dist, corpus, output, "--variant", "fp32", "--probabilities", "--threads", 1
    )
    assert status == 0, said.err
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["labels"] for row in rows] == [[] if label is None else [label] for label in made.decided]
    found = np.array([[row[label] for label in LABELS] for row in rows])
    np.testing.assert_allclose(found, made.probabilities, atol=1e-5)


def test_the_cards_program_names_one_label(made):
    card = (made.dist / "README.md").read_text()
    assert "the graph says nothing" in card
    program = snippet("### Python", "python", str(made.dist / "README.md"), max_lines=30)
    texts = [made.texts[made.decided.index(label)] for label in (*LABELS, None)]
    program = program.replace('["I love this!", "Why would anyone do that?"]', json.dumps(texts))
    program = program.replace("model_quantized.onnx", "model.onnx")
    printed = [list(eval(line)) for line in run_python(program, made.dist)]
    assert printed == [[label] for label in LABELS] + [[]]


def test_text_embeddings_inference_applies_this_softmax(made, tmp_path, monkeypatch, capsys):
    """The server's `/predict` is a softmax over the logits, the highest first."""
    tei.fill(open_source(made.dist, "fp32"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    graph, tokenizer = (
        Graph(tmp_path / "onnx/model.onnx"),
        Tokenizer.from_file(str(tmp_path / "tokenizer.json")),
    )

    def predict(request):
        rows = []
        for [text] in json.loads(request.data)["inputs"]:
            scores = softmax(graph.run([tokenizer.encode(text).ids]).logits[0].astype(float))
            named = [{"label": config["id2label"][str(i)], "score": float(s)} for i, s in enumerate(scores)]
            rows.append(sorted(named, key=lambda row: -row["score"]))
        return io.BytesIO(json.dumps(rows).encode())

    heading = (tmp_path / "README.md").read_text().splitlines()[0]
    program = snippet(heading, "python", str(tmp_path / "README.md"))
    monkeypatch.setattr(urllib.request, "urlopen", predict)
    monkeypatch.chdir(tmp_path)
    for label in (*LABELS, None):
        text = made.texts[made.decided.index(label)]
        exec(program.replace('"I love this!"', json.dumps(text)), {})
        assert capsys.readouterr().out == f"{label}\n"


def test_one_output_a_label_is_refused_before_the_encoder_is_exported(made, tmp_path, in_process):
    recipe = write_recipe(
        tmp_path / "pairs",
        LABELS,
        f"path:{made.folder / 'encoder'}",
        f"path:{made.folder / 'head'}",
        contract="per-label",
    )
    failed = in_process(export, "build", recipe, tmp_path / "build")
    assert_failed(failed, "contract: found 'per-label', expected 'stacked': a single-label head")
    assert not (tmp_path / "build/encoder.onnx").exists()
