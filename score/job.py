"""Run a job from end to end: survey the corpus, score its windows, keep finished segments, join them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc
import tokenizers

from core.artifact import manifest
from core.contract import TOOLCHAIN_VERSION
from core.errors import ScoreError
from score.engines import local
from score.engines.local import LABELS_COLUMN, TRUNCATED_COLUMN, Columns
from score.input.corpus import WINDOW_BYTES, WINDOW_ROWS, WINDOW_TOKENS, Corpus, survey
from score.input.unchanged import Inputs
from score.options import Options
from score.output import fits
from score.output.segments import Segments
from score.output.stream import Stream
from score.scorer import BATCH_TOKENS, Scorer

# Called with the rows that are done and all rows, None where their number is unknown.
Advance = Callable[[int, int | None], object]


@dataclass
class Summary:
    """What a run did; `rows` are all of the output's, `scored` those of this run, in `seconds`.

    `replaced` counts the input's texts with bytes that are not UTF-8, `skipped` files that are no input.
    """

    rows: int = 0
    scored: int = 0
    null: int = 0
    truncated: int = 0
    replaced: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def add(self, table: pa.Table, prefix: str) -> None:
        """Count a scored window."""
        self.rows += len(table)
        self.scored += len(table)
        self.null += table.column(prefix + LABELS_COLUMN).null_count
        self.truncated += pc.sum(table.column(prefix + TRUNCATED_COLUMN)).as_py() or 0


def _identity(options: Options, answering: dict[str, str], inputs: Inputs | None) -> dict[str, Any]:
    """Return everything that shapes the output's bytes; `answering` has the hashes of what answers."""
    libraries = {"onnxruntime": onnxruntime.__version__, "tokenizers": tokenizers.__version__}
    return {
        "artifact": answering,
        "variant": options.variant,
        "input": inputs.identity() if inputs else "standard input",
        "text_column": options.text_column,
        "probabilities": options.probabilities,
        "prefix": options.prefix,
        "delimiter": options.between,
        "windows": [WINDOW_ROWS, WINDOW_BYTES, WINDOW_TOKENS, BATCH_TOKENS],
        "versions": {"toolchain": TOOLCHAIN_VERSION, **libraries},
    }


def _scored(
    options: Options, corpus: Corpus, scorer: Scorer, columns: Columns, skip: int
) -> Iterator[pa.Table]:
    if options.engine == "ray":
        try:
            # An extra, and seconds to import.
            from score.engines import ray_engine
        except ModuleNotFoundError as error:
            raise ScoreError(f"--engine ray: {error}; install the extra: pip install '.[ray]'") from error
        return ray_engine.score(options, corpus, columns, skip)
    return local.score(corpus.windows(skip), scorer, columns, options.text_column, options.callers)


def _check_inputs(inputs: Inputs | None) -> None:
    if inputs is not None:
        inputs.check()


def _check_output(options: Options, corpus: Corpus) -> None:
    if options.is_streamed:
        return
    output = options.output.resolve()
    if output in {file.path.resolve() for file in corpus.files}:
        raise ScoreError(f"{options.output}: is the input, too; expected another file")
    # A resumed run would take the segments beside it for input.
    if Path(options.input).is_dir() and output.is_relative_to(Path(options.input).resolve()):
        raise ScoreError(
            f"{options.output}: lies in the input folder {options.input}, expected another place"
        )


class _Commits:
    """When finished work is kept: before the next window would take longer than a kill may cost."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._slowest = seconds, 0.0
        self._window = self._kept = time.monotonic()

    def is_due(self) -> bool:
        """Whether to keep what there is, now that a window is done."""
        now = time.monotonic()
        self._slowest, self._window = max(self._slowest, now - self._window), now
        # Windows of one cost take times that differ.
        return now - self._kept + 2 * self._slowest >= self._seconds

    def kept(self) -> None:
        """Begin anew."""
        self._kept = time.monotonic()


def _write(
    options: Options, inputs: Inputs | None, tables: Iterator[pa.Table], output: Segments | Stream
) -> Iterator[pa.Table]:
    """Write scored windows and yield them; keep what is finished now and then."""
    commits = _Commits(options.checkpoint_seconds)
    for table in tables:
        output.append(table)
        if commits.is_due():
            # What is kept was read from what the list says.
            _check_inputs(inputs)
            output.commit()
            commits.kept()
        yield table


def run(options: Options, advance: Advance = lambda done, total: None) -> Summary:
    """Score `options.input` into `options.output`.

    Raises:
        ScoreError: the input, the output or an option is not one that can be used.
        ArtifactError: the artifact cannot be read.
        BrokenPipeError: whoever reads standard output has ended.
    """
    options.check()
    form = options.form
    answering = manifest.check_files(options.artifact, options.answering)
    scorer = Scorer(options.artifact, options.variant)
    columns = Columns(scorer.labels, options.probabilities, options.prefix)
    corpus = survey(options.input, options.text_column, form.kind, options.between)
    _check_output(options, corpus)
    columns.check(corpus.names)
    replaced = corpus.replaced + fits.check(corpus, form)
    inputs = Inputs([file.path for file in corpus.files]) if corpus.rows is not None else None
    identity, schema = _identity(options, answering, inputs), columns.schema(corpus.schema)
    segments = (
        Stream(form, schema) if options.is_streamed else Segments(options.output, form, identity, schema)
    )
    try:
        segments.open(options.resume)
        summary = Summary(segments.rows, replaced=replaced, skipped=corpus.skipped)
        advance(summary.rows, corpus.rows)
        start = time.monotonic()
        scored = _scored(options, corpus, scorer, columns, segments.rows)
        for table in _write(options, inputs, scored, segments):
            summary.add(table, options.prefix)
            advance(summary.rows, corpus.rows)
        if corpus.rows not in (None, summary.rows):
            raise ScoreError(
                f"{summary.rows} rows were scored, expected {corpus.rows}: the input changed meanwhile"
            )
        _check_inputs(inputs)
        segments.finish()
        summary.seconds = time.monotonic() - start
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ScoreError(f"{options.output}: cannot be written: {error}") from error
    finally:
        segments.close()
    if corpus.standard_input is not None:
        summary.replaced = corpus.standard_input.replaced
    return summary
