"""`kill -9` at random moments of a run with long texts, as `--checkpoint-seconds` has it by default."""

from __future__ import annotations

import os

import pytest

from bench.bulk import process
from bench.bulk.measurements import write_texts
from core.build import reference
from score.options import Options

pytestmark = pytest.mark.kill

KILLS = int(os.environ.get("KILLS", 10))
# Longer than the encoder takes; this many take some two minutes on two CPUs.
ROWS = int(os.environ.get("ROWS", 2_000))
WORDS = 800


def test_no_row_is_lost_or_doubled_and_a_kill_costs_at_most_half_a_minute(artifact, tmp_path, capsys):
    words = " ".join(reference.read(artifact / "reference.npz").texts).split()
    texts = [" ".join(words[(31 * n + k) % len(words)] for k in range(WORDS)) for n in range(ROWS)]
    given = write_texts(tmp_path / "in.parquet", texts)
    found = process.kills(Options(artifact, str(given), tmp_path / "out.parquet"), KILLS)
    with capsys.disabled():
        print(f"\n{found}")
    assert found["kills"] == KILLS
    assert found["same_bytes"] == found["finished"] >= 1
    # Else a kill could cost no more than that.
    assert found["seconds"] > 60
    assert max(found["lost_seconds"]) <= 30
