"""Packages for servers: what goes in, what is refused, and that a failure leaves the old one."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import onnx
import pytest
from tokenizers import Tokenizer

from core.artifact.graph import Graph
from core.contract import TOKENIZER_FILES, VARIANT_FILES
from core.errors import ArtifactError
from deliver import infinity, openvino, tei, triton
from deliver.source import Tensor, open_source
from tests.support.commands import run
from tests.support.forge import reseal, rewrite
from tests.support.onnx_files import slow_to_open
from tests.support.snippets import run_python, snippet


def command(*arguments):
    return run("deliver", *arguments)


@pytest.mark.parametrize("variant", VARIANT_FILES)
def test_tei_has_what_the_server_reads(artifact, tmp_path, variant):
    tei.fill(open_source(artifact, variant), tmp_path)
    graph = Graph(artifact / VARIANT_FILES[variant])
    assert (tmp_path / "onnx/model.onnx").read_bytes() == graph.path.read_bytes()
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert config["architectures"][0].endswith("Classification")
    assert list(config["id2label"].values()) == graph.labels
    assert [config["label2id"][label] for label in graph.labels] == list(range(len(graph.labels)))
    # Of its own Config, the onnxruntime backend wants these two, the router the third.
    assert {"hidden_size", "num_hidden_layers", "max_position_embeddings"} <= set(config)
    assert json.loads((tmp_path / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"] == 512
    for name in TOKENIZER_FILES:
        assert (tmp_path / name).read_bytes() == (artifact / name).read_bytes()
    [logits] = [value for value in graph.session.get_outputs() if value.name == "logits"]
    assert (logits.type, logits.shape) == ("tensor(float)", ["batch", len(graph.labels)])


class Predict(BaseHTTPRequestHandler):
    """`/predict` as its sources have it: raw scores, best first, a list a text."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/predict"
        assert asked["raw_scores"] is True
        folder = self.server.folder
        graph, tokenizer = (
            Graph(folder / "onnx/model.onnx"),
            Tokenizer.from_file(str(folder / "tokenizer.json")),
        )
        rows = []
        for [text] in asked["inputs"]:
            logits = graph.run([tokenizer.encode(text).ids]).logits[0].tolist()
            rows.append([{"score": s, "label": name} for name, s in zip(graph.labels, logits, strict=True)])
            rows[-1].sort(key=lambda row: -row["score"])
        body = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_teis_readme_decides_from_raw_scores(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    source = open_source(artifact, None)
    tei.fill(source, tmp_path)
    program = snippet(f"# {source.name} for text-embeddings-inference", "python", str(tmp_path / "README.md"))
    with HTTPServer(("127.0.0.1", 0), Predict) as server:
        server.folder = tmp_path
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        program = program.replace("127.0.0.1:8080", f"127.0.0.1:{server.server_port}")
        printed = run_python(program, tmp_path)
        server.shutdown()
    assert printed == ["['love']"]


@pytest.mark.parametrize("variant", VARIANT_FILES)
def test_openvinos_graph_has_one_layout_and_the_same_answers(artifact, tmp_path, variant):
    openvino.fill(open_source(artifact, variant), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "model.onnx",
        "thresholds.json",
        "tokenizer.json",
    }
    if variant == "fp32":
        assert (tmp_path / "model.onnx").read_bytes() == (artifact / VARIANT_FILES[variant]).read_bytes()
    nodes = onnx.load(tmp_path / "model.onnx").graph.node
    assert [node.name for node in nodes if node.op_type == "If"] == ["guard"] * (variant == "guarded")
    assert "QAttention" not in {node.op_type for node in nodes}
    expected, found = Graph(artifact / VARIANT_FILES[variant]), Graph(tmp_path / "model.onnx")
    assert (found.labels, found.thresholds) == (expected.labels, expected.thresholds)
    texts = ["I love this!", "Why would anyone do that to a person who asked for nothing at all?", "Thanks."]
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    for batch in (ids, ids[:1]):
        np.testing.assert_array_equal(found.run(batch).probabilities, expected.run(batch).probabilities)


@pytest.mark.parametrize(("fill", "untested"), [(tei.fill, "server itself"), (triton.fill, "backend")])
def test_a_page_says_what_was_not_run(artifact, tmp_path, fill, untested):
    fill(open_source(artifact, None), tmp_path)
    page = (tmp_path / "README.md").read_text("utf-8").replace("\n", " ")
    assert f"{untested} was not run where this was written**" in page


@pytest.mark.parametrize("fill", [infinity.fill, triton.fill_python])
def test_a_page_of_what_was_run_says_nothing_else(artifact, tmp_path, fill):
    fill(open_source(artifact, None), tmp_path)
    assert "not run" not in (tmp_path / "README.md").read_text("utf-8")


def test_tei_gets_the_sizes_that_it_reads_from_a_distilberts_config(changeable, change, tmp_path):
    config = json.loads((changeable / "config.json").read_text("utf-8"))
    sizes = {"dim": config["hidden_size"], "n_layers": config["num_hidden_layers"]}
    change("config.json", hidden_size=None, num_hidden_layers=None, **sizes)
    (tmp_path / "out").mkdir()
    tei.fill(open_source(changeable, None), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert (found["hidden_size"], found["num_hidden_layers"]) == (384, 6)


@pytest.mark.parametrize(
    "variant", [pytest.param(v, marks=[] if v == "int8" else [pytest.mark.slow]) for v in VARIANT_FILES]
)
def test_infinitys_graph_cuts_as_the_tokenizer_does(artifact, tmp_path, variant):
    infinity.fill(open_source(artifact, variant), tmp_path)
    assert [path.name for path in tmp_path.rglob("*.onnx")] == ["model.onnx"]
    texts = ["I love this!", "so very sad " * 200, "why? " * 255, "why? " * 256, "Thanks."]
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.no_padding()
    cut = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    tokenizer.no_truncation()
    whole = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    assert [len(row) for row in whole] == [6, 602, 512, 514, 4]
    expected, found = Graph(artifact / VARIANT_FILES[variant]), Graph(tmp_path / "model.onnx")
    np.testing.assert_array_equal(found.run(whole).probabilities, expected.run(cut).probabilities)
    alone = found.run_batches(whole, 1).probabilities
    np.testing.assert_array_equal(alone, expected.run_batches(cut, 1).probabilities)


def test_only_triton_takes_the_graph_of_texts(artifact, tmp_path):
    for server, said in (("tei", "found 'text'; expected one of fp32, int8, guarded"), ("triton", None)):
        found = command("package", artifact, tmp_path / server, "--format", server, "--variant", "text")
        assert found.returncode == (2 if said else 0)
        assert said is None or said in found.stderr
    folder = tmp_path / "triton"
    graph = (folder / "minilm-l6-go-emotions/1/model.onnx").read_bytes()
    assert graph == (artifact / "onnx/model_text.onnx").read_bytes()
    # The server wants an axis besides the batch's.
    config = (folder / "minilm-l6-go-emotions/config.pbtxt").read_text("utf-8")
    assert re.search(
        r'name: "text"\s+data_type: TYPE_STRING\s+dims: \[ 1 \]\s+reshape: \{ shape: \[ \] \}', config
    )
    assert not (folder / "tokenizer.json").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"architectures": ["BertModel"]}, "architectures: found ['BertModel']"),
        ({"id2label": None}, "id2label: found None"),
        ({"label2id": {"joy": 0}}, "label2id: found {'joy': 0}"),
        ({"max_position_embeddings": 128}, "max_position_embeddings: found 128; expected at least 512"),
    ],
)
def test_tei_refuses_a_config_that_the_server_would(changeable, change, tmp_path, fields, said):
    change("config.json", **fields)
    with pytest.raises(ArtifactError) as error:
        tei.fill(open_source(changeable, None), tmp_path / "out")
    assert said in str(error.value)
    assert "config.json" in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([Tensor("joy", "tensor(float)", (None, 2))], "found outputs joy; expected logits"),
        ([Tensor("logits", "tensor(float16)", (None, 28))], "logits: found tensor(float16)"),
        ([Tensor("logits", "tensor(float)", (None, 27))], "logits: found tensor(float)[None, 27]"),
    ],
)
def test_tei_refuses_other_outputs(artifact, tmp_path, outputs, said):
    source = dataclasses.replace(open_source(artifact, None), outputs=outputs)
    with pytest.raises(ArtifactError) as error:
        tei.fill(source, tmp_path)
    assert said in str(error.value)


