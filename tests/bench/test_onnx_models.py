"""A batch that is divided: where it is cut, and that its answers are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from bench.contenders import onnx_models
from core import runtime


@pytest.mark.parametrize(
    ("lengths", "parts", "expected"),
    [
        ([4], 2, [[4]]),
        ([3, 3, 3, 3], 2, [[3, 3], [3, 3]]),
        ([9, 1, 1, 1], 2, [[9], [1, 1, 1]]),
        ([1, 1, 1, 9], 2, [[1, 1, 1, 9]]),
        ([2, 2, 2], 3, [[2], [2], [2]]),
    ],
)
def test_a_batch_is_cut_where_half_of_its_tokens_are(lengths, parts, expected):
    cut = onnx_models.divide([[7] * length for length in lengths], parts)
    assert [[len(text) for text in part] for part in cut] == expected


def test_divided_answers_are_those_of_the_whole_by_one_thread_each(tiny_build, monkeypatch):
    opened = []
    real = runtime.open_session

    def open_session(file, *, threads):
        opened.append(threads)
        return real(file, threads=threads)

    monkeypatch.setattr(runtime, "open_session", open_session)
    build = tiny_build.folder / "build"
    whole, divided = (
        onnx_models.graph(build, build / "model_quantized.onnx", 2, divided=divided)
        for divided in (False, True)
    )
    assert opened == [2, 1]
    ids = [[2, *range(10, 10 + length), 3] for length in (1, 4, 2, 7, 3)]
    np.testing.assert_array_equal(divided.run(ids), whole.run(ids))
    np.testing.assert_array_equal(divided.run(ids[:1]), whole.run(ids[:1]))
