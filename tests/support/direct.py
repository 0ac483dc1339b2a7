"""The artifact's answers by no code of ours: the Rust tokenizer and onnxruntime, each text alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from bench.servers.load import Answer, Ask
from core.build import reference

GO_EMOTIONS_TEXTS = 200


@pytest.fixture(name="texts", scope="session")
def asked_texts(artifact: Path, go_emotions: Path) -> list[str]:
    """What servers are asked: the reference's texts and 200 of GoEmotions' test split."""
    lines = (go_emotions / "test.tsv").read_text("utf-8").split("\n")[:GO_EMOTIONS_TEXTS]
    return reference.read(artifact / "reference.npz").texts + [line.split("\t")[0] for line in lines]


@pytest.fixture(name="expected", scope="session")
def expected_answers(artifact: Path, texts: list[str]) -> list[Answer]:
    """What `int8` answers to each text alone; the graph that takes texts answers so, too."""
    return answers(artifact, "onnx/model_quantized.onnx", texts)


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


def singly(connect: Callable[[], Callable[[list[str]], Answer]]) -> Callable[[], Ask]:
    """Return a connection of one text a request, of one that answers some texts."""

    def opened() -> Ask:
        ask = connect()

        def one(text: str) -> Answer:
            found = ask([text])
            return Answer(found.probabilities[0], found.decisions[0])

        return one

    return opened
