"""An untrusted graph, opened and run in a limited process, as onnxruntime's session is used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.errors import ToolchainError
from core.untrusted.limited import allowance
from core.untrusted.limited.frames import Value
from core.untrusted.limited.process import CallError, Process
from core.untrusted.regular_file import FIELD_ERRORS, naming

SERVICE = "core.untrusted.limited.graph_service"


class Tensor(NamedTuple):
    """An input or output: onnxruntime's name of its type; a size, a name or None an axis."""

    name: str
    type: str
    shape: list[int | str | None]


def _tensors(stated: Any) -> list[Tensor]:
    return [Tensor(str(name), str(kind), list(shape)) for name, kind, shape in stated]


class GraphSession:
    """A graph in a limited process, which any number of threads may run at the same time."""

    def __init__(self, place: object, error: type[ToolchainError]) -> None:
        """Start the process, which `open` waits for: what is checked meanwhile costs no time.

        Args:
            place: what a message begins with, the untrusted file's name.
            error: what is raised.

        Raises:
            error: no process can be started.
        """
        self._place, self._error = place, error
        self._process = Process(SERVICE, place, error)
        self._size = 0
        self._inputs: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self.metadata: dict[str, str] = {}

    @property
    def pid(self) -> int:
        """The process that runs the graph."""
        return self._process.pid

    def open(self, model: Path | bytes, threads: int = 0) -> None:
        """Open a graph that `onnx_file` has checked: a file, or its bytes.

        Args:
            threads: how many work on one operator, as in `runtime.open_session`.

        Raises:
            error: onnxruntime does not load it, not within the limits, or takes the process with it.
        """
        path, values = None, []
        if isinstance(model, Path):
            with naming(self._place, self._error, "cannot be read", OSError):
                self._size = model.stat().st_size
            path = list(os.fsencode(model.absolute()))
        else:
            self._size = len(model)
            values = [np.frombuffer(model, np.uint8)]
        allowed = allowance.opening(self._size)
        allowed = allowed._replace(memory=allowed.memory + sum(value.nbytes for value in values))
        try:
            told, _ = self._process.call("open", {"path": path, "threads": threads}, values, allowed)
        except CallError as failure:
            raise self._error(f"{self._place}: {failure}") from failure
        with naming(self._place, self._error, "onnxruntime describes it as something else", *FIELD_ERRORS):
            self._inputs, self._outputs = _tensors(told["inputs"]), _tensors(told["outputs"])
            self.metadata = {str(key): str(value) for key, value in told["metadata"].items()}

    def get_inputs(self) -> list[Tensor]:
        """Return the graph's inputs."""
        return self._inputs

    def get_outputs(self) -> list[Tensor]:
        """Return the graph's outputs."""
        return self._outputs

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Value]) -> list[Value]:
        """Return outputs by name (None: all), as onnxruntime does.

        Raises:
            CallError: onnxruntime fails, within the limits.
            error: it takes more time than it may, or takes the process with it.
        """
        arrays = [np.asarray(value) for value in feeds.values()]
        asked = None if outputs is None else list(outputs)
        told = {"outputs": asked, "inputs": list(feeds)}
        _, values = self._process.call("run", told, arrays, allowance.running(self._size, arrays))
        if len(values) != len(self._outputs if asked is None else asked):
            raise self._error(f"{self._place}: found {len(values)} answers, expected one an output")
        return values

    def close(self) -> None:
        """End the process; runs under way fail."""
        self._process.close()
