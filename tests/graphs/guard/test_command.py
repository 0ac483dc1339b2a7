"""The variant `guarded` through the command that builds graphs: a plan that does not fit is one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from core.build import plan as plan_file
from graphs.__main__ import main
from tests.support.building import LABELS


@pytest.mark.parametrize(("margins", "found"), [([], 0), ([0.1, 0.1], 2)])
def test_a_plan_without_a_margin_for_each_label_is_one_line(tiny_build, tmp_path, capsys, margins, found):
    recipe, build = tmp_path / "tiny", tmp_path / "build"
    shutil.copytree(tiny_build.variables["RECIPE"], recipe)
    shutil.copytree(tiny_build.folder / "build", build)
    recorded = json.loads((build / ".inputs").read_text("utf-8"))
    (build / ".inputs").write_text(json.dumps(recorded | {"recipe": str(recipe.resolve())}), "utf-8")
    text = (recipe / "recipe.toml").read_text("utf-8")
    (recipe / "recipe.toml").write_text(f"{text}\n[variants.guarded]\nmax_flip_rate = 0.05\n", "utf-8")
    plan = plan_file.read(build / plan_file.PLAN_FILE)
    plan_file.write(recipe / plan_file.PLAN_FILE, replace(plan, margins=tuple(margins)))
    before = (build / "model.onnx").read_bytes()
    assert main(["build", str(recipe), str(build)]) == 2
    said = capsys.readouterr().err
    expected = f"margins: found {found}, expected one for each of {len(LABELS)} labels; `make search` chooses"
    assert said.startswith(f"error: {recipe / plan_file.PLAN_FILE}: {expected}")
    assert said.count("\n") == 1
    assert (build / "model.onnx").read_bytes() == before
    assert not (build / "model_guarded.onnx").exists()
