"""A transformers pipeline over optimum's ONNX model says what onnxruntime says, at any batch size."""

from __future__ import annotations

import numpy as np
import pytest

from core.contract import VARIANT_FILES
from tests.support import consumers
from tests.support.snippets import run_python, snippet

pytestmark = pytest.mark.consumers


@pytest.fixture(scope="session")
def classify(artifact, variant):
    from optimum.onnxruntime import ORTModelForSequenceClassification
    from transformers import AutoTokenizer, pipeline

    folder, file = VARIANT_FILES[variant].split("/")
    model = ORTModelForSequenceClassification.from_pretrained(
        artifact, subfolder=folder, file_name=file, local_files_only=True
    )
    tokenizer = AutoTokenizer.from_pretrained(artifact, local_files_only=True)
    # No function_to_apply: that it is a sigmoid, the artifact's config.json says.
    return pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None, truncation=True)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_text_to_decisions(classify, variant, texts, expected, batch_size):
    rows = [{row["label"]: row["score"] for row in found} for found in classify(texts, batch_size=batch_size)]
    probabilities = np.array([[row[label] for label in expected.labels] for row in rows], np.float32)
    decided = probabilities >= expected.thresholds
    consumers.check(f"optimum, {variant}, batch {batch_size}", probabilities, decided, expected)


def test_the_texts_reach_the_limit(classify, artifact):
    from core.build import reference

    ids = reference.read(artifact / "reference.npz").ids
    texts = reference.read(artifact / "reference.npz").texts
    limit = classify.tokenizer.model_max_length
    assert sum(len(row) == limit for row in ids) >= 3
    assert [classify.tokenizer(text, truncation=True)["input_ids"] for text in texts] == ids


def test_the_documents_program_runs_as_it_stands(artifact):
    program = snippet("## transformers and optimum", "python", "docs/runtimes.md")
    assert run_python(program, artifact)[0] == "['love']"
