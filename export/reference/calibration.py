"""Calibration: the token ids on which a quantization is chosen, and those on which it is judged."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer

from core.data.data_set import DataSet
from export.encoder import checkpoint
from export.reference import answers

TEXTS_FILE = "calibration_texts.json"
_TRAIN_TEXTS = 3000
# Texts of one sentence end at 50 tokens; joined ones show the later positions.
_JOINED_TEXTS = 16


def _joined(ids: list[list[int]], max_length: int) -> list[list[int]]:
    """Join texts to a few long ones: lengths from a sixteenth of the limit to the limit."""
    stream = [token for row in ids for token in row[1:-1]]
    first, last = ids[0][0], ids[0][-1]
    rows, start = [], 0
    for number in range(1, _JOINED_TEXTS + 1):
        length = max_length * number // _JOINED_TEXTS - 2
        rows.append([first, *stream[start : start + length], last])
        start += length
    return [row for row in rows if len(row) > 2]


def _reference_texts(data: DataSet | None) -> list[str]:
    own = data.reference() if data else None
    return own[0] if own else answers.texts()


def build(tokenizer: Tokenizer, max_length: int, data: DataSet | None) -> dict[str, np.ndarray]:
    """Take every n-th text of the data's train split, with the fixed list of general texts; dev is held out.

    Without data at hand: three of four texts of the list, held out the fourth. The reference's texts, on
    which the build is gated, are held out in any case.

    Returns:
        The arrays of a calibration file: `calibration`, `held_out` and `reference` int32 (all texts'
        ids, one after another), `…_lengths` int32, `source` and `held_out_source` (UTF-8 bytes).
    """
    listed = answers.texts(TEXTS_FILE)
    if data is not None and data.at_hand("train", "dev"):
        train = data.read("train").texts
        chosen = train[:: max(1, len(train) // _TRAIN_TEXTS)][:_TRAIN_TEXTS]
        held_out = data.read("dev").texts
        source = f"{len(chosen)} texts of {data.title} train and {len(listed)} general texts"
        held_out_source = f"{len(held_out)} texts of {data.title} dev"
        chosen += listed
    else:
        chosen = [text for number, text in enumerate(listed) if number % 4]
        held_out = listed[::4]
        source = f"{len(chosen)} general texts, not of the classifier's own kind"
        held_out_source = f"{len(held_out)} other general texts"
    encoded = checkpoint.encode(tokenizer, chosen)
    encoded += _joined(encoded, max_length)
    arrays = {
        "source": np.frombuffer(source.encode(), np.uint8),
        "held_out_source": np.frombuffer(held_out_source.encode(), np.uint8),
    }
    rows_of = {
        "calibration": encoded,
        "held_out": checkpoint.encode(tokenizer, held_out),
        "reference": checkpoint.encode(tokenizer, _reference_texts(data)),
    }
    for name, rows in rows_of.items():
        arrays[name], arrays[f"{name}_lengths"] = answers.joined(rows)
    return arrays


def ids(arrays: dict[str, np.ndarray]) -> list[list[int]]:
    """Return the token ids that a calibration file has to calibrate on."""
    stream, ends = arrays["calibration"], np.cumsum(arrays["calibration_lengths"])[:-1]
    return [row.tolist() for row in np.split(stream, ends)]
