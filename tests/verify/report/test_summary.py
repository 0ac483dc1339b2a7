"""What `make artifact` prints last: the variants with what is known of them, in numbers for people."""

from __future__ import annotations

import json
import re

import pytest

from core.artifact import manifest
from tests.support import pages
from verify import __main__ as command
from verify.report import overview
from verify.report.words import notes


def summary(folder, in_process, described):
    folder.mkdir(exist_ok=True)
    text = manifest.sealed({**described, "files": {}})
    (folder / "manifest.json").write_text(text, "utf-8")
    code, said = in_process(command.main, "summary", folder)
    assert (code, said.err) == (0, "")
    return [re.split("  +", line.strip()) for line in said.out.splitlines()]


def evaluations():
    figures = {"precision": 0.5, "recall": 0.25, "f1": 0.4836}
    one = {"data": "Own", "split": "test", "texts": 5427, "labels": [figures], "macro": figures}
    return [
        {**one, "variant": "fp32", "flips_from_fp32": None},
        {**one, "variant": "int8", "flips_from_fp32": 0.03},
    ]


def test_columns_are_what_is_known(tmp_path, in_process):
    rows = summary(tmp_path / "a", in_process, pages.described())
    assert rows[1:4] == [
        ["variant", "size", "other labels", "file"],
        ["int8", "24 MB", "3 (2.5 %)", f"{tmp_path}/a/onnx/model_quantized.onnx"],
        ["fp32", "90 MB", "3 (2.5 %)", f"{tmp_path}/a/onnx/model.onnx"],
    ]
    described = pages.described() | {"evaluations": evaluations(), "speed": pages.SPEED}
    rows = summary(tmp_path / "a", in_process, described)
    assert rows[1] == ["variant", "size", "macro-F1", "other labels", "texts/s", "file"]
    assert rows[2][:-1] == ["int8", "24 MB", "0.484", "163 (3.0 %)", "583"]
    assert rows[3][:-1] == ["fp32", "90 MB", "0.484", "–", "229"]
    assert rows[5] == [
        "Macro-F1 is the mean F1 of all 1 labels, on the 5,427 test texts of Own, at the thresholds in the "
        "files."
    ]


def test_changes_are_counted_against_the_original_where_a_variant_was_not_evaluated():
    described = pages.described() | {"evaluations": evaluations()[:1]}
    table = overview.of(described)
    assert not table.since_fp32
    assert [row.changed for row in table.rows] == [0.025, 0.025]

    def said():
        return " ".join(notes.notes(overview.of(described), described))

    assert "how many of the 119 reference texts get other labels than from the original in PyTorch." in said()
    described["evaluations"] = evaluations()
    assert (
        "fp32 itself gives other labels than the original in PyTorch to 2.5 % of the 119 reference" in said()
    )
    described["variants"][0]["parity"]["flip_rate"] = 0.0
    assert (
        "fp32 itself gives the same labels as the original in PyTorch to all of the 119 reference" in said()
    )


def test_the_graph_that_takes_texts_has_its_variants_figures():
    described = pages.described() | {"evaluations": evaluations()}
    described["text"] = {"file": "onnx/model_text.onnx", "size": 28_000_000, "variant": "int8"}
    row = overview.of(described).rows[0]
    assert (row.name, row.figure, row.changed, row.texts_per_second) == ("text in", 0.4836, 0.03, None)


@pytest.mark.parametrize(
    "change",
    [
        {"text": {"file": "onnx/model_text.onnx", "size": 1, "variant": "int4"}},
        {"evaluations": [{"variant": "int8", "macro": {"f1": "1"}}]},
        {"evaluations": 3},
        {"speed": {"variants": []}},
        {"head": None},
    ],
)
def test_a_manifest_of_somebody_else_is_one_error(tmp_path, in_process, change):
    (tmp_path / "manifest.json").write_text(manifest.sealed({**pages.described(), "files": {}, **change}))
    code, said = in_process(command.main, "summary", tmp_path)
    assert code
    assert said.err.count("\n") == 1
    assert f"{tmp_path}/manifest.json: not an artifact's manifest" in said.err


def test_a_manifest_of_before_speed_was_kept(tmp_path, in_process):
    described = pages.described()
    del described["speed"]
    rows = summary(tmp_path / "a", in_process, json.loads(json.dumps(described)))
    assert rows[1] == ["variant", "size", "other labels", "file"]
