"""What a release says of F1 and speed is of these very graphs: the build's own figures, or the recipe's."""

from __future__ import annotations

import json
import re

import pytest

from core.disk.files import sha256_file
from core.errors import ArtifactError, RecipeError
from tests.support import builds, pages
from tests.support.commands import assert_failed
from verify.report import measured


def figures(build):
    paths = {name: build.graph(name) for name in build.recipe.variants}
    hashes = {name: sha256_file(path) for name, path in paths.items()}
    return measured.figures(build, hashes, {name: path.stat().st_size for name, path in paths.items()})


def test_the_builds_own_evaluation_at_the_packaged_thresholds(build, verify):
    assert figures(build) == ([], None)
    verify("evaluate")
    rows, speed = figures(build)
    assert speed is None
    assert [(row["variant"], row["split"], row["texts"]) for row in rows] == [
        ("fp32", "test", 160),
        ("int8", "test", 160),
    ]
    found = json.loads((build.folder / "evaluation.json").read_text("utf-8"))["variants"]
    assert rows[0]["macro"] == found[0]["protocols"]["dev-tuned"]["macro"]
    assert rows[1]["flips_from_fp32"] == found[1]["flips_from_fp32"] > 0
    builds.graph(build.graph("int8"), builds.weights(0.1))
    assert [row["variant"] for row in figures(build)[0]] == ["fp32"]


@pytest.mark.parametrize("content", ["[]", "{}", '{"variants": [{"variant": "fp32"}]}'])
def test_an_evaluation_of_another_layout_is_refused(build, content):
    (build.folder / "evaluation.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"evaluation\.json: not what `make evaluate` writes now"):
        figures(build)


def test_what_a_recipe_keeps_serves_the_same_graphs_without_the_data(build, verify, tmp_path):
    verify("evaluate")
    sizes = {name: build.graph(name).stat().st_size for name in build.recipe.variants}
    pages.benchmark(build.folder, sizes)
    own = figures(build)
    code, said = verify("figures")
    assert (code, said.err) == (0, "")
    assert "figures.json: F1 and speed" in said.out
    for name in ("evaluation.json", "evaluation.npz", "bench/bench.json"):
        (build.folder / name).unlink()
    for split in ("dev", "test"):
        (tmp_path / f"data/{split}.csv").unlink()
    rows, speed = figures(build)
    assert (rows, speed) == own
    assert (speed["batch"], speed["threads"], speed["cpu"]) == (32, 1, "A <CPU> (no VNNI)")
    assert {name: row["texts_per_second"] for name, row in speed["variants"].items()} == {
        "fp32": 200.0,
        "int8": 300.0,
    }
    # Of another graph nothing is known, though its name is the same.
    builds.graph(build.graph("int8"), builds.weights(0.1))
    rows, speed = figures(build)
    assert [row["variant"] for row in rows] == list(speed["variants"]) == ["fp32"]


def test_figures_of_other_data_are_not_these(build, verify):
    verify("evaluate")
    verify("figures")
    (build.folder / "evaluation.json").unlink()
    assert len(figures(build)[0]) == 2
    path = build.recipe_folder / "figures.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"data": {"name": "Theirs", "sha256": {}}}))
    assert figures(build)[0] == []


def test_there_is_nothing_to_keep_without_an_evaluation(build, verify):
    assert_failed(verify("figures"), "evaluation.json: has no fp32; run `make evaluate`")
    build.graph("int8").unlink()
    assert_failed(verify("figures"), "model_quantized.onnx: no such file; run `make evaluate`")
    assert not (build.recipe_folder / "figures.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda kept: kept.pop("speed"), "'speed' is missing"),
        (lambda kept: kept["evaluations"][0]["macro"].update(f1=7), "fp32: expected figures between 0 and 1"),
        (lambda kept: kept["evaluations"][1]["labels"][0].pop("recall"), "'recall' is missing"),
        (lambda kept: kept.update(evaluations=3), "not what `make figures` writes"),
    ],
)
def test_kept_figures_of_another_layout_are_refused(build, verify, change, words):
    verify("evaluate")
    verify("figures")
    path = build.recipe_folder / "figures.json"
    kept = json.loads(path.read_text())
    change(kept)
    path.write_text(json.dumps(kept))
    with pytest.raises(RecipeError, match=r"figures\.json: not what `make figures` writes") as caught:
        figures(build)
    assert words in str(caught.value)


def test_the_defaults_card_has_f1_whether_the_data_are_at_hand_or_not(artifact):
    described = json.loads((artifact / "manifest.json").read_text("utf-8"))
    files = described["files"]
    expected = {row["name"]: files[row["file"]]["sha256"] for row in described["variants"]}
    found = {row["variant"]: row["sha256"] for row in described["evaluations"]}
    again = "graphs changed: make evaluate, make figures, and the figures in docs/evaluation.md"
    assert found == expected, again
    for row in described["evaluations"]:
        assert 0.45 < row["macro"]["f1"] < 0.55
    card = (artifact / "README.md").read_text("utf-8")
    assert "Macro-F1 is **0.48" in card
    assert re.search(r"of the labels that it gives to the 5,427 .*, \*\*49\.\d %\*\* are right", card)
    for words in (
        *(row["model"] for row in described["data"]["others"]),
        " ms for a text alone on 1 thread.",
    ):
        assert words in card
