"""The tokenizers' times: who encodes what, in turns, and that the first round is dropped."""

from __future__ import annotations

import pytest

from bench.measure import tokenizer_speed


def test_all_encode_the_same_texts_in_batches(monkeypatch):
    monkeypatch.setattr("core.timing.IDLE_SECONDS", 0)
    monkeypatch.setattr(tokenizer_speed, "_ROUNDS", 2)
    monkeypatch.setattr(tokenizer_speed, "_TEXTS", {1: 2, 32: 40})
    # Looked at before and after a turn: the first round's two turns take a second, the others 1, 2, 3, 4 ms.
    took = [1.0, 1.0, 0.001, 0.002, 0.003, 0.004]
    clock = iter([moment for seconds in took * 2 for moment in (0.0, seconds)])
    monkeypatch.setattr(tokenizer_speed.time, "perf_counter", lambda: next(clock))
    calls = []

    def encode(name):
        return lambda batch: calls.append((name, list(batch)))

    texts = [str(number) for number in range(50)]
    times = tokenizer_speed.measure({name: encode(name) for name in ("graph", "rust")}, texts)
    assert calls[:4] == [("graph", ["0"]), ("graph", ["1"]), ("rust", ["0"]), ("rust", ["1"])]
    assert calls[-2:] == [("rust", texts[:32]), ("rust", texts[32:40])]
    assert list(times) == [1, 32]
    # Rust is first in the second round: it takes 1 and 4 ms, the graph 2 and 3 ms.
    assert times[1]["rust"].low == pytest.approx(500)
    assert times[1]["graph"].high == pytest.approx(1500)
    assert times[32]["rust"].median == pytest.approx((1000 * 4000) ** 0.5 / 40)
