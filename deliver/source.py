"""Open what is delivered: one variant of an artifact, and what that graph itself states about itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from core.artifact import manifest
from core.artifact.graph import Graph
from core.contract import INPUTS, PREDICTIONS, SINGLE_LABEL, TEXT, TEXT_FILE, VARIANT_FILES, ProblemType
from core.errors import ArtifactError
from core.untrusted import inside


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
    problem_type: ProblemType
    max_length: int
    inputs: list[Tensor]
    outputs: list[Tensor]

    @property
    def stacked(self) -> bool:
        """Whether all labels share an output, and the decisions are one."""
        return PREDICTIONS in [tensor.name for tensor in self.outputs]

    @property
    def takes_text(self) -> bool:
        """Whether the graph takes texts, and has the tokenizer inside."""
        return [tensor.name for tensor in self.inputs] == [TEXT]

    @property
    def single_label(self) -> bool:
        """Whether a text has one label, of probabilities that add up to 1."""
        return self.problem_type == SINGLE_LABEL

    def output(self, name: str) -> Tensor:
        """Return an output by its name.

        Raises:
            ArtifactError: the graph has none of that name.
        """
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        names = ", ".join(tensor.name for tensor in self.outputs)
        raise ArtifactError(f"{self.file}: found outputs {names}; expected {name}")


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
    if source.takes_text:
        return
    inputs = {(tensor.name, tensor.type, tensor.axes) for tensor in source.inputs}
    if inputs != {(name, "tensor(int64)", (None, None)) for name in INPUTS}:
        names = ", ".join(f"{name} {kind}{list(axes)}" for name, kind, axes in sorted(inputs, key=str))
        expected = f"{', '.join(INPUTS)}, int64 [batch, sequence]"
        raise ArtifactError(f"{source.file}: found inputs {names}; expected {expected}")


def own_file(folder: Path, name: str) -> Path:
    """Return the path of a file of an artifact, which is its own and what its manifest says.

    Raises:
        ArtifactError: it is a link or in a linked folder, missing, not listed, or another.
    """
    path = inside.join(folder, name, folder, ArtifactError)
    manifest.check_files(folder, [name])
    return path


def open_source(folder: Path, variant: str | None, text: bool = False) -> Source:
    """Try and open a variant of an artifact; `int8` where none is named and it has that, else its first.

    Where `text` is true, a variant called `text` is the artifact's graph that takes texts.

    Raises:
        ArtifactError: the folder is no artifact, has no such variant, or its graph is not of the contract or
            does not run within the limits of an untrusted one.
    """
    texts = manifest.text_graph(folder) if text and variant == TEXT else None
    if texts is not None:
        name, file, place = TEXT, texts.file, TEXT_FILE
    else:
        chosen = manifest.choose(folder, variant)
        name, file, place = chosen.name, chosen.file, VARIANT_FILES[chosen.name]
    own_file(folder, place)
    graph = Graph(file)
    source = Source(
        folder,
        manifest.name(folder),
        name,
        graph.path,
        graph.labels,
        graph.thresholds,
        graph.metadata.problem_type,
        graph.metadata.max_length,
        _tensors(graph.session.get_inputs()),
        _tensors(graph.session.get_outputs()),
    )
    _check(source)
    return source


def template(name: str, **values: object) -> str:
    """Return a template of this room, filled."""
    environment = Environment(
        loader=PackageLoader("deliver", "templates"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template(name).render(**values)


def complete(source: Source, folder: Path, page: str, names: Iterable[str], **more: object) -> None:
    """Copy files of the artifact to a package, and write its README; `source` and `more` fill it."""
    for name in names:
        shutil.copyfile(own_file(source.folder, name), folder / name)
    (folder / "README.md").write_text(template(page, source=source, **more), "utf-8")
