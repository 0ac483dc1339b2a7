"""The answers that every consumer is held against: the same texts in onnxruntime's Python, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.artifact import tokens
from core.artifact.graph import Graph
from core.build import reference
from core.contract import VARIANT_FILES

GO_EMOTIONS_TEXTS = 500


@dataclass(frozen=True)
class Expected:
    """Answers to some texts `[n, labels]`: float32 probabilities, bool decisions; thresholds `[labels]`."""

    labels: list[str]
    thresholds: np.ndarray
    probabilities: np.ndarray
    decisions: np.ndarray


@pytest.fixture(scope="session", params=["reference", "go_emotions"])
def texts(request: pytest.FixtureRequest, artifact: Path) -> list[str]:
    """The stored reference's texts, then 500 of GoEmotions' test split, where the data is."""
    if request.param == "reference":
        return reference.read(artifact / "reference.npz").texts
    lines = (request.getfixturevalue("go_emotions") / "test.tsv").read_text("utf-8").split("\n")
    return [line.split("\t")[0] for line in lines[:GO_EMOTIONS_TEXTS]]


@pytest.fixture(scope="session", params=VARIANT_FILES)
def variant(request: pytest.FixtureRequest) -> str:
    """The variants that every artifact of the embedded default has."""
    return request.param


@pytest.fixture(scope="session")
def expected(artifact: Path, variant: str, texts: list[str]) -> Expected:
    """Answer `texts` with a variant in onnxruntime's Python."""
    return answer(artifact, artifact / VARIANT_FILES[variant], texts)


def answer(artifact: Path, graph_file: Path, texts: list[str]) -> Expected:
    """Answer texts one at a time, from the token ids of the artifact's tokenizer."""
    graph = Graph(graph_file)
    answers = graph.run_batches(tokens.encode(artifact / "tokenizer.json", texts), 1)
    thresholds = np.array([graph.thresholds[label] for label in graph.labels], np.float32)
    return Expected(graph.labels, thresholds, answers.probabilities, answers.predictions)


def check(name: str, probabilities: np.ndarray, decisions: np.ndarray, expected: Expected) -> None:
    """Hold a consumer to 1e-6 and to every decision; its figures go to the test's output."""
    error = float(np.abs(probabilities - expected.probabilities).max())
    flipped = int((decisions != expected.decisions).any(axis=1).sum())
    print(f"{name}: {len(probabilities)} texts, max |dp| {error:.1e}, texts with another decision: {flipped}")
    assert error <= 1e-6
    assert flipped == 0
