"""The words every part of the toolchain shares: names, axes, files.

Standard library only, so that a reader of artifacts needs nothing of the build.

Axis legend, used as suffixes of array names: ``b`` batch, ``s`` sequence, ``t`` real tokens of a
batch, ``h`` hidden, ``l`` labels. ``weight_hl`` is ``[hidden, labels]``.
"""

from __future__ import annotations

from typing import Literal

# Both stand in every graph; pyproject.toml takes the version from here.
PRODUCER = "bge-go-emotions-export"
TOOLCHAIN_VERSION = "0.1.0"

# Names of recipes and artifacts, which are names of folders.
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,95}$"

# What makes a folder a recipe.
RECIPE_FILE = "recipe.toml"

# The standard operators' version in every graph of an artifact.
OPSET = 18
# The file format's version, of every graph: that of the ONNX release that brought the operators.
IR_VERSION = 8

# Graph inputs and outputs.
INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
# No graph of an artifact has it; a package for those who always send it does.
TOKEN_TYPE_IDS = "token_type_ids"
LAST_HIDDEN_STATE = "last_hidden_state"
HIDDEN_STATE = "hidden_state_{}"
SENTENCE_EMBEDDING = "sentence_embedding"
FEATURES = "features"
LOGITS = "logits"
PROBABILITIES = "probabilities"
PREDICTIONS = "predictions"
# What a graph takes, and what one whose labels share outputs gives; types as onnxruntime names them.
INPUTS = (INPUT_IDS, ATTENTION_MASK)
OUTPUT_TYPES = {LOGITS: "tensor(float)", PROBABILITIES: "tensor(float)", PREDICTIONS: "tensor(bool)"}
BATCH_AXIS = "batch"
SEQUENCE_AXIS = "sequence"
# The input of a graph that tokenizes: strings `[batch]`.
TEXT = "text"

# The published head's input takes embeddings, whatever its name says.
HEAD_INPUT = "logits"

# As `config.json` and a graph's metadata state it: each label decided by itself, or one label a text.
ProblemType = Literal["multi_label_classification", "single_label_classification"]
MULTI_LABEL: ProblemType = "multi_label_classification"
SINGLE_LABEL: ProblemType = "single_label_classification"
# In words, and in a card's tags.
PROBLEM_NAMES: dict[ProblemType, str] = {MULTI_LABEL: "multi-label", SINGLE_LABEL: "single-label"}

# Where a variant lies inside an artifact (the layout that transformers.js and optimum look for).
VARIANT_FILES = {
    "fp32": "onnx/model.onnx",
    "int8": "onnx/model_quantized.onnx",
    "guarded": "onnx/model_guarded.onnx",
}
# Where the graph lies that takes texts, and the build's own graph that only tokenizes.
TEXT_FILE = "onnx/model_text.onnx"
TEXT_TOKENIZER_FILE = "tokenizer.onnx"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
WEIGHTS_FILE, WEIGHTS_SUFFIX = "model.safetensors", ".safetensors"
HEAD_FILE = "model.onnx"
# Where a head may be, in the order in which they count.
HEAD_FILES = (HEAD_FILE, "head.safetensors", "head.skops", WEIGHTS_FILE)
THRESHOLDS_FILE = "thresholds.json"

Pooling = Literal["cls", "mean"]
FeaturePooling = Literal["cls", "mean", "max"]
# After a linear layer between pooling and normalization.
DenseActivation = Literal["identity", "tanh"]
# From the cheapest to the best; graphs/search/schemes.py says what they are.
QuantizationForm = Literal["bare", "parts", "shared", "full"]
