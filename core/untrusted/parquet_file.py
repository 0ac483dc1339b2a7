"""Read columns of an untrusted Parquet file, row by row. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.regular_file import naming

_BATCH_ROWS = 4096


def rows(path: Path, wanted: Container[str], error: type[ToolchainError]) -> Iterator[dict[str | int, Any]]:
    """Yield each row's values, of the wanted columns that are there.

    Raises:
        error: it is no Parquet file, is damaged, or pyarrow is not installed.
    """
    regular_file.check(path, limits.DATA_BYTES, error)
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as missing:
        raise error(f"{path}: pyarrow is needed to read it, and is not installed") from missing
    causes = (ArrowException, OSError, ValueError, TypeError)
    # By its path: a file of the interpreter's would still be read by pyarrow's threads when that ends.
    with naming(path, error, "cannot be read as Parquet", *causes), parquet.ParquetFile(str(path)) as file:
        names = file.schema_arrow.names
        twice = sorted({name for name in names if names.count(name) > 1 and name in wanted})
        if twice:
            raise ValueError(f"column found twice: {twice[0]}")
        chosen = [name for name in names if name in wanted]
        for batch in file.iter_batches(_BATCH_ROWS, columns=chosen, use_threads=False):
            yield from batch.to_pylist() if chosen else ({} for _ in range(batch.num_rows))
