"""Hold a package's graph to the original pair's decisions, or to its variant's answers, before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import runtime
from core.artifact import manifest
from core.artifact.graph import Graph
from core.artifact.manifest import REFERENCE_FILE, Tolerance
from core.build import reference
from core.build.reference import Reference
from core.errors import GateError
from deliver.source import Source, own_file
from verify.parity import parity
from verify.parity.parity import Parity

_BATCH_SIZE = 32
Run = Callable[[list[str], dict[str, NDArray[Any]]], Sequence[NDArray[Any]]]


def tolerance_of(source: Source, variant: str) -> Tolerance:
    """Return what the artifact's recipe allows a variant; nothing is allowed of one that it does not have."""
    stated = {listed.name: listed.tolerance for listed in manifest.variants(source.folder)}
    return stated.get(variant, Tolerance(None, None))


def _reference(source: Source) -> Reference:
    return reference.read(own_file(source.folder, REFERENCE_FILE))


def decisions(source: Source, file: Path, name: str, tolerance: Tolerance) -> Parity:
    """Compare a graph with the original pair on the artifact's reference; print, and return the figures.

    Raises:
        GateError: a tolerance is exceeded, or none is stated.
        ArtifactError: the graph does not run, or the reference is not the artifact's.
    """
    if tolerance == Tolerance(None, None):
        place = source.folder / manifest.MANIFEST_FILE
        raise GateError(
            f"{place}: variants: found no tolerance for {name}, expected a max_flip_rate of int8's"
        )
    figures = parity.measure(Graph(file), _reference(source))
    print(
        f"  parity   {name:<10} {figures.flipped} of {figures.texts} texts decided otherwise than by the "
        f"original, largest change of a probability {figures.max_probability_error:.1e}"
    )
    if sentences := parity.violations(name, figures, tolerance):
        raise GateError("; ".join(sentences))
    return figures


def answers(source: Source, run: Run, name: str, more: Mapping[str, Any] = {}) -> int:
    """Compare what a package's graph answers with its variant's answers, to the bit; return how many texts.

    Args:
        source: the variant.
        run: runs the package's graph, as a session does.
        name: the package's format.
        more: input → the number that it has everywhere, beyond the contract's inputs.

    Raises:
        GateError: an answer is another.
    """
    original, names = _reference(source), [tensor.name for tensor in source.outputs]
    session = Graph(source.file).session
    for size in (1, _BATCH_SIZE):
        for start in range(0, len(original.ids), size):
            feeds = runtime.feeds(*runtime.pad(original.ids[start : start + size]))
            given = {key: np.full_like(next(iter(feeds.values())), number) for key, number in more.items()}
            pairs = zip(names, session.run(names, feeds), run(names, {**feeds, **given}), strict=True)
            if other := [output for output, expected, found in pairs if not np.array_equal(expected, found)]:
                text = original.texts[start][:60]
                stated = f"found another {other[0]} of {text!r} in a batch of {size}"
                raise GateError(f"{name}: {stated}, expected {source.file.name}'s to the bit")
    print(f"  parity   {name:<10} {len(original.ids)} texts, each answered as by {source.variant} to the bit")
    return len(original.ids)
