"""The words every part of the toolchain shares: names, axes, files, exceptions.

Standard library only, so that a reader of artifacts needs nothing of the build.

Axis legend, used as suffixes of array names: ``b`` batch, ``s`` sequence, ``t`` real tokens of a
batch, ``h`` hidden, ``l`` labels. ``weight_hl`` is ``[hidden, labels]``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

TOOLCHAIN_VERSION = "0.1.0"

# The standard operators' version in every graph of an artifact.
OPSET = 18

# Graph inputs and outputs.
INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
LAST_HIDDEN_STATE = "last_hidden_state"
SENTENCE_EMBEDDING = "sentence_embedding"
LOGITS = "logits"
PROBABILITIES = "probabilities"
PREDICTIONS = "predictions"
BATCH_AXIS = "batch"
SEQUENCE_AXIS = "sequence"

# The published head's input takes embeddings, whatever its name says.
HEAD_INPUT = "logits"

METADATA_KEYS = (
    "labels",
    "thresholds",
    "problem_type",
    "pooling",
    "normalize",
    "max_length",
    "recipe",
    "encoder_sha256",
    "head_sha256",
    "quantization",
    "toolchain_version",
)
PROBLEM_TYPE = "multi_label_classification"

# Where a variant lies inside an artifact (the layout that transformers.js and optimum look for).
VARIANT_FILES = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)
WEIGHTS_FILE = "model.safetensors"
HEAD_FILE = "model.onnx"
THRESHOLDS_FILE = "thresholds.json"

Pooling = Literal["cls", "mean"]


class ToolchainError(Exception):
    """Something the user can mend; the message names the place, what was found and expected."""


class RecipeError(ToolchainError):
    """A recipe that cannot be read, or contradicts itself."""


class SourceError(ToolchainError):
    """A source that cannot be reached, or a file of it that is missing or has the wrong hash."""


class CheckpointError(ToolchainError):
    """An encoder checkpoint that is damaged, unsupported, or contradicts the recipe."""


class HeadError(ToolchainError):
    """A classifier head or its thresholds that do not fit the format or the recipe."""


class DatasetError(ToolchainError):
    """A data set file that is missing or is not the published one."""


class GraphError(ToolchainError):
    """A graph that a rewrite cannot take, or that a rewrite left illegal."""


class ArtifactError(ToolchainError):
    """An artifact, or a part of one, that cannot be read or written."""


class GateError(ToolchainError):
    """A finished graph that is over a tolerance of its recipe."""


class ThresholdError(ToolchainError):
    """A choice of thresholds that is not one, that no threshold meets, or that may not be written there."""


class BenchmarkError(ToolchainError):
    """A contender of the benchmark that cannot be run, dies, or answers with something else."""


@dataclass(frozen=True)
class _JsonFile:
    def to_json(self) -> str:
        """Return the content of a file that `read` reads back exactly."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of `to_json`.

        Raises:
            ArtifactError: the file is missing or holds other fields.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path}: cannot be read as JSON: {error}") from error
        expected = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != expected:
            found = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise ArtifactError(f"{path}: found fields {found}, expected {sorted(expected)}")
        return cls(**data)


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

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the checkpoint's weights, as lower-case hexadecimal."""
        return self.sha256[WEIGHTS_FILE]


@dataclass(frozen=True)
class HeadInfo(_JsonFile):
    """What the merge needs to know of the head (`build/NAME/head.json`).

    `kind` is ``linear`` (weights in ``head.npz``: ``weight_hl`` and ``bias_l``, float32, columns in
    the order of `labels`) or ``subgraph`` (``head.onnx``, unchanged). `layout` says how the
    original gives its answers: ``named`` (one output a label), ``columns`` (one ``(N, labels)``
    tensor) or ``sequence`` (a sequence of ``(N, 2)``); the last two are in recipe order.
    `output_order` is the original's own order of labels.
    """

    source: str
    revision: str | None
    sha256: dict[str, str]
    kind: Literal["linear", "subgraph"]
    reason: str
    layout: Literal["named", "columns", "sequence"]
    output: str | None
    labels: list[str]
    output_order: list[str]
    thresholds: dict[str, float]
    fold_error: float | None

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the published head's ONNX file, as lower-case hexadecimal."""
        return self.sha256[HEAD_FILE]
