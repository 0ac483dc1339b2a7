"""`python -m core.untrusted.limited.graph_service`: open a graph in onnxruntime, and run it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from core import runtime
from core.errors import ToolchainError
from core.untrusted.limited import service
from core.untrusted.limited.frames import Header, Value

_NAMELESS = "graph"


def _described(values: Any) -> list[list[Any]]:
    return [[value.name, value.type, list(value.shape)] for value in values]


class Service:
    """Holds the session of one graph."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._session: runtime.Session | None = None

    def open(self, header: Header, values: list[Value]) -> tuple[Header, list[Value]]:
        """Open a graph, by its path or its bytes; tell its inputs, outputs and metadata."""
        path = header["path"]
        model = values[0].tobytes() if path is None else Path(os.fsdecode(bytes(path)))
        options = {"threads": header["threads"], "log_severity": runtime.LOG_NOTHING}
        try:
            session = self._session = runtime.open_session(model, _NAMELESS, **options)
        except ToolchainError as error:
            # The parent names the file, as its caller does.
            raise ValueError(str(error).removeprefix(f"{_NAMELESS}: ")) from error
        return {
            "inputs": _described(session.get_inputs()),
            "outputs": _described(session.get_outputs()),
            "metadata": session.get_modelmeta().custom_metadata_map,
        }, []

    def run(self, header: Header, values: list[Value]) -> tuple[Header, list[Value]]:
        """Run the graph on inputs by name."""
        assert self._session is not None
        return {}, self._session.run(header["outputs"], dict(zip(header["inputs"], values, strict=True)))


def functions() -> dict[str, service.Function]:
    """Return what a parent may ask for, of a graph that is not open yet."""
    graph = Service()
    return {"open": graph.open, "run": graph.run}


if __name__ == "__main__":
    service.run(functions())
