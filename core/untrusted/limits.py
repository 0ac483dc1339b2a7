"""Bound how large and how deep an untrusted file may be. Standard library only.

Each bound is far above what the largest BERT needs, and low enough that a refusal takes seconds and
less than 1 GB of memory.
"""

from __future__ import annotations

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

RECIPE_BYTES = 64 * KIB
THRESHOLDS_BYTES = MIB
JSON_BYTES = 8 * MIB
NPZ_BYTES = 128 * MIB  # of the file, and of all its arrays unpacked
REFERENCE_TEXT_BYTES = 16 * MIB  # of a reference's texts, as JSON
REFERENCE_TOKENS = 1 << 22  # of all its texts
NPZ_DIRECTORY_BYTES = 64 * KIB
SKOPS_DIRECTORY_BYTES = MIB
HEAD_BYTES = 256 * MIB
DENSE_BYTES = 64 * MIB  # of all Dense modules, in float32
DATA_BYTES = GIB  # of a file of texts and labels
GRAPH_BYTES = 2 * GIB - 1  # protobuf's own limit
ARTIFACT_BYTES = 4 * GIB  # of all files that a manifest lists
ARTIFACT_FILES = 1_000
WEIGHTS_HEADER_BYTES = 16 * MIB

# Objects and lists inside each other, in JSON and TOML, and the names in a dotted TOML key.
DEPTH = 32
JSON_OBJECTS = 200_000
# An absurd length such as 1e30 is written out by tokenizers without one.
INTEGER_DIGITS = 40

# Messages inside each other in an ONNX file, and fields of all its messages: a field takes a few µs, a
# message counts as several.
MESSAGE_DEPTH = 40
MESSAGE_FIELDS = 1_000_000
MESSAGE_COST = 8
TEXT_BYTES = 8 * MIB  # of one name, comment or entry of the metadata
# Nodes of a graph, its subgraphs and its functions, each call of a function counted in full.
NODES = 20_000
# Version of a set of operators; the standard's stands at 27.
OPSET = 255
# Of the format: the first that says which operators it means, the first whose constants need not be inputs,
# and far beyond the last (14).
FIRST_IR, FREE_CONSTANTS_IR, LAST_IR = 3, 4, 255
# Elements of one tensor that a graph states; the largest word table of a BERT has 123 million.
ELEMENTS = 1 << 28
# Elements of a tensor that a graph makes out of constants alone.
MADE_ELEMENTS = 1 << 24

# An untrusted graph is opened and run in a process of its own: beyond what the libraries take, it gets so
# much memory, so many times the file's size, and more for each token of a batch (allowance.py).
RUN_BYTES = 512 * MIB
RUN_LEAST_BYTES = 128 * MIB
RUN_FILE_FACTOR = 4
TOKEN_BYTES = 64 * KIB
ATTENTION_BYTES = 256
EMBEDDING_FACTOR = 8  # times an input of numbers
CHARACTER_BYTES = KIB
TEXT_TOKENS = 512
THREAD_BYTES = 16 * MIB  # its stack, which is taken only as far as it is used
ANSWER_BYTES = 128 * MIB
ANSWER_ROW_BYTES = 64 * KIB
# Seconds of CPU; on a busy machine PATIENCE times as long on the clock.
OPEN_SECONDS = 4
OPEN_BYTES_PER_SECOND = 100 * MIB
RUN_SECONDS = 4
RUN_OPERATIONS_PER_SECOND = 10**10
PATIENCE = 2
START_SECONDS = 60
# A classifier in skops, and what skl2onnx makes of it.
SKOPS_SECONDS = 8
SKOPS_BYTES_PER_SECOND = 256 * KIB
SKOPS_FACTOR = 12

# Of an encoder.
HIDDEN = 8192
LAYERS = 128
TOKENS = 65_536
VOCABULARY = 1_000_000
LABELS = 4_096  # far more than any classifier of texts that a person can read the card of
WORD_CHARACTERS = 1_000
FEATURES = 16_384
