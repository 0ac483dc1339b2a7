"""A single-label build: evaluated against scikit-learn, and silenced where it would be wrong too often."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, precision_score

from core.artifact.graph import Graph
from core.contract import SINGLE_LABEL
from core.thresholds import Floor, Scored, silences
from tests.support import builds
from tests.support.commands import assert_failed
from verify.quality import single_label

ALWAYS = dict.fromkeys(builds.LABELS, 0.0)


@pytest.fixture
def build(build):
    write(build, ALWAYS)
    return build


def write(build, thresholds):
    for name, weight in (("model", builds.weights(0.4)), ("model_quantized", np.round(builds.weights(0.4)))):
        builds.graph(build.folder / f"{name}.onnx", weight, thresholds, SINGLE_LABEL)


def evaluated(build):
    return json.loads((build.folder / "evaluation.json").read_text("utf-8"))["variants"]


def answered(build, split):
    """The texts of a split with one label: truth as numbers, the graph's own probabilities and decisions."""
    lines = (build.folder.parent / "data" / f"{split}.csv").read_text("utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines]
    one = [(text, builds.LABELS.index(label)) for text, label in rows if "|" not in label]
    ids = [[builds.WORDS.index(word) for word in text.split()] for text, _ in one]
    found = Graph(build.graph("fp32")).run_batches(ids, 7)
    return np.array([truth for _, truth in one]), found, len(lines) - len(one)


def test_accuracy_and_f1_are_scikit_learns_on_the_texts_with_one_label(build, verify):
    code, said = verify("evaluate")
    assert code == 0, said.err
    (fp32, _) = evaluated(build)
    assert list(fp32["protocols"]) == ["packaged", "dev"]
    for name, split in (("packaged", "test"), ("dev", "dev")):
        truth, found, left_out = answered(build, split)
        assert left_out > 10
        protocol, chosen = fp32["protocols"][name], found.probabilities.argmax(axis=1)
        assert (protocol["texts"], protocol["left_out"]) == (len(truth), left_out)
        assert protocol["accuracy"] == pytest.approx(accuracy_score(truth, chosen), abs=1e-12)
        assert (protocol["answered"], protocol["accuracy_answered"]) == (1, protocol["accuracy"])
        for kind in ("macro", "weighted"):
            expected = precision_recall_fscore_support(truth, chosen, average=kind, zero_division=0)[:3]
            np.testing.assert_allclose(list(protocol[kind].values()), expected, atol=1e-12)
    assert (
        f"fp32, packaged: what the graph decides, on test (test, {len(answered(build, 'test')[0])} texts"
        in said.out
    )
    assert "others left out)" in said.out
    assert f"accuracy {fp32['protocols']['packaged']['accuracy']:.3f}" in said.out
    assert "Card" not in said.out


def test_a_silent_text_is_not_answered_and_no_right_answer(build, verify):
    write(build, {**ALWAYS, "joy": 0.9})
    code, said = verify("evaluate")
    assert code == 0, said.err
    (fp32, _) = evaluated(build)
    truth, found, _ = answered(build, "test")
    assert list(fp32["protocols"]) == ["packaged", "always", "dev"]
    chosen = found.probabilities.argmax(axis=1)
    silent = (chosen == 0) & (found.probabilities[:, 0] < np.float32(0.9))
    assert 0 < silent.sum() < len(silent)
    packaged, always = (fp32["protocols"][name] for name in ("packaged", "always"))
    assert packaged["answered"] == pytest.approx(1 - silent.mean())
    assert packaged["accuracy"] == pytest.approx(((chosen == truth) & ~silent).mean())
    assert packaged["accuracy_answered"] == pytest.approx(accuracy_score(truth[~silent], chosen[~silent]))
    assert always["accuracy"] == pytest.approx(accuracy_score(truth, chosen))
    assert "answers " in said.out


def test_thresholds_keep_a_least_precision_of_a_labels_answers(build, verify, tmp_path):
    out = tmp_path / "floors.json"
    truth, found, _ = answered(build, "dev")
    chosen = found.probabilities.argmax(axis=1)
    before = precision_score(truth, chosen, average=None, zero_division=0)
    least = round(float(before[1]) + 0.05, 2)
    code, said = verify("thresholds", "--variant", "fp32", "--min-precision", f"anger={least}", "--out", out)
    assert code == 0, said.err
    floors = json.loads(out.read_text())
    assert (floors["joy"], floors["neutral"]) == (0, 0)
    kept = found.probabilities[:, 1] >= np.float32(floors["anger"])
    right = (truth == 1) & (chosen == 1)
    assert right[kept].sum() / (chosen == 1)[kept].sum() >= least
    # One text more, and the promise is broken, or it is another answer that was right.
    others = np.unique(found.probabilities[(chosen == 1) & ~kept, 1])
    for lower in others:
        more = found.probabilities[:, 1] >= lower
        assert right[more].sum() / (chosen == 1)[more].sum() < least or right[more].sum() == right[kept].sum()


def test_thresholds_want_a_reason_to_be_silent(build, verify):
    assert_failed(verify("thresholds"), "--min-precision", "answers with its highest label")


def test_a_floor_that_none_keeps_names_the_label():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4]], np.float32)
    scored = Scored(["a", "b"], np.array([[False, True], [False, True]]), probabilities, SINGLE_LABEL)
    assert silences(scored, {}).tolist() == [0, 0]
    with pytest.raises(Exception, match=r"label 'a': precision: found at most 0\.0000, expected 0\.5"):
        silences(scored, {"a": Floor("precision", 0.5)})


def test_texts_with_another_number_of_labels_than_one_are_not_measured():
    truth = np.array([[True, True], [False, False], [False, True]])
    assert single_label.measured(truth, "test", SINGLE_LABEL).tolist() == [False, False, True]
    with pytest.raises(Exception, match="test: found no text with exactly one label among 2"):
        single_label.measured(truth[:2], "test", SINGLE_LABEL)
