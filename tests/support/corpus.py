"""A corpus of several windows, in two files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 40_000


def write(folder: Path) -> None:
    """Write five windows and the rest; few distinct texts, so that a window takes a second."""
    texts = [f"I love number {n}, " + "and why not " * (n % 7) for n in range(300)]
    odd = [None, "", "too long " * 1000]
    rows = [odd[n % 1000] if n % 1000 < 3 else texts[n * 7919 % 300] for n in range(ROWS)]
    for name, part in (("a", slice(0, 9_000)), ("b", slice(9_000, ROWS))):
        table = pa.table({"n": list(range(ROWS))[part], "text": rows[part]})
        pq.write_table(table, folder / f"{name}.parquet")