def test_triton_refuses_what_its_files_cannot_say(artifact, tmp_path):
    source = open_source(artifact, None)
    for label in ("a\nb", "a\r", "a\u2028b", "a\x85b", ""):
        with pytest.raises(ArtifactError, match=r"labels\.txt has one a line"):
            triton.fill(dataclasses.replace(source, labels=[label, *source.labels[1:]]), tmp_path)
    half = [Tensor("logits", "tensor(float16)", (None, 28))]
    with pytest.raises(ArtifactError, match=r"logits: found tensor\(float16\); expected one of"):
        triton.config(dataclasses.replace(source, outputs=half), "onnxruntime")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--format", "docker"],
            "FORMAT: found 'docker'; expected one of infinity, openvino, ort, qdq, search, tei, triton, "
            "triton-python, webgpu",
        ),
        (["--format", "tei", "--variant", "int4"], "variant: found 'int4'; expected one of fp32, int8"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(artifact, tmp_path, options, said):
    found = command("package", artifact, tmp_path / "out", *options)
    assert (found.returncode, found.stdout) == (2, "")
    assert said in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_artifact(tmp_path):
    found = command("package", tmp_path, tmp_path / "out", "--format", "tei")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "manifest.json: not an artifact's manifest: no such file" in found.stderr


@pytest.mark.parametrize("place", ["../outside.onnx", "{}/outside.onnx", "onnx/../../outside.onnx"])
def test_a_manifest_that_names_a_file_outside_the_folder(changeable, change, tmp_path, place):
    shutil.copyfile(changeable / "onnx/model_quantized.onnx", tmp_path / "outside.onnx")
    rows = json.loads((changeable / "manifest.json").read_text("utf-8"))["variants"]
    change("manifest.json", variants=[row | {"file": place.format(tmp_path)} for row in rows])
    found = command("package", changeable, tmp_path / "out", "--format", "tei")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "manifest.json: file: found " in found.stderr
    assert "expected 'onnx/model" in found.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/b", "", 5, 'x"\n'])
def test_a_manifest_whose_name_no_folder_can_have(changeable, change, tmp_path, name):
    change("manifest.json", name=name)
    found = command("package", changeable, tmp_path / "out", "--format", "triton")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "manifest.json: name: found " in found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact"]


@pytest.mark.parametrize(
    ("server", "name"),
    [
        *(("triton", "tokenizer.json"), ("openvino", "thresholds.json"), ("tei", "config.json")),
        *(("tei", "special_tokens_map.json"), ("triton", "onnx/model_quantized.onnx"), ("tei", "onnx")),
    ],
)
def test_a_link_of_an_artifact_is_not_followed(changeable, tmp_path, server, name):
    secret = tmp_path / "secret"
    (changeable / name).rename(secret)
    (changeable / name).symlink_to(secret)
    found = command("package", changeable, tmp_path / "out", "--format", server)
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)
    assert f"{name}: found a link, expected a file of the folder's own" in found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact", "secret"]


@pytest.mark.parametrize("server", ["triton", "openvino"])
def test_what_is_packaged_is_what_the_manifest_says(changeable, tmp_path, server):
    rewrite(changeable / "thresholds.json", b"{}")
    found = command("package", changeable, tmp_path / "out", "--format", server)
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1)
    assert "thresholds.json: found 2 bytes, expected " in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_graph_that_runs_for_ever_runs_in_a_process_of_its_own_first(changeable, tmp_path):
    rewrite(changeable / "onnx/model_quantized.onnx", slow_to_open().SerializeToString())
    reseal(changeable)
    found = command("package", changeable, tmp_path / "out", "--format", "openvino")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert re.search(r"model_quantized\.onnx: (refused: takes over|onnxruntime does)", found.stderr)
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_the_package_of_before(changeable, change, tmp_path):
    target = tmp_path / "out"
    assert command("package", changeable, target, "--format", "tei").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    (changeable / "vocab.txt").unlink()
    found = command("package", changeable, target, "--format", "tei")
    assert found.returncode == 2
    assert "vocab.txt: cannot be read" in found.stderr
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact", "out"]
