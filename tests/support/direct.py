"""The artifact's answers by no code of ours: the Rust tokenizer and onnxruntime, each text alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bench.servers.load import Answer


def tokenizer(artifact: Path) -> Tokenizer:
    """The artifact's tokenizer; it cuts, and does not pad."""
    found = Tokenizer.from_file(str(artifact / "tokenizer.json"))
    found.no_padding()
    return found


def answers(artifact: Path, file: str, texts: list[str]) -> list[Answer]:
    """Answer each text alone with a graph of the artifact that takes token ids."""
    session = onnxruntime.InferenceSession(artifact / file, providers=["CPUExecutionProvider"])
    found = []
    for encoding in tokenizer(artifact).encode_batch(texts):
        ids = np.array([encoding.ids])
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        probabilities, predictions = session.run(["probabilities", "predictions"], given)
        found.append(Answer(probabilities[0], predictions[0]))
    return found
