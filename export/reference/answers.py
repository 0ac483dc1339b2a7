"""The reference: what the original pair says of a fixed list of texts.

The torch encoder in float32, each text alone (no padding), then the published head as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from core.build.facts import EncoderInfo
from core.contract import SINGLE_LABEL
from core.decisions import log_odds, log_probabilities
from core.disk.files import replacing
from core.errors import ArtifactError
from core.untrusted import json_file
from export.encoder import checkpoint, torch_encoder
from export.head.published_head import Head

TEXTS_FILE = "reference_texts.json"


def texts(file: str = TEXTS_FILE) -> list[str]:
    """Return a fixed list; the reference's has lengths 1 to over 512 tokens, scripts, emoji, punctuation."""
    content = resources.files("export.reference").joinpath(file).read_bytes()
    listed: list[str] = json_file.loads(content, file, ArtifactError)
    return listed


def joined(ids: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of all texts, one after another, and the texts' lengths, int32 both."""
    stream = np.array([token for row in ids for token in row], np.int32)
    return stream, np.array([len(row) for row in ids], np.int32)


def build(
    folder: Path,
    info: EncoderInfo,
    head: Head,
    tokenizer: Tokenizer,
    listed: Sequence[str],
    source: str | None = None,
    dense: torch.nn.Sequential | None = None,
) -> dict[str, np.ndarray]:
    """Run the original pair.

    Args:
        listed: the texts.
        source: what they are; None for the general ones.
        dense: the layers before the normalization, where the checkpoint has some.

    Returns:
        The arrays of a reference file: `texts` and `labels` (JSON, as UTF-8 bytes), `input_ids`
        int32 (all texts, one after another), `lengths` int32 `[n]`, `logits` and `probabilities`
        float32 `[n, labels]`, `thresholds` float64 `[labels]`, `problem_type`, `encoder_sha256`,
        `head_sha256`, and `source` where one is given.
    """
    ids = checkpoint.encode(tokenizer, listed)
    embeddings = torch_encoder.embed(torch_encoder.load(folder), info, ids, batch_size=1, dense=dense)
    negative, positive = head.run(embeddings)
    single = head.info.problem_type == SINGLE_LABEL
    logits = log_probabilities(positive) if single else log_odds(negative, positive)
    stream, lengths = joined(ids)
    return {
        "texts": _bytes(json.dumps(list(listed), ensure_ascii=False)),
        "labels": _bytes(json.dumps(head.info.labels, ensure_ascii=False)),
        "input_ids": stream,
        "lengths": lengths,
        "logits": logits.astype(np.float32),
        "probabilities": positive.astype(np.float32),
        "thresholds": np.array([head.info.thresholds[label] for label in head.info.labels]),
        "problem_type": _bytes(head.info.problem_type),
        "encoder_sha256": _bytes(info.weights_sha256),
        "head_sha256": _bytes(head.info.model_sha256),
        **({"source": _bytes(source)} if source else {}),
    }


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), np.uint8)


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a reference file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
