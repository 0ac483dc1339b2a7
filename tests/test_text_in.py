"""The default's graph that takes texts: its contract, and the same answers as from token ids."""

from __future__ import annotations

import json
import re

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from tokenizers import Tokenizer

from core import recipe as recipes
from core.artifact import manifest as finished
from core.artifact.graph import Graph
from core.errors import ArtifactError, GateError
from tests.support import commands
from tests.support.building import LABELS, make
from tests.support.forge import linked_copy, rewrite
from tests.support.snippets import run_python
from verify.build import Build
from verify.parity import gate, text_ids


@pytest.fixture(scope="module")
def pair(artifact):
    found = finished.text_graph(artifact)
    return Graph(found.file), Graph(found.variant.file)


@pytest.fixture(scope="module")
def tokenizer(artifact):
    return Tokenizer.from_file(str(artifact / "tokenizer.json"))


def test_plain_onnxruntime_opens_it_and_its_contract_is_the_others(pair):
    ours, theirs = (graph.session for graph in pair)
    assert [(v.name, v.type, v.shape) for v in ours.get_inputs()] == [("text", "tensor(string)", ["batch"])]
    described = [[(v.name, v.type, v.shape) for v in session.get_outputs()] for session in (ours, theirs)]
    assert described[0] == described[1]
    assert [name for name, _, _ in described[0]] == ["logits", "probabilities", "predictions"]
    assert pair[0].metadata == pair[1].metadata
    assert pair[0].path.name == "model_text.onnx"


def test_versions_that_common_runtimes_read(artifact):
    for path in sorted((artifact / "onnx").iterdir()):
        model = onnx.load(path)
        # ONNX 1.13 of December 2022, which brought opset 18.
        assert model.ir_version == 8
        versions = {entry.domain: entry.version for entry in model.opset_import}
        assert versions.pop("") == 18
        expected = {
            "model.onnx": {},
            "model_quantized.onnx": {"com.microsoft": 1},
            "model_guarded.onnx": {"com.microsoft": 1},
            "model_text.onnx": {"com.microsoft": 1, "ai.onnx.ml": 2},
        }
        assert versions == expected[path.name]
        used = {node.domain for node in ir.from_proto(model).graph.all_nodes()}
        assert used - {""} == set(versions)


@pytest.mark.parametrize("size", [0, 1, 2, 32, 128])
def test_batches_from_none_to_128(pair, size):
    texts = [f"I love this, number {number}! {'really ' * (number % 40)}" for number in range(size)]
    found = pair[0].run_texts(texts)
    assert found.logits.shape == found.predictions.shape == (size, 28)
    for row, text in list(enumerate(texts))[:: max(1, size // 8)]:
        alone = pair[0].run_texts([text])
        np.testing.assert_allclose(found.probabilities[row], alone.probabilities[0], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(found.predictions[row], alone.predictions[0])


def test_500_goemotions_texts_answer_as_their_ids(pair, tokenizer, go_emotions):
    rows = (go_emotions / "test.tsv").read_text("utf-8").split("\n")[:500]
    texts = [row.split("\t")[0] for row in rows]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    agreement = text_ids.compare_answers(*pair, texts, ids)
    assert (agreement.texts, agreement.different_decisions) == (500, 0)
    assert agreement.max_probability_difference <= 1e-6


def test_the_manifest_and_the_card_say_what_was_compared(artifact):
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    record, card = manifest["text"], (artifact / "README.md").read_text("utf-8")
    assert (record["file"], record["variant"]) == ("onnx/model_text.onnx", "int8")
    assert record["size"] == manifest["files"][record["file"]]["size"]
    assert record["token_ids"]["hostile"] == {"texts": 353, "differ": 0, "first": None}
    assert record["answers"]["different_decisions"] == 0
    compared = record["token_ids"]["GoEmotions"]
    if compared is None:
        assert "GoEmotions's test split was not compared" in card
    else:
        assert compared == {"texts": 5427, "differ": 0, "first": None}
        assert "5,427 GoEmotions texts (0 differ)" in card
    assert "353 hostile texts (0 differ)" in card
    program = card.split("### Text in")[1].split("```python\n")[1].split("```")[0]
    printed = run_python(program, artifact)
    assert list(eval(printed[0])) == ["gratitude"]
    assert printed == [line[2:] for line in program.splitlines() if line.startswith("# {")]
    # With the tokenizer beside it, the same.
    program = card.split("### Python")[1].split("```python\n")[1].split("```")[0]
    assert run_python(program, artifact) == printed


@pytest.mark.slow
def test_parity_in_anybodys_ci_checks_it_too(artifact, tmp_path):
    copy = linked_copy(artifact, tmp_path / "copy")
    # As if it were another variant's.
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    rewrite(path, json.dumps({**manifest, "text": {**manifest["text"], "variant": "fp32"}}).encode())
    found = commands.run("verify", "parity", copy)
    assert found.returncode == 1
    assert re.search(r"model_text\.onnx: metadata quantization: found ['\"]static int8", found.stderr)
    rewrite(path, json.dumps({**manifest, "text": {**manifest["text"], "variant": "int4"}}).encode())
    with pytest.raises(ArtifactError, match="not an artifact's manifest: text: 'int4'"):
        finished.text_graph(copy)
    rewrite(path, json.dumps({**manifest, "text": None}).encode())
    assert finished.text_graph(copy) is None


def test_a_build_of_the_per_label_contract(tiny_build):
    session = onnxruntime.InferenceSession(tiny_build.dist / "onnx/model_text.onnx")
    assert sorted(value.name for value in session.get_outputs()) == sorted(LABELS)
    given = {"text": np.array(["the abc!", ""], object)}
    assert [pair.shape for pair in session.run(None, given)] == [(2, 2)] * 3
    card = (tiny_build.dist / "README.md").read_text("utf-8")
    assert "was not compared" not in card
    programs = [part.split("```")[0] for part in card.split("```python\n")[1:]]
    # The graph that takes texts is made of float32's.
    programs[1] = programs[1].replace("model_quantized.onnx", "model.onnx")
    printed = [run_python(program, tiny_build.dist) for program in programs]
    assert len(printed) == 2
    assert printed[0] == printed[1]
    assert [set(eval(line)) <= set(LABELS) for line in printed[0]] == [True, True]
    assert "```js" not in card


def test_a_build_whose_tokenizer_is_another(tiny_build, tmp_path):
    variables = tiny_build.copy(tmp_path).variables
    # Two words change places in the vocabulary, and not in the graph.
    vocabulary = tmp_path / "build/assets/tokenizer.json"
    text = vocabulary.read_text("utf-8")
    swapped = text.replace('"a": 5,', '"a": 6,').replace('"b": 6,', '"b": 5,')
    assert swapped != text
    vocabulary.write_text(swapped, "utf-8")
    for name in ("text.json", ".verified"):
        (tmp_path / "build" / name).unlink()
    build = Build(recipes.load(variables["RECIPE"]), variables["RECIPE"], tmp_path / "build")
    with pytest.raises(GateError, match="texts with other token ids than the tokenizer's: hostile: "):
        gate.run_text(build, "fp32")
    assert make("artifact", **variables).returncode != 0
    assert not (tmp_path / "build/text.json").exists()
