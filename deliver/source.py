"""What is delivered: one variant of an artifact, and what that graph itself says it takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.artifact.graph import Graph
from core.artifact.manifest import MANIFEST_FILE
from core.contract import ATTENTION_MASK, INPUT_IDS, PREDICTIONS
from core.errors import ArtifactError
from core.untrusted import json_file as safe_json

_DEFAULT_VARIANT = "int8"


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph: onnxruntime's name of its type; axes, None where dynamic."""

    name: str
    type: str
    axes: tuple[int | None, ...]


@dataclass(frozen=True)
class Source:
    """One variant of an artifact: `name` is the recipe's, `file` the graph; the rest is read from that."""

    folder: Path
    name: str
    variant: str
    file: Path
    labels: list[str]
    thresholds: dict[str, float]
    max_length: int
    inputs: list[Tensor]
    outputs: list[Tensor]

    @property
    def stacked(self) -> bool:
        """Whether all labels share an output, and the decisions are one."""
        return PREDICTIONS in [tensor.name for tensor in self.outputs]

    def output(self, name: str) -> Tensor:
        """Return an output by its name.

        Raises:
            ArtifactError: the graph has none of that name.
        """
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        found = ", ".join(tensor.name for tensor in self.outputs)
        raise ArtifactError(f"{self.file}: found outputs {found}; expected {name}")


def json_file(path: Path) -> Any:
    """Read a JSON file of an artifact.

    Raises:
        ArtifactError: it is missing or damaged.
    """
    return safe_json.read(path, ArtifactError)


def _tensors(values: Any) -> list[Tensor]:
    return [
        Tensor(value.name, value.type, tuple(axis if isinstance(axis, int) else None for axis in value.shape))
        for value in values
    ]


def _check(source: Source) -> None:
    for tensor in [*source.inputs, *source.outputs]:
        if not tensor.axes or tensor.axes[0] is not None:
            raise ArtifactError(
                f"{source.file}: {tensor.name}: found axes {list(tensor.axes)}; expected a dynamic first one"
            )
    found = {(tensor.name, tensor.type, tensor.axes) for tensor in source.inputs}
    wanted = {(name, "tensor(int64)", (None, None)) for name in (INPUT_IDS, ATTENTION_MASK)}
    if found != wanted:
        names = ", ".join(f"{name} {kind}{list(axes)}" for name, kind, axes in sorted(found, key=str))
        expected = f"{INPUT_IDS}, {ATTENTION_MASK}, int64 [batch, sequence]"
        raise ArtifactError(f"{source.file}: found inputs {names}; expected {expected}")


def open_source(folder: Path, variant: str | None) -> Source:
    """Open a variant of an artifact; `int8` where none is named and it has that, else its first.

    Raises:
        ArtifactError: the folder is no artifact, has no such variant, or its graph is not of the contract.
    """
    manifest = json_file(folder / MANIFEST_FILE)
    try:
        files = {row["name"]: folder / row["file"] for row in manifest["variants"]}
        name = manifest["name"]
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{folder / MANIFEST_FILE}: not an artifact's manifest: {error!r}") from error
    chosen = variant or (_DEFAULT_VARIANT if _DEFAULT_VARIANT in files else next(iter(files), ""))
    if chosen not in files:
        raise ArtifactError(f"{folder}: variant: found {chosen!r}; expected one of {', '.join(files)}")
    graph = Graph(files[chosen])
    try:
        max_length = int(graph.metadata["max_length"])
    except ValueError as error:
        raise ArtifactError(f"{files[chosen]}: metadata: max_length: {error}") from error
    inputs, outputs = _tensors(graph.session.get_inputs()), _tensors(graph.session.get_outputs())
    source = Source(
        folder, name, chosen, files[chosen], graph.labels, graph.thresholds, max_length, inputs, outputs
    )
    _check(source)
    return source
