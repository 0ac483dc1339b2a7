"""What the contenders run: test texts in their order, and texts of wanted lengths."""

from __future__ import annotations

import pytest

from bench.measure import texts
from core.errors import BenchmarkError

IDS = [[2, *range(10, 10 + n), 3] for n in (1, 4, 2, 7, 3)]


def test_texts_are_taken_in_their_natural_order_and_from_the_start_again():
    assert texts.slices(IDS, 2, 4) == [IDS[:2], IDS[2:4], [IDS[4], IDS[0]], IDS[1:3]]
    assert texts.batches(IDS, 2) == [IDS[:2], IDS[2:4], IDS[4:]]
    for count, rounds in ((0, 1), (1, 0)):
        with pytest.raises(BenchmarkError, match="expected at least one of each"):
            texts.slices(IDS, count, rounds)


def test_texts_are_joined_and_cut_to_length():
    joined = texts.of_lengths(IDS, [5, 2, 9])
    assert joined == [[2, 10, 10, 11, 3], [2, 3], [2, 12, 13, 10, 11, 10, 11, 12, 3]]
    with pytest.raises(BenchmarkError, match="cannot make texts"):
        texts.of_lengths([[2, 3]], [4])


def test_the_sweeps_hold_what_they_say():
    lengths = texts.by_length(IDS, 64)
    assert list(lengths) == [8, 16, 32, 64]
    for length, batches in lengths.items():
        assert {len(row) for batch in batches for row in batch} == {length}
        assert {len(batch) for batch in batches} == {8}
    sizes = texts.by_size(IDS, 512)
    assert list(sizes) == [1, 2, 4, 8, 16, 32, 64, 128]
    blocks = []
    for size, batches in sizes.items():
        assert {len(batch) for batch in batches} == {size}
        rows = [len(row) for batch in batches for row in batch]
        blocks += [rows[start : start + 32] for start in range(0, len(rows), 32)]
    assert all(sorted(block) == sorted(blocks[0]) for block in blocks)
    assert (min(blocks[0]), max(blocks[0])) == (4, 128)
    assert blocks[-1] != blocks[-2]
    assert max(max(map(len, batch)) for batch in texts.by_size(IDS, 64)[32]) == 64
