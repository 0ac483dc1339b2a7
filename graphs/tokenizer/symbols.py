"""Turn texts into symbols, in the graph: characters, their classes, what each class stands for."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir

from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.tokenizer.alphabet import END, START, Alphabet

# Any one character, line feeds too (RE2).
_ANY = r"[\x{0}-\x{10FFFF}]"


def _cut(text: ir.Value, name: str, **how: ops.Attribute) -> ir.Node:
    """Return a `Tokenizer` (com.microsoft): strings `[b]` to `[b, c]`, rows filled up with ''."""
    attributes: dict[str, ops.Attribute] = {"mark": 0, "mincharnum": 1, "pad_value": "", **how}
    return ops.node("Tokenizer", [text], name, attributes=attributes, domain=ops.MICROSOFT)


def _encoded(chain: Chain, text: ir.Value, numbers: dict[str, int], other: int, name: str) -> ir.Value:
    """Append the number of each string; `other` for those that have none."""
    return chain.add(
        "LabelEncoder",
        [text],
        name,
        ops.MACHINE_LEARNING,
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=other,
    )


def _may_be_special(chain: Chain, characters: ir.Value, specials: tuple[str, ...]) -> ir.Value:
    """Return whether a special token's first two characters stand side by side anywhere, bool."""
    pairs = {(token + token)[:2] for token in specials}
    firsts, seconds = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    kinds = {c: (c in firsts) + 2 * (c in seconds) for c in sorted(firsts | seconds)}
    kind = _encoded(chain, characters, kinds, 0, "special_kinds")
    # Flat: what ends a text and what begins the next may look like a pair, which costs time alone.
    kind = chain.add("Reshape", [kind, chain.integers("flat", [-1])], "special_kinds_flat")
    first, second = (
        chain.add("Slice", [kind, *(chain.integers(f"{name}_{end}", [at]) for end, at in ends)], name)
        for name, ends in (
            ("kind", (("from", 0), ("to", -1))),
            ("next_kind", (("from", 1), ("to", np.iinfo(np.int64).max))),
        )
    )
    first = chain.add("Mul", [first, chain.integers("four", 4)], "kind_first")
    pair = chain.add("Add", [first, second], "kind_pair")
    is_pair = [int(bool(left & 1) and bool(right & 2)) for left in range(4) for right in range(4)]
    special = chain.take(chain.integers("is_pair", is_pair), pair, "pairs_found")
    return chain.cast(
        chain.add("ReduceSum", [special], "pair_count", keepdims=0), ir.DataType.BOOL, "may_be_special"
    )


def _branch(node: ir.Node, name: str) -> ir.Graph:
    value = ops.typed(node.outputs[0], ir.DataType.STRING, [])
    value.shape = None
    return ir.Graph([], [value], nodes=[node], name=name)


def _characters(chain: Chain, text: ir.Value, specials: tuple[str, ...]) -> ir.Value:
    """Cut texts into characters, with special tokens whole; strings `[b, c]`."""
    # `Tokenizer` answers an empty batch with one axis: an empty text stands at the end, and is cut off.
    nothing = chain.add("Constant", [], "nothing", value_strings=[""])
    text = chain.add("Concat", [text, nothing], "texts", axis=0)
    characters = chain.insert(_cut(text, "text_characters", separators=[""]))
    if not specials:
        return characters
    longest_first = sorted(specials, key=lambda token: (-len(token), token))
    pattern = "|".join([*(re.sub(r"([^\w])", r"\\\1", token) for token in longest_first), _ANY])
    return chain.add(
        "If",
        [_may_be_special(chain, characters, specials)],
        "characters_or_specials",
        # Seven times the time of the other: only where a text may have one.
        then_branch=_branch(_cut(text, "text_with_specials", tokenexp=pattern), "text_specials"),
        else_branch=_branch(ops.node("Identity", [characters], "text_without_specials"), "text_no_specials"),
    )


def symbols(chain: Chain, text: ir.Value, alphabet: Alphabet) -> tuple[ir.Value, ir.Value]:
    """Append text → symbols.

    Args:
        chain: where the nodes go.
        text: strings `[b]`, UTF-8.
        alphabet: what the characters become.

    Returns:
        The batch's symbols one after another, each text's between START and END, int32 `[t]`; and the
        batch's size, int64 `[1]`.
    """
    add, integers = chain.add, chain.integers
    characters = _characters(chain, text, alphabet.specials)
    classes = _encoded(chain, characters, alphabet.classes, alphabet.other, "classes_found")
    classes = add("Slice", [classes, integers("at_0", [0]), integers("at_-1", [-1])], "classes")
    batch = add("Shape", [text], "batch")
    edge = add("Concat", [batch, integers("one_column", [1])], "edge_shape", axis=0)
    ends = []
    for name, symbol in (("starts", START), ("ends", END)):
        (row,) = np.flatnonzero(alphabet.symbols_km[:, 0] == symbol)
        ends.append(add("Expand", [integers(f"{name}_class", int(row)), edge], name))
    classes = add("Concat", [ends[0], classes, ends[1]], "classes_between", axis=1)
    # Element by element from a flat table: `Gather` takes eight times as long a number.
    most = alphabet.symbols_km.shape[1]
    begin = add("Mul", [classes, integers("most_symbols", most)], "cell_begin")
    column = add("Unsqueeze", [begin, integers("axis_2", [2])], "cell_column")
    cells = add("Add", [column, integers("cell_places", np.arange(most))], "cells_of_class")
    cells = add("Reshape", [cells, integers("flat", [-1])], "cells_flat")
    table = chain.constant("symbols", alphabet.symbols_km.ravel())
    cells = chain.take(table, cells, "cell_symbols")
    kept = chain.indices(cells, integers("axis_0", [0]), "kept", "kept_row")
    return chain.take(cells, kept, "symbol"), batch
