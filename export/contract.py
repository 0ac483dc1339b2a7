"""The words every part of the toolchain shares: names, axes, files, exceptions.

Standard library only, so that a reader of artifacts needs nothing of the build.

Axis legend, used as suffixes of array names: ``b`` batch, ``s`` sequence, ``t`` real tokens of a
batch, ``h`` hidden, ``l`` labels. ``weight_hl`` is ``[hidden, labels]``.
"""

from __future__ import annotations

import re
from typing import Literal

TOOLCHAIN_VERSION = "0.1.0"

# The standard operators' version in every graph of an artifact.
OPSET = 18
# The file format's version, of every graph.
IR_VERSION = 10

_LONGEST_MESSAGE = 8_000

# Graph inputs and outputs.
INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
LAST_HIDDEN_STATE = "last_hidden_state"
HIDDEN_STATE = "hidden_state_{}"
SENTENCE_EMBEDDING = "sentence_embedding"
FEATURES = "features"
LOGITS = "logits"
PROBABILITIES = "probabilities"
PREDICTIONS = "predictions"
BATCH_AXIS = "batch"
SEQUENCE_AXIS = "sequence"
# The input of a graph that tokenizes: strings `[batch]`.
TEXT = "text"

# The published head's input takes embeddings, whatever its name says.
HEAD_INPUT = "logits"

METADATA_KEYS = (
    "labels",
    "thresholds",
    "problem_type",
    "pooling",
    "normalize",
    "features",
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
# Where the graph lies that takes texts, and the build's own graph that only tokenizes.
TEXT_FILE = "onnx/model_text.onnx"
TEXT_TOKENIZER_FILE = "tokenizer.onnx"
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
FeaturePooling = Literal["cls", "mean", "max"]
# From the cheapest to the best; graphs/forms.py says what they are.
QuantizationForm = Literal["bare", "parts", "shared", "full"]


class ToolchainError(Exception):
    """Something the user can mend; the message names the place, what was found and expected.

    It is one line of printable characters, whatever a stranger's file or a library puts into it.
    """

    def __str__(self) -> str:
        text = re.sub(r"\s*\n\s*", " ", super().__str__().strip())
        if len(text) > _LONGEST_MESSAGE:
            text = text[:_LONGEST_MESSAGE] + " …"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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


class ScoreError(ToolchainError):
    """A corpus that cannot be scored, an output that cannot be written, or a run that may not go on."""


class PublishError(ToolchainError):
    """An artifact that the hub does not take, or that cannot be brought there."""
