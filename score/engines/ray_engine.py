"""Score windows on many machines: the same windows and the same scorer, in Ray Data on a pool of actors.

A row of the dataset is a whole window, so that Ray neither splits nor joins them, and the answers are those
of one machine to the last bit. Ray schedules, holds readers back while actors are busy, and runs the window
of an actor that died again. Inputs lie where every node reads them; answers come back in order to the
driver, which writes the output and keeps the finished segments as it does for one machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from core.errors import ScoreError, ToolchainError
from score.engines import local, parcel
from score.engines.local import Columns
from score.input.corpus import Corpus, File
from score.input.files import STDIN
from score.options import Options
from score.scorer import Scorer

# A reader needs little, and must find room beside an actor on a node of one core.
_ACTOR_CPUS = 0.9
_READER_CPUS = 0.1
_PACKAGES = ("core", "score")
_WINDOW = "window"


def row(table: pa.Table) -> pa.Table:
    """Return a dataset's row that holds a whole table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.table({_WINDOW: pa.array([sink.getvalue().to_pybytes()], pa.large_binary())})


def _tables(rows: pa.Table) -> Iterator[pa.Table]:
    for value in rows.column(_WINDOW):
        with pa.ipc.open_stream(value.as_buffer()) as reader:
            yield reader.read_all()


class _Windows(Datasource):  # type: ignore[misc]
    """Reads a file in a task, which yields a window a block."""

    def __init__(self, corpus: Corpus, pending: list[tuple[File, int]]) -> None:
        super().__init__()
        self._corpus, self._pending = corpus, pending

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        corpus = self._corpus

        def task(file: File, skip: int) -> ReadTask:
            metadata = BlockMetadata(
                num_rows=None, size_bytes=None, input_files=[str(file.path)], exec_stats=None
            )
            return ReadTask(lambda: map(row, corpus.file_windows(file, skip)), metadata)

        return [task(file, skip) for file, skip in self._pending]


class _Actor:
    """A scorer of one thread, on whichever node it lies."""

    def __init__(self, shipped: Any, variant: str, text_column: str, columns: tuple[bool, str]) -> None:
        # Tokenizing takes no core from a neighbour.
        os.environ["RAYON_NUM_THREADS"] = "1"
        self._scorer = Scorer(parcel.unpack(ray.get(shipped[0])), variant)
        self._columns = Columns(self._scorer.labels, *columns)
        self._text_column = text_column

    def __call__(self, rows: pa.Table) -> pa.Table:
        scored = local.score(_tables(rows), self._scorer, self._columns, self._text_column, 1)
        return pa.concat_tables([row(table) for table in scored])


def _connect(address: str | None) -> None:
    """Join a cluster, with this code; or start a local one.

    Raises:
        ScoreError: there is none at the address.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    here = Path(__file__).parent.parent.parent
    modules = {"py_modules": [str(here / name) for name in _PACKAGES]} if address else None
    try:
        ray.init(address=address, runtime_env=modules, log_to_driver=False, logging_level="warning")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ScoreError(f"--address {address}: no Ray cluster to join: {error}") from error


def _reason(error: BaseException) -> str:
    """Return what went wrong on a node, without Ray's traces."""
    cause: BaseException | None = error
    while cause is not None:
        # Ray's own error is of the cause's class, too, and its text is the trace.
        if isinstance(cause, ToolchainError) and not isinstance(cause, ray.exceptions.RayError):
            # Ray adds advice below.
            return str(cause).splitlines()[0]
        cause = getattr(cause, "cause", None) or cause.__cause__
    return f"--engine ray: {str(error).strip().splitlines()[-1]}"


def _dataset(options: Options, corpus: Corpus, columns: Columns, pending: list[tuple[File, int]]) -> Any:
    context = ray.data.DataContext.get_current()
    # Below any window's size: each is a block.
    context.target_max_block_size = 1
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    actors = options.threads or max(int(ray.cluster_resources().get("CPU", 1)), 1)
    rows = ray.data.read_datasource(
        _Windows(corpus, pending),
        override_num_blocks=len(pending),
        num_cpus=_READER_CPUS,
    )
    # In a list, the reference itself is what travels; each node fetches the files once.
    shipped = [ray.put(parcel.pack(options.artifact, options.variant))]
    return rows.map_batches(
        _Actor,
        fn_constructor_args=(
            shipped,
            options.variant,
            options.text_column,
            (columns.probabilities, columns.prefix),
        ),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=_ACTOR_CPUS,
        compute=ray.data.ActorPoolStrategy(size=actors),
    )


def score(options: Options, corpus: Corpus, columns: Columns, skip: int) -> Iterator[pa.Table]:
    """Yield the windows after the first `skip` rows in order, scored.

    Raises:
        ScoreError: the input is standard input, no cluster is there, or a node fails for good.
        ArtifactError: the artifact is not what its manifest says.
    """
    if options.input == STDIN:
        raise ScoreError("--engine ray: standard input cannot be read on every node; give files")
    pending = list(corpus.pending(skip))
    if not pending:
        return
    joined = not ray.is_initialized()
    if joined:
        _connect(options.address)
    try:
        dataset = _dataset(options, corpus, columns, pending)
        for rows in dataset.iter_batches(batch_size=1, batch_format="pyarrow"):
            yield from _tables(rows)
    except ray.exceptions.RayError as error:
        raise ScoreError(_reason(error)) from error
    finally:
        if joined:
            ray.shutdown()
