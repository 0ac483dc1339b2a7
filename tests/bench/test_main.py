"""The command line: a whole run on a small BERT through make, and what its processes load."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from bench.report import markdown
from tests.support.building import make
from tests.support.commands import python, run


@pytest.mark.slow
def test_a_whole_run_on_a_small_bert(tiny_build, tmp_path):
    options = "--threads 1 --sizes 1,2 --sweep-rounds 1"
    for name in ("encoder", "head", "tiny"):
        shutil.copytree(tiny_build.folder / name, tmp_path / name)
    with (tmp_path / "tiny" / "recipe.toml").open("a", encoding="utf-8") as recipe:
        recipe.write('[data]\ntest = "test.csv"\n')
    (tmp_path / "tiny" / "test.csv").write_text("text,labels\nthe dog,joy\na big dog and I,anger\n", "utf-8")
    found = make(
        "bench-recipe",
        RECIPE=tmp_path / "tiny",
        BUILD=tmp_path / "build",
        DIST=tmp_path / "dist",
        ROUNDS=1,
        BENCH_TEXTS=4,
        OPTIMUM="",
        BENCH_OPTIONS=options,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    bench = tmp_path / "build" / "bench"
    record = json.loads((bench / "bench.json").read_text("utf-8"))
    names = ["torch", "card", "fused", "optimum", "fp32", "int8"]
    assert list(record["contenders"]) == names
    assert [row["contender"] for row in record["measurements"]] == names * 2
    errors = {row["contender"]: row["max_probability_error"] for row in record["processes"]}
    assert errors["torch"] == 0
    assert max(errors[name] for name in ("card", "fused", "fp32")) < 1e-5
    sizes = {row["contender"]: row["size_bytes"] for row in record["processes"]}
    assert sizes["int8"] == (tmp_path / "build/model_quantized.onnx").stat().st_size
    weights = (tiny_build.folder / "encoder/model.safetensors").stat().st_size
    assert sizes["torch"] == weights + (tiny_build.folder / "head/model.onnx").stat().st_size
    assert record["optimum"]["way"] == "onnxruntime"
    text = (bench / "bench.md").read_text("utf-8")
    assert "no environment for optimum was asked for" in text
    assert text.count("| of its floor | of the best floor |") == 2
    assert "divided by their geometric mean" in text
    assert markdown.markdown(record) in found.stdout
    for folder in (tmp_path, tiny_build.folder):
        assert str(folder) not in (bench / "bench.json").read_text("utf-8")
    for name in ("throughput.svg", "cost.svg"):
        assert ElementTree.parse(bench / name).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("command", "loads_not"),
    [
        # A contender's memory and start are figures: it loads nothing of the others.
        (
            ["graph", "BUILD", "FILE", "--threads", "1"],
            {"torch", "transformers", "onnx_ir", "matplotlib", "pydantic"},
        ),
        (
            ["bare-products", "FILE", "--threads", "1"],
            {"torch", "transformers", "onnx_ir", "matplotlib", "pydantic"},
        ),
        (["torch", "RECIPE", "BUILD", "--threads", "1"], {"matplotlib", "pyarrow"}),
    ],
)
def test_a_worker_loads_only_its_own_libraries(command, loads_not):
    code = (
        "import sys; from bench.__main__ import main\n"
        f"status = main({command!r})\n"
        f"print(status, sorted(set(sys.modules) & {loads_not!r}), file=sys.stderr)"
    )
    ended = python(code, check=True, stdin=subprocess.DEVNULL)
    # It ends with one line, as none of the files is there.
    assert ended.stderr.splitlines()[-1] == "2 []"
    assert ended.stderr.splitlines()[-2].startswith("error: ")
    assert not ended.stdout


def test_numbers_of_threads_are_refused_where_they_are_none():
    ended = run("bench", "graphs", "RECIPE", "BUILD", "--threads", "1,0")
    assert ended.returncode == 2
    assert "--threads" in ended.stderr
