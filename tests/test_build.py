"""Whole builds through make: BGE's architecture with random weights, both contracts, and the gate."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from core.build.inputs import Inputs
from tests.support.building import LABELS, SLOPPY, make, places, tiny
from tests.support.commands import call, run
from tests.support.factories import Shape, random_tokens, write_checkpoint, write_head
from tests.support.killing import content
from tests.support.places import ROOT
from tests.support.snippets import run_python, snippet

BGE = ROOT / "recipes" / "bge-small-en-go-emotions"
# BGE-small's layers and heads; a quarter of its width, which builds sooner.
DEEP = Shape(layers=12, heads=12, hidden=96, intermediate=384, positions=512)


def original(bert, classifiers, ids, mask):
    """Torch's CLS embedding of norm 1, then scikit-learn: probabilities `[b, labels]`."""
    with torch.inference_mode():
        hidden = bert(torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state
    embedding = torch.nn.functional.normalize(hidden[:, 0], dim=-1).numpy()
    return np.stack([c.predict_proba(embedding)[:, 1] for c in classifiers], axis=1)


def headline(folder, shape):
    """Build the headline recipe in a folder from a random encoder and head, as the make line names them."""
    # Random weights stay in no tight budget: a search for one would take long.
    text = (BGE / "recipe.toml").read_text("utf-8")
    assert text.count("max_flip_rate = 0.05 ") == 1
    recipe = folder / "recipe" / BGE.name
    recipe.mkdir(parents=True)
    quick = text.replace("max_flip_rate = 0.05 ", 'cheapest_form = "full"\nmax_flip_rate = 0.5 ')
    (recipe / "recipe.toml").write_text(quick)
    shutil.copy(BGE.parent / "go-emotions.toml", recipe.parent)
    labels = tomllib.loads(text)["labels"]
    bert = write_checkpoint(folder / "encoder", shape, "cls")
    classifiers = write_head(folder / "head", labels["names"], shape.hidden, shuffled=True, lowest=0.05)
    variables = {
        "RECIPE": recipe,
        "ENCODER": f"path:{folder / 'encoder'}",
        "HEAD": f"path:{folder / 'head'}",
        **places(folder),
    }
    found = make("artifact", **variables)
    assert found.returncode == 0, found.stdout + found.stderr
    return folder, bert, classifiers, variables, found.stdout


@pytest.fixture(scope="module")
def bge(tmp_path_factory):
    return headline(tmp_path_factory.mktemp("bge"), replace(DEEP, layers=2))


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    return headline(tmp_path_factory.mktemp("deep"), DEEP)


@pytest.mark.parametrize("built", ["bge", pytest.param("deep", marks=pytest.mark.slow)])
def test_the_headline_recipe_against_torch_and_scikit_learn(request, built):
    folder, bert, classifiers, _, printed = request.getfixturevalue(built)
    layers = bert.config.num_hidden_layers
    assert f"{layers} Attention, {2 * layers} SkipLayerNormalization, {layers} BiasGelu" in printed
    session = onnxruntime.InferenceSession(folder / "dist/onnx/model.onnx")
    limits = np.array(list(json.loads((folder / "dist/thresholds.json").read_text()).values()), np.float32)
    for batch, sequence, seed in ((1, 1, 0), (5, 17, 1), (2, 512, 2)):
        ids, mask = random_tokens(batch, sequence, 55, seed=seed)
        logits, probabilities, predictions = session.run(None, {"input_ids": ids, "attention_mask": mask})
        expected = original(bert, classifiers, ids, mask)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        clear = abs(expected - limits) > 1e-5
        np.testing.assert_array_equal(predictions[clear], (expected >= limits)[clear])
        np.testing.assert_allclose(1 / (1 + np.exp(-logits.astype(float))), expected, atol=1e-5)


def test_a_progress_line_a_stage_and_a_table_at_the_end(bge):
    lines = bge[4].splitlines()
    stages = [line.split()[:2] for line in lines if line.startswith("  ")]
    for stage in (["export", "encoder"], ["merge", "fuse"], ["pack", "prune"], ["int8", "quantize"]):
        assert stage in stages
    assert "2 Attention, 4 SkipLayerNormalization, 2 BiasGelu" in bge[4]
    (head,) = [index for index, line in enumerate(lines) if line.startswith("variant ")]
    assert [line.split()[0] for line in lines[head + 1 : head + 4]] == ["text", "int8", "fp32"]


def test_nothing_is_rebuilt_where_nothing_changed_and_all_where_the_head_did(bge):
    folder, _, _, variables, _ = bge
    again = make("artifact", **variables)
    assert again.returncode == 0
    assert not [line for line in again.stdout.splitlines() if line.startswith("  ")], again.stdout
    assert make("--question", "package", **variables).returncode == 0
    thresholds = folder / "head" / "thresholds.json"
    before = thresholds.read_text("utf-8")
    thresholds.touch()
    assert make("--question", "package", **variables).returncode == 0
    thresholds.write_text(before + "\n", "utf-8")
    os.utime(thresholds, (1, 1))
    assert make("--question", "package", **variables).returncode == 1
    # As it was: other tests build no more than they need to.
    thresholds.write_text(before, "utf-8")
    elsewhere = {**variables, "HEAD": f"path:{folder}"}
    assert make("--question", "package", **elsewhere).returncode == 1


def test_the_manifest_accounts_for_every_file_and_input(bge):
    folder = bge[0]
    dist = folder / "dist"
    manifest = json.loads((dist / "manifest.json").read_text("utf-8"))
    on_disk = {p.relative_to(dist).as_posix(): p for p in dist.rglob("*") if p.is_file()}
    del on_disk["manifest.json"]
    assert set(manifest["files"]) == set(on_disk)
    assert {"README.md", "config.json", "onnx/model.onnx", "onnx/model_quantized.onnx"} <= set(on_disk)
    assert {"reference.npz", "report.html"} <= set(on_disk)
    for name, path in on_disk.items():
        content = path.read_bytes()
        assert manifest["files"][name] == {"sha256": sha256(content).hexdigest(), "size": len(content)}
    weights = sha256((folder / "encoder/model.safetensors").read_bytes()).hexdigest()
    assert manifest["encoder"]["sha256"]["model.safetensors"] == weights
    head = manifest["head"]
    assert head["sha256"]["model.onnx"] == sha256((folder / "head/model.onnx").read_bytes()).hexdigest()
    assert (head["kind"], head["layout"]) == ("linear", "named")
    assert head["output_order"] != head["labels"]
    assert {row["name"] for row in manifest["variants"]} == {"fp32", "int8"}
    assert set(manifest["quantization"]) >= {
        "plan_sha256",
        "calibration",
        "held_out_flip_rate",
    }
    assert manifest["dependencies"]["torch"].startswith("2.13.0")
    assert str(folder) not in json.dumps(manifest)


def test_the_per_label_contract_from_end_to_end(tiny_build):
    theirs = onnxruntime.InferenceSession(tiny_build.folder / "head/model.onnx")
    order = [value.name for value in theirs.get_outputs()]
    session = onnxruntime.InferenceSession(tiny_build.dist / "onnx/model.onnx")
    assert [value.name for value in session.get_outputs()] == order != LABELS
    ids, mask = random_tokens(4, 9, 55)
    expected = original(tiny_build.bert, tiny_build.classifiers, ids, mask)
    for label, pair in zip(order, session.run(None, {"input_ids": ids, "attention_mask": mask}), strict=True):
        column = expected[:, LABELS.index(label)]
        np.testing.assert_allclose(pair, np.stack([1 - column, column], axis=1), atol=1e-5)
    run_snippet(tiny_build.dist)


@pytest.mark.slow
def test_two_checkouts_give_the_same_bytes(tmp_path):
    tracked = call("git", "ls-files", check=True)
    hashes = []
    for name in ("here", "a much longer name with blanks"):
        checkout = tmp_path / name
        for file in tracked.stdout.split():
            (checkout / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, checkout / file)
        tiny(checkout / "recipes", variants=SLOPPY + '[text]\nvariant = "fp32"\n')
        found = make("artifact", cwd=checkout, RECIPE="recipes/tiny")
        assert found.returncode == 0, found.stdout + found.stderr
        graphs = sorted((checkout / "dist/tiny/onnx").iterdir())
        assert len(graphs) == 3
        files = [*graphs, checkout / "dist/tiny/report.html"]
        hashes.append([(path.name, sha256(path.read_bytes()).hexdigest()) for path in files])
    assert hashes[0] == hashes[1]


def test_a_variant_over_its_tolerance_is_not_released(tiny_build, tmp_path):
    build = tiny_build.copy(tmp_path).variables["BUILD"]
    strict = tmp_path / "tiny"
    shutil.copytree(tiny_build.variables["RECIPE"], strict)
    text = (strict / "recipe.toml").read_text("utf-8")
    assert text.count("max_probability_error = 1e-5") == 1
    (strict / "recipe.toml").write_text(text.replace("error = 1e-5", "error = 1e-12"), "utf-8")
    # As if it were built with this recipe.
    Inputs(strict, [], build).record()
    for name, *target in (("release", tmp_path / "released"), ("gate",)):
        found = run("verify", name, strict, build, *target)
        assert found.returncode == 1
        assert found.stderr.startswith("error: fp32: max_probability_error: found ")
    assert "FAILED (Δp ≤ 1e-12)" in found.stdout
    assert "found no .verified" in run("verify", "release", strict, build, tmp_path / "released").stderr
    assert not (tmp_path / "released").exists()


def test_a_build_of_other_sources_is_neither_continued_nor_released(tiny_build, tmp_path):
    copy = tiny_build.copy(tmp_path).variables
    before = content(tmp_path)
    recipe, build = copy["RECIPE"], copy["BUILD"]
    other = os.environ | {"HEAD": "path:another"}
    for line in (["graphs", "build"], ["verify", "gate"], ["verify", "release"]):
        target = [copy["DIST"]] if line[1] == "release" else []
        found = run(*line, recipe, build, *target, env=other)
        assert found.returncode == 2
        expected = f"error: {build}: found {recipe}, expected a build of {recipe} HEAD=path:another; "
        assert found.stderr.startswith(expected)
        assert len(found.stderr.splitlines()) == 1
    after = content(tmp_path)
    for files in (before, after):
        files.pop("build/.lock", None)
    assert after == before


def test_the_artifact_is_verified_alone(tiny_build):
    dist = tiny_build.dist
    found = run("verify", "parity", dist)
    assert found.returncode == 0, found.stderr
    assert "all ok." in found.stdout
    page = (dist / "report.html").read_text("utf-8")
    for name in ("onnx/model.onnx", "reference.npz"):
        assert sha256((dist / name).read_bytes()).hexdigest() in page
    assert "Not measured for these files: speed (make bench)." in page
    assert "was not measured: the recipe names no texts with labels." in page


def test_a_tokenizer_that_gives_other_ids_is_not_released(tiny_build, tmp_path):
    copy = tiny_build.copy(tmp_path).variables
    path = copy["BUILD"] / "assets/tokenizer.json"
    text = path.read_text("utf-8")
    assert text.count('"lowercase": true') == 1
    path.write_text(text.replace('"lowercase": true', '"lowercase": false'), "utf-8")
    (copy["BUILD"] / "parity.json").unlink()
    found = run("verify", "gate", copy["RECIPE"], copy["BUILD"])
    assert found.returncode == 1
    assert "token_ids: " in found.stderr
    assert not (copy["BUILD"] / "parity.json").exists()


def test_a_parity_file_of_another_version_is_one_error(tiny_build, tmp_path):
    copy = tiny_build.copy(tmp_path).variables
    path = copy["BUILD"] / "parity.json"
    path.write_text(path.read_text("utf-8").replace('"batch_flips"', '"of_old"'), "utf-8")
    found = run("verify", "release", copy["RECIPE"], copy["BUILD"], tmp_path / "released")
    assert found.returncode == 2
    assert found.stderr == f"error: {path}: of another version; run `make verify`\n"
    assert not (tmp_path / "released").exists()


def test_an_output_folder_that_cannot_be_written(bge, tmp_path):
    (tmp_path / "file").write_text("in the way")
    found = make("package", **{**bge[3], "DIST": tmp_path / "file" / "dist"})
    assert found.returncode != 0
    assert f"error: {tmp_path}/file/.dist.lock: cannot be written" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_recipe_that_does_not_exist():
    found = make("artifact", RECIPE="recipes/nope")
    assert found.returncode != 0
    assert "recipes/nope/recipe.toml: no such recipe" in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minilm-l6-go-emotions", BGE.name])
def test_the_per_label_contract_holds_parity_on_both_recipes(bge, tmp_path, name):
    recipe = tmp_path / "recipes" / name
    shutil.copytree(ROOT / "recipes" / name, recipe)
    shutil.copy(BGE.parent / "go-emotions.toml", recipe.parent)
    text = (recipe / "recipe.toml").read_text("utf-8").replace('"stacked"', '"per-label"')
    if name == BGE.name:
        text = text.replace("max_flip_rate = 0.05 ", "max_flip_rate = 0.5 ")
    (recipe / "recipe.toml").write_text(text, "utf-8")
    sources = {key: bge[3][key] for key in ("ENCODER", "HEAD")} if name == BGE.name else {}
    found = make("artifact", RECIPE=recipe, **sources, **places(tmp_path))
    assert found.returncode == 0, found.stdout + found.stderr
    manifest = json.loads((tmp_path / "dist/manifest.json").read_text("utf-8"))
    assert manifest["recipe"]["contract"] == "per-label"
    (fp32,) = [row for row in manifest["variants"] if row["name"] == "fp32"]
    assert fp32["parity"]["max_probability_error"] <= 1e-5
    assert fp32["parity"]["flip_rate"] == 0


def run_snippet(folder):
    """Run the model card's Python program as it stands; return what it prints, line by line."""
    return run_python(snippet("### Python", "python", str(folder / "README.md"), max_lines=20), folder)


def test_the_model_cards_program_runs_as_it_stands(artifact):
    printed = run_snippet(artifact)
    program = snippet("### Python", "python", str(artifact / "README.md"), max_lines=20)
    assert printed == [line[2:] for line in program.splitlines() if line.startswith("# {")]
    assert "gratitude" in printed[0]


def test_the_default_graphs_have_four_products_a_layer_and_the_heads(artifact):
    graphs = [onnx.load(artifact / "onnx" / name).graph for name in ("model.onnx", "model_quantized.onnx")]
    # `int8` has a branch for rows without padding, and one for others.
    (branches,) = [node for node in graphs[1].node if node.op_type == "If"]
    fp32, *both = (
        Counter(node.op_type for node in graph.node)
        for graph in (graphs[0], *(attribute.g for attribute in branches.attribute))
    )
    # The head reads six means token by token, and three maxima in one product.
    assert (fp32["Gemm"], fp32["Softmax"], fp32["Attention"]) == (4 * 6 + 6 + 1, 2 * 6, 0)
    unpadded, padded = both
    assert (unpadded["MatMulIntegerToFloat"], unpadded["QAttention"]) == (3 * 6, 6)
    assert (padded["MatMulIntegerToFloat"], padded["QAttention"]) == (4 * 6, 0)
    for int8 in both:
        assert not {name for name in int8 if name.startswith("Dynamic")}


def test_the_default_artifacts_thresholds_are_the_same_everywhere(artifact):
    session = onnxruntime.InferenceSession(artifact / "onnx/model.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    thresholds = json.loads((artifact / "thresholds.json").read_text("utf-8"))
    assert json.loads(metadata["thresholds"]) == thresholds
    assert json.loads(metadata["labels"]) == list(thresholds)
    config = json.loads((artifact / "config.json").read_text("utf-8"))
    assert list(config["id2label"].values()) == list(thresholds)
    assert (artifact / "vocab.txt").read_text("utf-8").count("\n") == config["vocab_size"]
