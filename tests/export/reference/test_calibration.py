"""The texts that a quantization is chosen and judged on."""

from __future__ import annotations

import numpy as np
import pytest

from export.encoder import checkpoint
from export.reference import answers, calibration
from tests.support import recipes
from tests.support.factories import SPECIAL, Shape, write_checkpoint


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    write_checkpoint(folder, Shape(layers=1), "cls")
    return checkpoint.load_tokenizer(folder / "tokenizer.json", 64)


def rows(arrays, name):
    return np.split(arrays[name], np.cumsum(arrays[f"{name}_lengths"])[:-1])


def test_the_list_where_there_is_no_data_set(tokenizer):
    arrays = calibration.build(tokenizer, 64, None)
    listed = answers.texts(calibration.TEXTS_FILE)
    held_out = checkpoint.encode(tokenizer, listed[::4])
    assert [row.tolist() for row in rows(arrays, "held_out")] == held_out
    used = [row.tolist() for row in rows(arrays, "calibration")]
    assert used[:3] == checkpoint.encode(tokenizer, listed[1:4])
    assert [row.tolist() for row in rows(arrays, "reference")] == checkpoint.encode(
        tokenizer, answers.texts()
    )
    joined = used[len(listed) - len(held_out) :]
    start, end = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
    assert all((row[0], row[-1]) == (start, end) for row in joined)
    assert max(map(len, joined)) == 64
    assert arrays["source"].tobytes().decode() == (
        f"{len(listed) - len(held_out)} general texts, not of the classifier's own kind"
    )


def test_no_text_is_on_both_sides():
    listed = answers.texts(calibration.TEXTS_FILE)
    assert len(set(listed)) == len(listed) > 300
    assert not set(listed) & set(answers.texts())


def test_go_emotions_where_it_is_at_hand(tokenizer, tmp_path, go_emotions):
    data = recipes.go_emotions(tmp_path)
    arrays = calibration.build(tokenizer, 64, data)
    dev = data.read("dev").texts
    assert [row.tolist() for row in rows(arrays, "held_out")] == checkpoint.encode(tokenizer, dev)
    assert arrays["source"].tobytes().decode().startswith("3000 texts of GoEmotions train and ")
    assert arrays["held_out_source"].tobytes().decode() == f"{len(dev)} texts of GoEmotions dev"
