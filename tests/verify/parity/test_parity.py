"""Parity, its gate, and the reference file: what passes, what fails, what is said then."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.artifact.graph import Answers, Graph
from core.artifact.manifest import Tolerance
from core.build import reference
from core.contract import SINGLE_LABEL
from core.errors import ArtifactError, GateError
from tests.support.places import DEFAULT
from verify.parity import parity
from verify.parity.changes import is_natural

NO_LIMIT = Tolerance(None, None)


@pytest.fixture(scope="module")
def committed():
    return reference.read(DEFAULT / "reference.npz")


@pytest.fixture(scope="module")
def fp32(artifact):
    return Graph(artifact / "onnx/model.onnx")


@pytest.fixture(scope="module")
def figures(fp32, committed):
    return parity.measure(fp32, committed)


def test_the_committed_reference_covers_what_it_must(committed):
    lengths = [len(row) for row in committed.ids]
    assert len(committed.texts) >= 96
    assert "" in committed.texts
    assert min(lengths) == 2
    assert lengths.count(512) >= 2
    assert len(set(lengths)) > 30


def place(original, row):
    """The index of a row of `worst` in arrays `[n, labels]`."""
    text = original.texts[row["place"]]
    assert (row["text"], row["characters"]) == (text[:200], len(text))
    return row["place"], original.labels.index(row["label"])


def test_fp32_holds_parity_with_the_committed_reference(figures):
    assert figures.max_probability_error <= 1e-5
    assert figures.flip_rate == 0
    assert figures.batch_error <= 1e-6


def test_the_figures_against_their_definition(artifact, committed):
    graph = Graph(artifact / "onnx/model_quantized.onnx")
    found = parity.measure(graph, committed)
    probabilities = np.concatenate([graph.run([row]).probabilities for row in committed.ids])
    limits = np.array([committed.thresholds[label] for label in committed.labels], np.float32)
    flipped = (probabilities >= limits) != (committed.probabilities >= limits)
    error = abs(probabilities.astype(float) - committed.probabilities)
    assert found.max_probability_error == error.max()
    assert found.mean_probability_error == pytest.approx(error.mean(), rel=1e-12)
    assert found.flip_rate == flipped.any(axis=1).mean()
    assert list(found.flips.values()) == flipped.sum(axis=0).tolist()
    changes = [place(committed, row) for row in found.worst]
    # Of a text the label that changed most, of ten sentences and of five texts that are none.
    largest = error.max(axis=1)
    assert [error[at] for at in changes] == [largest[row] for row, _ in changes]
    assert largest[changes[0][0]] == error.max()
    for natural, most in ((True, 10), (False, 5)):
        expected = sorted(
            (largest[row] for row, text in enumerate(committed.texts) if is_natural(text) == natural),
            reverse=True,
        )
        assert [error[at] for at in changes if is_natural(committed.texts[at[0]]) == natural] == expected[
            :most
        ]
    assert [row["flipped"] for row in found.worst] == [flipped[at] for at in changes]
    for row, at in zip(found.worst, changes, strict=True):
        assert (row["probability"], row["reference"]) == (probabilities[at], committed.probabilities[at])
    flips = [place(committed, row) for row in found.worst_flips]
    assert {row for row, _ in flips} == set(np.flatnonzero(flipped.any(axis=1)).tolist())
    assert all(flipped[at] for at in flips)
    together = graph.run_batches(committed.ids, 32)
    assert found.batch_flips == ((together.probabilities >= limits) != (probabilities >= limits)).any(1).sum()


def test_saturated_logits_are_left_out_of_the_logit_errors_alone(figures, fp32, committed):
    answers = fp32.run_batches(committed.ids, 1)
    error = abs(answers.logits.astype(float) - committed.logits)
    bound = 1024 * 2.0**-23
    kept = (committed.probabilities >= bound) & (committed.probabilities <= 1 - bound)
    # The original says 1 of some texts, whose logit stands for infinity.
    assert committed.probabilities.max() == 1
    assert error.max() > 60
    assert figures.saturated_logits == (~kept).sum() > 0
    assert figures.max_logit_error == error[kept].max() < 1e-3
    assert figures.mean_logit_error == pytest.approx(error[kept].mean(), rel=1e-12)
    change = abs(answers.probabilities.astype(float) - committed.probabilities)
    assert figures.max_probability_error == change.max()


def test_logit_errors_are_of_probabilities_that_tell_a_logit(committed):
    bound = np.float32(parity.SATURATED)
    probabilities = np.array([[0, np.nextafter(bound, 0), bound, 0.5, 1 - bound, 1]], np.float32)
    original = dataclasses.replace(
        committed, probabilities=probabilities, logits=np.zeros((1, 6), np.float32)
    )
    logits = np.arange(1, 7, dtype=np.float32)[None]
    answers = Answers(logits, probabilities, probabilities > 0.5)
    assert parity._logit_errors(answers, original).tolist() == [3, 4, 5]
    # One rounding of float32 moves a logit at the bound by a thousandth.
    moved = np.log((bound + np.finfo(np.float32).eps) / bound)
    assert moved == pytest.approx(1 / 1024, rel=1e-3)


def test_a_wrong_answer_exceeds_and_the_sentence_names_it(fp32, committed):
    probabilities = committed.probabilities.copy()
    probabilities[7, 3] += 0.25
    wrong = dataclasses.replace(committed, probabilities=probabilities)
    found = parity.measure(fp32, wrong)
    (sentence,) = parity.violations("fp32", found, Tolerance(1e-5, None))
    assert committed.labels[3] in sentence
    assert repr(committed.texts[7]) in sentence
    assert "found 0.25, expected at most 1e-05" in sentence
    assert parity.violations("fp32", found, NO_LIMIT) == []


def test_flips_are_gated(figures):
    flip = {**figures.worst[0], "text": "the flipped one", "label": "grief", "flipped": True}
    flipped = dataclasses.replace(figures, flip_rate=0.06, worst_flips=[flip])
    (sentence,) = parity.violations("int8", flipped, Tolerance(None, 0.05))
    assert "found 0.06, expected at most 0.05; the largest flip is on grief of 'the flipped one'" in sentence
    assert f"{flip['probability']:.6f}, the reference has {flip['reference']:.6f}" in sentence
    assert not parity.violations("int8", flipped, Tolerance(None, 0.06))


def test_what_is_not_a_number_is_the_worst(fp32, committed):
    probabilities = committed.probabilities.copy()
    probabilities[5, 2] = np.nan
    found = parity.measure(fp32, dataclasses.replace(committed, probabilities=probabilities))
    assert place(committed, found.worst[0]) == (5, 2)
    assert parity.violations("fp32", found, Tolerance(1e-5, None))


def test_not_a_number_is_never_within_a_tolerance(figures):
    broken = dataclasses.replace(figures, max_probability_error=float("nan"))
    assert parity.violations("fp32", broken, Tolerance(1e-5, None))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encoder_sha256", "0" * 64),
        ("head_sha256", "0" * 64),
        ("labels", ["joy"]),
        ("thresholds", {}),
        ("problem_type", SINGLE_LABEL),
    ],
)
def test_another_originals_reference_is_refused(fp32, committed, field, value):
    with pytest.raises(GateError, match=f"{field}: found .* expected the reference's"):
        parity.measure(fp32, dataclasses.replace(committed, **{field: value}))


def test_the_table_has_a_verdict(figures):
    text = parity.table([("fp32", figures, Tolerance(1e-5, 0.1))])
    assert "| fp32 |" in text
    assert "ok (Δp ≤ 1e-05, flips ≤ 0.1)" in text
    flipped = dataclasses.replace(figures, flip_rate=0.2)
    assert "FAILED (Δp ≤ 1e-05, flips ≤ 0.1)" in parity.table([("int8", flipped, Tolerance(1e-5, 0.1))])


@pytest.mark.parametrize("damage", ["truncated", "not a file", "shape", "pickle"])
def test_a_damaged_reference_is_named(tmp_path, damage):
    path = tmp_path / "reference.npz"
    content = (DEFAULT / "reference.npz").read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage in ("shape", "pickle"):
        with np.load(DEFAULT / "reference.npz") as file:
            arrays = dict(file)
        arrays["logits"] = arrays["logits"][:5] if damage == "shape" else np.array([object()])
        np.savez(path, **arrays)
    with pytest.raises(ArtifactError, match=r"reference\.npz"):
        reference.read(path)
