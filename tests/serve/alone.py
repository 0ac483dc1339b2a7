"""Each text by itself, straight in onnxruntime: nothing of this project in between."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bench.servers.load import Answer
from core.contract import VARIANT_FILES


def alone(artifact: Path, variant: str, texts: list[str]) -> list[Answer]:
    """Return the answers, in the order of the labels in the graph's own metadata."""
    tokenizer = Tokenizer.from_file(str(artifact / "tokenizer.json"))
    session = onnxruntime.InferenceSession(artifact / VARIANT_FILES[variant])
    found = []
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids])
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        (probabilities,), (decisions,) = session.run(["probabilities", "predictions"], given)
        found.append(Answer(probabilities, decisions))
    return found


def labels(artifact: Path, variant: str) -> list[str]:
    """Return the labels in the order of the columns."""
    session = onnxruntime.InferenceSession(artifact / VARIANT_FILES[variant])
    return json.loads(session.get_modelmeta().custom_metadata_map["labels"])
