"""`python -m verify compare`: two artifacts of known differences side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core.artifact import manifest
from core.artifact.graph import Graph
from tests.support import artifacts
from tests.support.artifacts import LABELS, LIMITS, TEXTS, WEIGHTS
from tests.support.commands import run
from verify.compare import measure
from verify.compare.measure import Plan, Side

QUICK = ("--rounds", 2, "--texts", 4)


def probabilities(texts, bias):
    ids = [encoding.ids for encoding in artifacts.tokenizer().encode_batch(list(texts))]
    return 1 / (1 + np.exp(-artifacts.answers(ids, WEIGHTS, bias)))


@pytest.fixture
def pair(tmp_path):
    """A, and B whose logits are 0.75 higher and whose labels are in another order."""
    a = artifacts.artifact(tmp_path / "a", {"fp32": 0.0, "int8": 0.25}, max_flip_rate=0.9)
    return a, artifacts.artifact(tmp_path / "b", {"fp32": 0.75}, labels=LABELS[::-1], max_flip_rate=0.9)


def test_flips_and_changes_are_by_label_whatever_their_order(pair, tmp_path):
    found = run("verify", "compare", *pair, *QUICK, "--json", tmp_path / "found.json")
    assert (found.returncode, found.stderr) == (0, "")
    written = json.loads((tmp_path / "found.json").read_text())
    (one,) = written["pairs"]
    assert (one["a"], one["b"]) == ("fp32", "fp32")
    ours, theirs = probabilities(TEXTS, 0), probabilities(TEXTS, 0.75)
    flipped = (ours >= LIMITS) != (theirs >= LIMITS)
    assert flipped.any()
    (on,) = one["texts"]
    assert on["flips"] == dict(zip(LABELS, flipped.sum(axis=0).tolist(), strict=True))
    assert on["flip_rate"] == flipped.any(axis=1).mean()
    assert on["max_probability_change"] == pytest.approx(abs(theirs - ours).max(), abs=1e-6)
    worst = on["worst"][0]
    at = TEXTS.index(worst["text"]), LABELS.index(worst["label"])
    assert (worst["a"], worst["b"]) == pytest.approx((ours[at], theirs[at]), abs=1e-6)
    assert worst["flipped"] == flipped[at]
    assert one["size_bytes"]["a"] == (pair[0] / "onnx/model.onnx").stat().st_size
    assert [row["batch"] for row in one["speed"]] == [1, 32]
    rows = [line for line in found.stdout.splitlines() if line.startswith("| ")]
    assert f"| <i>grief</i>\\|\\x01 | {on['flips'][LABELS[2]]} |" in rows
    # Every row of a table is as wide as its header, also where a label holds a pipe.
    assert len([row for row in rows if row.startswith("| <i>")]) == 1


def test_variants_of_one_artifact(pair, tmp_path):
    for options in ((), ("--pair", "fp32:int8"), (pair[0],)):
        target = tmp_path / "found.json"
        found = run("verify", "compare", pair[0], *options, *QUICK, "--json", target)
        assert (found.returncode, found.stderr) == (0, "")
        written = json.loads(target.read_text())
        assert written["a"] == written["b"] == str(pair[0])
        assert [(each["a"], each["b"]) for each in written["pairs"]] == [("fp32", "int8")]
        change = abs(probabilities(TEXTS, 0.25) - probabilities(TEXTS, 0)).max()
        assert written["pairs"][0]["texts"][0]["max_probability_change"] == pytest.approx(change, abs=1e-6)


def test_variants_can_be_paired(pair):
    found = run("verify", "compare", pair[0], pair[0], "--pair", "fp32:int8", "--pair", "int8:int8", *QUICK)
    assert found.returncode == 0, found.stderr
    assert "## A `fp32` and B `int8`" in found.stdout
    assert "## A `int8` and B `int8`" in found.stdout


def test_f1_on_a_data_set_is_scikit_learns(pair, tmp_path):
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["a", "b", "z", "the"], 5)) for _ in range(90)]
    given = [[label for label in LABELS[:2] if random.random() < 0.4] for _ in texts]
    rows = (json.dumps({"text": text, "labels": labels}) for text, labels in zip(texts, given, strict=True))
    (tmp_path / "test.jsonl").write_text("\n".join(rows))
    table = f'name = "Own"\ntest = "test.jsonl"\nlabel_ids = {json.dumps(LABELS[:2])}\n'
    (tmp_path / "data.toml").write_text(table)
    options = "--data", tmp_path / "data.toml", "--json", tmp_path / "found.json"
    found = run("verify", "compare", *pair, *QUICK, *options)
    assert found.returncode == 0, found.stderr
    (one,) = json.loads((tmp_path / "found.json").read_text())["pairs"]
    on = one["texts"][1]
    assert (on["name"], on["texts"]) == ("Own test", 90)
    for side, bias in (("a", 0.0), ("b", 0.75)):
        decided = probabilities(texts, bias).astype(np.float32) >= np.array(LIMITS, np.float32)
        expected = {
            label: f1_score([label in one for one in given], decided[:, column])
            for column, label in enumerate(LABELS[:2])
        }
        assert on[side]["f1"] == pytest.approx(expected, abs=2e-3)
        assert on[side]["macro_f1"] == pytest.approx(np.mean(list(on[side]["f1"].values())))


def test_other_labels_and_unknown_variants_are_refused(pair, tmp_path):
    a, b = pair
    other = artifacts.artifact(tmp_path / "c", {"fp32": 0.0}, labels=LABELS[:2])
    for arguments, message in (
        ((a, other), "found different labels, expected the same; in one of them alone: <i>grief"),
        ((a, b, "--pair", "fp32:int8"), "--pair fp32:int8: found variants fp32, int8 in"),
        ((a, b, "--pair", "nonsense"), "--pair nonsense:"),
        ((a, tmp_path), "manifest.json: not an artifact's manifest"),
        ((a, b, "--rounds", 0), "expected every number to be at least 1"),
    ):
        found = run("verify", "compare", *arguments, "--json", tmp_path / "found.json")
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr.startswith("error: ")
        assert message in found.stderr
        assert not (tmp_path / "found.json").exists()
    content = json.loads((a / "manifest.json").read_text())
    content["variants"] = [row for row in content["variants"] if row["name"] == "int8"]
    (a / "manifest.json").write_text(json.dumps(content))
    assert "no variant that both have" in run("verify", "compare", a, b).stderr
    (a / "manifest.json").write_text(json.dumps({"variants": []}))
    assert "variants: expected a list of some" in run("verify", "compare", a, b).stderr


def test_a_ratio_is_taken_within_a_round(pair, monkeypatch):
    """B takes half of A's time in every round, and the machine slows down from round to round."""
    spent = []
    monkeypatch.setattr(Graph, "run", lambda self, ids: spent.append((self.path, len(ids))))
    sides = [Side(folder, manifest.variants(folder)[0], 1) for folder in pair]
    clock, calls = [0.0], []

    def now():
        calls.append(None)
        timed, begins = divmod(len(calls), 2)
        if not begins:
            # Four timed calls a round.
            path, _ = spent[-1]
            clock[0] += (2.0 if path.is_relative_to(pair[0]) else 1.0) * (1 + (timed - 1) // 4)
        return clock[0]

    monkeypatch.setattr("core.timing.time.perf_counter", now)
    (row,) = measure.speed(*sides, TEXTS, Plan(rounds=4, texts=6, sizes=(3,)))
    assert {size for _, size in spent} == {3}
    # Two batches a side and round, after one each to warm up.
    assert len(spent) == 2 + 4 * 2 * 2
    assert row["a"]["low"] < row["a"]["median"] < row["a"]["high"]
    assert row["b_times_as_fast_as_a"] == {"median": 2, "low": 2, "high": 2}
