"""A run from end to end: look, score, keep what is done, join."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.artifact.graph import try_out
from core.contract import VARIANT_FILES
from core.disk.files import sha256_file
from core.errors import ScoreError
from score.engines import local
from score.input.survey import Source, kind, survey
from score.input.windows import WINDOW_BYTES, WINDOW_ROWS
from score.options import MANIFEST_FILE, Options
from score.output.columns import LABELS_COLUMN, TRUNCATED_COLUMN, Columns
from score.output.parts import Parts
from score.scorer import BATCH_TOKENS, Scorer

# Told of the rows that are done and of all rows, None where nobody knows.
Advance = Callable[[int, int | None], object]


@dataclass
class Summary:
    """What a run did; `rows` are all of the output's, `scored` those of this run, in `seconds`."""

    rows: int = 0
    scored: int = 0
    null: int = 0
    truncated: int = 0
    seconds: float = 0.0


def _identity(options: Options, source: Source, columns: Columns) -> dict[str, Any]:
    """Return all that shapes the output's bytes."""
    return {
        "artifact": sha256_file(options.artifact / MANIFEST_FILE),
        "variant": options.variant,
        "input": source.identity() if source.rows is not None else "standard input",
        "text_column": options.text_column,
        "probabilities": columns.probabilities,
        "windows": [WINDOW_ROWS, WINDOW_BYTES, BATCH_TOKENS],
    }


def _scored(
    options: Options, source: Source, scorer: Scorer, columns: Columns, skip: int
) -> Iterator[pa.Table]:
    if options.engine == "ray":
        try:
            # An extra, and seconds to import.
            from score.engines import ray_engine
        except ModuleNotFoundError as error:
            raise ScoreError(f"--engine ray: {error}; install the extra: pip install '.[ray]'") from error
        return ray_engine.score(options, source, columns, skip)
    return local.score(source.windows(skip), scorer, columns, options.text_column, options.callers)


def _tell(summary: Summary, table: pa.Table) -> None:
    summary.scored += len(table)
    summary.null += table.column(LABELS_COLUMN).null_count
    summary.truncated += pc.sum(table.column(TRUNCATED_COLUMN)).as_py() or 0


def run(options: Options, advance: Advance = lambda done, total: None) -> Summary:
    """Score `options.input` into `options.output`.

    Raises:
        ScoreError: the input, the output or an option is not one that can be used.
        ArtifactError: the artifact cannot be read.
    """
    options.check()
    output_kind = kind(options.output)
    source = survey(options.input, options.text_column)
    _check_apart(options, source)
    try_out(options.artifact / VARIANT_FILES[options.variant])
    scorer = Scorer(options.artifact, options.variant)
    columns = Columns(scorer.labels, options.probabilities)
    parts = Parts(
        options.output, output_kind, _identity(options, source, columns), columns.schema(source.schema)
    )
    summary = Summary()
    try:
        parts.open(options.resume)
        summary.rows = parts.rows
        advance(summary.rows, source.rows)
        start = committed = time.monotonic()
        for table in _scored(options, source, scorer, columns, parts.rows):
            parts.append(table)
            _tell(summary, table)
            summary.rows += len(table)
            if time.monotonic() - committed >= options.checkpoint_seconds:
                parts.commit()
                committed = time.monotonic()
            advance(summary.rows, source.rows)
        _check_count(source, summary)
        parts.finish()
        summary.seconds = time.monotonic() - start
    except OSError as error:
        raise ScoreError(f"{options.output}: cannot be written: {error}") from error
    finally:
        parts.close()
    return summary


def _check_apart(options: Options, source: Source) -> None:
    output = options.output.resolve()
    if output in {file.path.resolve() for file in source.files}:
        raise ScoreError(f"{options.output}: is the input, too; expected another file")
    # A resumed run would take the parts beside it for input.
    if Path(options.input).is_dir() and output.is_relative_to(Path(options.input).resolve()):
        raise ScoreError(
            f"{options.output}: lies in the input folder {options.input}, expected another place"
        )


def _check_count(source: Source, summary: Summary) -> None:
    if source.rows not in (None, summary.rows):
        raise ScoreError(
            f"{summary.rows} rows were scored, expected {source.rows}: the input changed meanwhile"
        )
