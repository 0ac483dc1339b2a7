"""Run a graph in onnxruntime: open a session, pad token ids, order texts by length."""

from __future__ import annotations

import core.telemetry  # noqa: F401

# isort: split
import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from core import cpu
from core.contract import ATTENTION_MASK, INPUT_IDS
from core.errors import ArtifactError, ToolchainError

Session: TypeAlias = onnxruntime.InferenceSession
TokenIds = Sequence[Sequence[int]]

# onnxruntime's log levels: errors, and nothing but what ends the process.
LOG_ERRORS, LOG_NOTHING = 3, 4
# onnxruntime_session_options_config_keys.h. Left out, a file ending in .ort, or bytes with an identifier
# inside, would be read in onnxruntime's own format, which nothing here has checked.
_FORMAT = "session.load_model_format"


def ran_on() -> dict[str, str]:
    """Return what figures of this process were measured on: the class of the CPU, onnxruntime's version."""
    return {"cpu": cpu.class_of(), "onnxruntime": onnxruntime.__version__}


def _is_utf8(path: Path) -> bool:
    """Whether onnxruntime takes a path: a name of other bytes, or any in the C locale, is none of its."""
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _give_back() -> None:
    """Return free memory in the midst of the heap to the system: malloc_trim(3), of glibc alone."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _threads() -> int:
    """Return how many threads OMP_NUM_THREADS allows an operator, as in torch; 0 where it says nothing."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(stated), cpu.usable_cpus()) if stated.isascii() and stated.isdigit() else 0


def open_session(
    model: Path | bytes,
    name: object = None,
    error: type[ToolchainError] = ArtifactError,
    *,
    threads: int = 0,
    log_severity: int = LOG_ERRORS,
    profile: Path | None = None,
    own_format: bool = False,
) -> Session:
    """Open a graph, a file or its bytes, on the CPU, and give the system back what loading it leaves free.

    A file must have been checked before (`core.untrusted`).

    Args:
        model: the path, or a serialized model.
        name: what a message calls it; left out, its path.
        error: what is raised.
        threads: how many work on one operator; 0 leaves their number to OMP_NUM_THREADS, or to onnxruntime.
        log_severity: the lowest level that is logged.
        profile: how the file of a profile begins, which `end_profiling` writes; left out, there is none.
        own_format: whether it is in onnxruntime's own format: only of what this process had made.

    Raises:
        error: onnxruntime does not load it.
    """
    if isinstance(model, Path) and not _is_utf8(model):
        name, model = name or model, model.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _threads()
    options.log_severity_level = log_severity
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    options.add_session_config_entry(_FORMAT, "ORT" if own_format else "ONNX")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as failure:  # onnxruntime's exceptions share no other base
        place = name or (model if isinstance(model, Path) else "a graph in memory")
        raise error(f"{place}: onnxruntime does not load it: {failure}") from failure
    _give_back()
    return session


def pad(ids: Sequence[Sequence[int] | NDArray[np.integer]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `input_ids` and `attention_mask`, int64 `[b, s]`, padded on the right with 0."""
    shape = (len(ids), max((len(row) for row in ids), default=0))
    input_ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for index, row in enumerate(ids):
        input_ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return input_ids, mask


def feeds(input_ids: NDArray[Any], mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return a graph's inputs by name."""
    return {INPUT_IDS: input_ids, ATTENTION_MASK: mask}


def by_length(lengths: Sequence[int], *, longest_first: bool = False) -> NDArray[np.intp]:
    """Return the indices of texts in order of length; texts of one length stay in their order."""
    keys = np.asarray(lengths, np.int64)
    return np.argsort(-keys if longest_first else keys, kind="stable")


def inverse(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return what brings answers that were computed in `order` back to the texts' own order."""
    return np.argsort(order, kind="stable")
