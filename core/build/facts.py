"""What the exporter tells the graph stages: of the encoder and of the head. Standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self

from core.contract import (
    HEAD_FILES,
    HIDDEN_STATE,
    LAST_HIDDEN_STATE,
    SINGLE_LABEL,
    WEIGHTS_SUFFIX,
    DenseActivation,
    FeaturePooling,
    Pooling,
    ProblemType,
)
from core.disk.files import write_json
from core.errors import ArtifactError, HeadError, ToolchainError
from core.untrusted import json_file
from core.untrusted.regular_file import FIELD_ERRORS, naming


def check_thresholds(
    thresholds: dict[str, Any],
    labels: Sequence[str],
    problem_type: ProblemType,
    place: object,
    error: type[ToolchainError],
) -> dict[str, float]:
    """Check the thresholds of all `labels`; return label → threshold in this order.

    Raises:
        error: one is not a number between 0 and 1, or, of a single-label problem, 0; the message begins with
            `place` and names the label.
    """
    always = problem_type == SINGLE_LABEL
    for label, value in thresholds.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not (0 < value < 1 or (always and value == 0)):
            zero = "0 (always answer) or " if always else ""
            stated = f"found {value!r}, expected {zero}a number between 0 and 1, both excluded"
            raise error(f"{place}: threshold of {label!r}: {stated}")
    return {label: float(thresholds[label]) for label in labels}


def weights_sha256(sha256: dict[str, str]) -> str:
    """Return the SHA-256 of a checkpoint's weights, from those of its files.

    Of one file, its own; of several, such as shards, that of the lines that `sha256sum` has for them, in
    the order of their names.
    """
    weights = {name: digest for name, digest in sorted(sha256.items()) if name.endswith(WEIGHTS_SUFFIX)}
    if len(weights) == 1:
        return next(iter(weights.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in weights.items())
    return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class _JsonFile:
    def write(self, path: Path) -> None:
        """Write a file that `read` reads back exactly."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of `write`.

        Raises:
            ArtifactError: the file is missing or holds other fields.
        """
        content = json_file.read_object(path, ArtifactError)
        expected = sorted(each.name for each in fields(cls))
        if sorted(content) != expected:
            raise ArtifactError(f"{path}: found fields {sorted(content)}, expected {expected}")
        with naming(path, ArtifactError, "not a file of this toolchain's", *FIELD_ERRORS):
            return cls(**content)


@dataclass(frozen=True)
class EncoderInfo(_JsonFile):
    """What the graph rewrites need to know of the exported encoder (`build/NAME/encoder.json`)."""

    source: str
    revision: str | None
    sha256: dict[str, str]
    layers: int
    heads: int
    hidden: int
    positions: int
    vocabulary: int
    pooling: Pooling
    normalize: bool
    max_length: int
    # What the head reads in place of the sentence embedding: layer (0 is the embedding's) and pooling of
    # each part, in order; none where it reads that.
    feature_parts: list[tuple[int, FeaturePooling]]
    # Whether there is a table of token types.
    token_types: bool = True
    # Where positions count the tokens that are not this one; None where they are the columns.
    padding_id: int | None = None
    # Width and activation of each linear layer between pooling and normalization.
    dense: list[tuple[int, DenseActivation]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take lists for pairs, as JSON has them."""
        pairs = [(layer, pooling) for layer, pooling in self.feature_parts]
        object.__setattr__(self, "feature_parts", pairs)
        object.__setattr__(self, "dense", [(width, activation) for width, activation in self.dense])

    @property
    def feature_layers(self) -> list[int]:
        """Layers whose hidden states the features pool, in ascending order."""
        return sorted({layer for layer, _ in self.feature_parts})

    @property
    def outputs(self) -> list[str]:
        """Names of the exported encoder's outputs."""
        return [HIDDEN_STATE.format(layer) for layer in self.feature_layers] or [LAST_HIDDEN_STATE]

    @property
    def embedding(self) -> int:
        """Width of the sentence embedding."""
        return self.dense[-1][0] if self.dense else self.hidden

    @property
    def features(self) -> int:
        """Width of what the head reads."""
        return self.hidden * len(self.feature_parts) or self.embedding

    @property
    def used_layers(self) -> int:
        """Layers that the head's answer depends on; those above are left out of the graph."""
        return max(self.feature_layers) if self.feature_layers else self.layers

    @property
    def described(self) -> str:
        """What the head reads, in words."""
        if not self.feature_parts:
            dense = "".join(f", Dense to {width} ({activation})" for width, activation in self.dense)
            return f"{self.pooling} pooling{dense}"
        layers: dict[str, list[str]] = {}
        for layer, pooling in self.feature_parts:
            layers.setdefault(pooling, []).append(str(layer))
        return "; ".join(f"{pooling} of layers {', '.join(found)}" for pooling, found in layers.items())

    @property
    def last_is_cls(self) -> bool:
        """Whether of the last used layer the CLS token alone is read."""
        if not self.feature_parts:
            return self.pooling == "cls"
        return {how for layer, how in self.feature_parts if layer == self.used_layers} == {"cls"}

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the checkpoint's weights, as lower-case hexadecimal."""
        return weights_sha256(self.sha256)


@dataclass(frozen=True)
class HeadInfo(_JsonFile):
    """What the merge needs to know of the head (`build/NAME/head.json`).

    `kind` is ``linear`` (weights in ``head.npz``: ``weight_hl`` and ``bias_l``, float32, columns in
    the order of `labels`) or ``subgraph`` (``head.onnx``, unchanged). `layout` says how the
    answers are in ``head.onnx``: ``named`` (one output a label), ``columns`` (one ``(N, labels)``
    tensor) or ``sequence`` (a sequence of ``(N, 2)``), in the order of `output_order`, the original's
    own order of labels. `columns_from` says what told which column is which label: ``names`` in the file,
    ``integers`` in it that count the recipe's labels, or, where it holds neither, the ``recipe``'s order.
    """

    source: str
    revision: str | None
    sha256: dict[str, str]
    kind: Literal["linear", "subgraph"]
    reason: str
    problem_type: ProblemType
    columns_from: Literal["names", "integers", "recipe"]
    layout: Literal["named", "columns", "sequence"]
    output: str | None
    labels: list[str]
    output_order: list[str]
    thresholds: dict[str, float]
    fold_error: float | None

    def check_contract(self, contract: str) -> None:
        """Check that a recipe's contract can say what this head answers.

        Raises:
            HeadError: single-label, under the contract of one output a label.
        """
        if self.problem_type == SINGLE_LABEL and contract != "stacked":
            raise HeadError(
                f"{self.source}: contract: found {contract!r}, expected 'stacked': a single-label head "
                "(softmax) answers with one of its labels, not with yes or no for each"
            )

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the published head's file, as lower-case hexadecimal."""
        return next(self.sha256[name] for name in HEAD_FILES if name in self.sha256)
