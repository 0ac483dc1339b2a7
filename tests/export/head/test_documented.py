"""The lines of docs/heads.md: a pickle becomes a head that says what scikit-learn says."""

from __future__ import annotations

import json

import joblib
import numpy as np
import pytest

from core import recipe
from tests.support.heads import WIDTH, read_head
from tests.support.recipes import GOOD, load
from tests.support.shapes import COUNTED, SORTED, by_label, multi, of_the_build, rows, single
from tests.support.snippets import run_python, snippet

X = rows(seed=7, count=80)


@pytest.mark.parametrize("classes", ["names", "integers", "columns"])
def test_a_pickle_is_converted_as_it_stands(tmp_path, classes):
    estimator = multi("OneVsRest") if classes == "columns" else single("LogisticRegression", classes)
    joblib.dump(estimator, tmp_path / "model_head.pkl")
    (said,) = run_python(snippet("## From a pickle", "python", "docs/heads.md"), tmp_path)
    listed = json.loads(said.removeprefix("labels: "))
    assert listed == ({"names": SORTED}.get(classes) or ["0", "1", "2", "3"])
    (tmp_path / "thresholds.json").write_text(json.dumps(dict.fromkeys(COUNTED, 0.5)))
    found = read_head(tmp_path, COUNTED, WIDTH)
    np.testing.assert_allclose(of_the_build(found, COUNTED, X), by_label(estimator, COUNTED, X), atol=1e-6)


def test_the_thresholds_are_a_recipes(tmp_path):
    text = snippet("## Thresholds", "toml", "docs/heads.md")
    found = load(tmp_path, GOOD.replace("[variants.fp32]", f"{text}\n[variants.fp32]"))
    assert found.thresholds == recipe.ThresholdsTable(source="my-thresholds.json", default=0.5)
