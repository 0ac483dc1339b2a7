"""Calibration: the token ids on which a quantization is chosen, and those on which it is judged."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from export import dataset, reference, tokens

TEXTS_FILE = "calibration_texts.json"
_TRAIN_TEXTS = 3000
_HELD_OUT_TEXTS = 2000
# GoEmotions texts end at 50 tokens; joined ones show the later positions.
_JOINED_TEXTS = 16


def texts() -> list[str]:
    """Return the fixed list, for where GoEmotions is not at hand."""
    listed: list[str] = json.loads(resources.files("export").joinpath(TEXTS_FILE).read_text("utf-8"))
    return listed


def _joined(ids: list[list[int]], max_length: int) -> list[list[int]]:
    """Join texts to a few long ones: lengths from a sixteenth of the limit to the limit."""
    stream = [token for row in ids for token in row[1:-1]]
    first, last = ids[0][0], ids[0][-1]
    found = []
    start = 0
    for number in range(_JOINED_TEXTS):
        length = max_length * (number + 1) // _JOINED_TEXTS - 2
        found.append([first, *stream[start : start + length], last])
        start += length
    return [row for row in found if len(row) > 2]


def build(tokenizer: Tokenizer, max_length: int, cache: Path) -> dict[str, np.ndarray]:
    """Take every n-th text of GoEmotions train where it is at hand, and held-out ones of dev.

    Where it is not: the fixed list, held out from it every fourth text, and the reference's texts.

    Returns:
        The arrays of a calibration file: `calibration` and `held_out` int32 (all texts' ids, one
        after another), `calibration_lengths` and `held_out_lengths` int32, `source` (UTF-8 bytes).
    """
    if dataset.present("train", cache) and dataset.present("dev", cache):
        train = dataset.read("train", cache).texts
        chosen = train[:: max(1, len(train) // _TRAIN_TEXTS)][:_TRAIN_TEXTS]
        held_out = dataset.read("dev", cache).texts[:_HELD_OUT_TEXTS]
        source = f"{len(chosen)} texts of GoEmotions train, held out: {len(held_out)} of dev"
    else:
        listed = texts()
        chosen = [text for number, text in enumerate(listed) if number % 4]
        held_out = [*listed[::4], *reference.texts()]
        source = f"{len(chosen)} texts of export/{TEXTS_FILE}, held out: {len(held_out)} others"
    ids = tokens.encode(tokenizer, chosen)
    ids += _joined(ids, max_length)
    arrays = {"source": np.frombuffer(source.encode(), np.uint8)}
    for name, rows in (("calibration", ids), ("held_out", tokens.encode(tokenizer, held_out))):
        arrays[name] = np.array([token for row in rows for token in row], np.int32)
        arrays[f"{name}_lengths"] = np.array([len(row) for row in rows], np.int32)
    return arrays
