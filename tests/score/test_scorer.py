"""Batches by tokens, duplicates once, and the answers of one text at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.build.reference import read
from score.engines import local
from score.engines.local import Columns
from score.input import corpus
from score.job import run
from score.options import Options
from score.scorer import Scorer, batches


@given(st.lists(st.integers(1, 600), max_size=200))
def test_batches_hold_every_text_once_within_the_budget(lengths):
    found = batches(lengths, 512)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= 512
    longest = [lengths[batch[0]] for batch in found]
    assert longest == sorted(longest, reverse=True)


def test_duplicates_of_a_window_are_scored_once(tiny):
    scorer = Scorer(tiny, "fp32")
    seen = []
    ran = scorer.run
    scorer.run = lambda ids: seen.extend(map(tuple, ids)) or ran(ids)
    column = ["a", "b", "a", None, "a", "b", None] * 30
    columns = Columns(scorer.labels, True)
    (found,) = local.score(iter([pa.table({"text": column})]), scorer, columns, "text", 2)
    assert len(seen) == len(set(seen)) == 2
    assert found.column("text").to_pylist() == column
    assert found.column("labels").to_pylist() == found.column("labels").to_pylist()[:7] * 30


@pytest.mark.parametrize("rows_a_table", [1, 7, 1000])
def test_windows_depend_on_the_rows_alone(monkeypatch, rows_a_table):
    monkeypatch.setattr(corpus, "WINDOW_ROWS", 50)
    monkeypatch.setattr(corpus, "WINDOW_BYTES", 300)
    texts = [None if n % 11 == 0 else "x" * (n * 7 % 90) for n in range(400)]
    table = pa.table({"text": texts, "n": list(range(400))})

    def cut(skip):
        slices = (table.slice(start, rows_a_table) for start in range(0, 400, rows_a_table))
        return [w.column("n").to_pylist() for w in corpus.windows(slices, skip, "text")]

    whole = cut(0)
    assert [n for window in whole for n in window] == list(range(400))
    for window in whole[:-1]:
        size = sum(len(texts[n] or "") for n in window)
        assert len(window) == 50 or size >= 300
        assert len(window) <= 50
        assert size - len(texts[window[-1]] or "") < 300
    assert len(whole) > 5
    assert cut(sum(map(len, whole[:3]))) == whole[3:]


@pytest.mark.parametrize("variant", ["int8", "fp32", "guarded"])
def test_the_artifact_says_what_it_says_of_one_text_at_a_time(artifact, tmp_path, variant):
    texts = read(artifact / "reference.npz").texts
    order = np.random.default_rng(0).permutation(np.arange(len(texts)).repeat(3))
    column = [texts[index] for index in order]
    pq.write_table(pa.table({"text": column}), tmp_path / "in.parquet")
    run(Options(artifact, str(tmp_path / "in.parquet"), tmp_path / "out.parquet", "text", True, variant))
    found = pq.read_table(tmp_path / "out.parquet")
    scorer = Scorer(artifact, variant)
    alone = [scorer.run([scorer.encode([text]).ids[0]]) for text in texts]
    names = scorer.labels
    probabilities = np.stack([found.column(name).to_numpy() for name in names], axis=1)
    expected = np.concatenate([answers.probabilities for answers in alone])[order]
    assert np.abs(probabilities - expected).max() <= 1e-6
    decided = [[n for n, yes in zip(names, answers.predictions[0], strict=True) if yes] for answers in alone]
    assert found.column("labels").to_pylist() == [decided[index] for index in order]
