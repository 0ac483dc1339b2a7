"""Own the names that one rewrite gives its nodes and a later one looks for."""

from __future__ import annotations

import re

import onnx_ir as ir

from core.errors import GraphError

# Made by `embeddings`.
WORDS, POSITIONS, EMBEDDINGS = "word_embedding", "position_embedding", "embedding_sum"
# By it, where positions count tokens.
TOKEN_NUMBERS = "token_numbers"
# Made by `pool`: a sentence embedding; the mask as numbers, and a sum over the tokens it keeps.
POOLED, TOKEN_SUM = "pooled", "token_sum_row"
TOKEN_WEIGHTS, TOKEN_WEIGHTS_ROW = "token_weights", "token_weights_row"
# By `features`, of a layer: a pooled hidden state, the sum that a mean divides, the tokens of a maximum.
FEATURE = "feature_{}_{}"
MEAN_SUM, MAX_KEPT, TOKEN_PRESENT = "feature_{}_mean_sum_row", "feature_{}_max_kept", "token_present"
# By `merge`, under the per-label contract.
LOGIT_PAIRS = "logit_pairs"
# By `pack`.
LAYOUT, POSITION_ROWS = "layout", "position_embedding_rows"
COUNTS, STARTS, STARTS_COLUMN = "layout_counts", "layout_starts", "layout_starts_column"
TOKENS_OF_PLACES, GIVEN_IDS, VALID = "layout_tokens_of_places", "layout_given_ids", "layout_valid"
SAME_IDS = "layout_ids"
LONG, SHORT = "long", "short"
# By `project`.
PROJECTION, PROJECTED = "feature_{}_projection", "projected"
# By `prune`: attention for the CLS tokens alone.
CLS = "cls"
# By `guard`: the `If` that answers some rows again.
GUARD = "guard"
# By `answers.cut`, under the per-label contract.
ANSWER_PAIRS = "answer_pairs"
# By `merge`, of a head that stays a graph: what its nodes' and constants' names begin with.
HEAD = "head/"
# By `quantize`: the sum of an int8 product and the product of channels in float32.
JOINED = "_joined"

# An encoder's layer, by its number: what its nodes' names begin with.
LAYER = "layer_{}"
LINEAR = re.compile(r"layer_(\d+)_(qkv|key_value|attention_output|up|down)")
CLS_ROWS = re.compile(r"layer_\d+_cls_rows")
ROWS_OF_HEADS = re.compile(r"layer_\d+_(qkv|cls_key_value)_rows")
CONTEXT = re.compile(r"layer_\d+_context_joined")
SCORES = re.compile(r"(layer_\d+)_(long|short|cls)_scores")
MASKED_SCORES = re.compile(r"(layer_\d+)_(long|cls)_masked_scores")
# What reads a hidden state `[b, s, h]`: for all tokens, for the first; and what casts the mask for them.
POOLING_OF_ALL = re.compile(r"token_sum_row|feature_\d+_(mean_sum_row|max_kept)")
POOLING_OF_FIRST = re.compile(r"pooled|feature_\d+_cls")
POOLING_MASK = re.compile(r"token_weights|token_present")
# A packed graph's hidden states in rows, for the poolings.
POOLED_TOKENS = re.compile(r"(token_sum|feature_\d+|projected)_tokens")

_MADE_BY = {
    "embeddings": r"word_embedding|position_embedding|embedding_sum|token_numbers",
    "pool": r"pooled|token_\w+|features|feature_\d+_\w+",
    "merge": r"logits|logit_pairs",
    "unfuse": r"layer_\d+_(attention_output|attention_norm\w*|up|gelu|down|norm\w*)",
    "pack": r".*",
}


def in_layer(node: ir.Node) -> bool:
    """Tell whether a node belongs to an encoder's layer."""
    return str(node.name).startswith("layer_")


def in_head(node: ir.Node) -> bool:
    """Tell whether a node belongs to a head that stays a graph, in whichever branch."""
    return HEAD in str(node.name)


def of_feature(node: ir.Node) -> bool:
    """Tell whether a node pools a hidden state for the features, or projects it for the head."""
    return str(node.name).startswith("feature_")


def find(graph: ir.Graph, name: str) -> ir.Node | None:
    """Return the node of that name, or None."""
    return next((node for node in graph if node.name == name), None)


def node(graph: ir.Graph, name: str) -> ir.Node:
    """Return the node of that name.

    Raises:
        GraphError: there is none; the message says which step must come before.
    """
    if (named := find(graph, name)) is not None:
        return named
    step = next(step for step, pattern in _MADE_BY.items() if re.fullmatch(pattern, name))
    raise GraphError(f"no node {name}; `{step}` must come before")


def value_projection(graph: ir.Graph, layer: int) -> ir.Node:
    """Return a layer's product whose last columns are the values."""
    name = LAYER.format(layer)
    return find(graph, f"{name}_qkv") or node(graph, f"{name}_key_value")
