"""Symbols to token ids, in the graph: WordPiece for every word of a batch at once, without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.tokenizer.alphabet import SPACE, Alphabet
from graphs.tokenizer.trie import Trie

_TO_THE_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Tokens:
    """Tokens one after another, before truncation: their ids and first symbols, int32 `[n]`."""

    ids: ir.Value
    symbols: ir.Value


@dataclass(frozen=True)
class _Symbols:
    symbol: ir.Value  # int32 [t]
    letter: ir.Value  # bool [t], part of a word of several
    start: ir.Value  # bool [t], where a word begins


def _int32(chain: Chain, name: str, value: object) -> ir.Value:
    return ops.constant(chain.graph, f"{chain.prefix}_{name}", np.array(value, np.int32))


def _starts(chain: Chain, symbol: ir.Value, alphabet: Alphabet) -> _Symbols:
    """A word begins at what is no space and no letter after a letter."""
    add = chain.add
    letter = add("Greater", [symbol, _int32(chain, "last_single", alphabet.first_letter - 1)], "letter")
    # Before the first symbol, START, stands no letter.
    nothing = ops.constant(chain.graph, "text_false", np.array([False]))
    moved = add("Concat", [nothing, letter], "letter_moved", axis=0)
    before = add(
        "Slice", [moved, chain.integers("at_0", [0]), chain.integers("at_-1", [-1])], "letter_before"
    )
    within = add("And", [letter, before], "within")
    blank = add("Equal", [symbol, _int32(chain, "space", SPACE)], "blank")
    return _Symbols(symbol, letter, add("Not", [add("Or", [within, blank], "no_start")], "start"))


def _longest(chain: Chain, at: _Symbols, trie: Trie, alphabet: Alphabet) -> ir.Value:
    """Walk the trie from every symbol; return the last state reached, int32 `[t]`.

    All walks go on together, one symbol a step; one that has ended stays in state 0.
    """
    add, graph = chain.add, chain.graph
    base, check = (ops.constant(graph, f"text_trie_{n}", getattr(trie, n)) for n in ("base", "check"))
    nowhere = _int32(chain, "nowhere", 0)
    root = add("Where", [at.start, _int32(chain, "beginning", alphabet.size), nowhere], "root")
    first = ops.constant(graph, "text_trie_first", trie.first)
    state = add("GatherElements", [first, add("Add", [root, at.symbol], "first_step")], "state_0", axis=0)
    states, last = [state], trie.depth - 1
    padded = add("Concat", [at.symbol, _int32(chain, "behind", np.zeros(last))], "symbol_padded", axis=0)
    for step in range(1, trie.depth):
        begin = chain.integers(f"from_{step}", [step])
        end = chain.integers(f"to_{step}", [step - last or _TO_THE_END])
        symbol = add("Slice", [padded, begin, end], f"symbol_{step}")
        onward = add(
            "Add", [add("GatherElements", [base, state], f"base_{step}", axis=0), symbol], f"onward_{step}"
        )
        parent = add("GatherElements", [check, onward], f"parent_{step}", axis=0)
        state = add(
            "Where", [add("Equal", [parent, state], f"leads_{step}"), onward, nowhere], f"state_{step}"
        )
        states.append(state)
    return add("Max", states, "state")


def _reached(chain: Chain, at: _Symbols, length: ir.Value, most: int) -> ir.Value:
    """Return where tokens begin, int32 `[t]`: at words' starts, and where a token before them ends.

    The jumps are doubled each round: r rounds follow 2^r - 1 of them.
    """
    add, zero = chain.add, chain.integers("zero", 0)
    total = add("Shape", [at.symbol], "total")
    count = add("Squeeze", [total, chain.integers("axis_0", [0])], "total_count")
    place = add("Range", [zero, count, chain.integers("one", 1)], "place")
    end = add("Add", [place, add("Cast", [length], "jump", to=ir.DataType.INT64)], "token_end")
    jump = add("Min", [end, add("Sub", [total, chain.integers("one_less", [1])], "last")], "token_end_0")
    reached = add("Cast", [at.start], "reached_0", to=ir.DataType.INT32)
    for number in range(1, most.bit_length() + 1):
        if number > 1:
            jump = add("GatherElements", [jump, jump], f"token_end_{number}", axis=0)
        reached = add(
            "ScatterElements", [reached, jump, reached], f"reached_{number}", axis=0, reduction="max"
        )
    return reached


def _unknown(chain: Chain, at: _Symbols, length: ir.Value, reached: ir.Value, most: int) -> ir.Value:
    """Return which symbols are of words that no tokens make up, or that are too long; bool `[t]`."""
    add, zero, axis = chain.add, chain.integers("zero", 0), chain.integers("axis_0", [0])
    word = add("CumSum", [add("Cast", [at.start], "start_count", to=ir.DataType.INT64), zero], "word")
    starts = add("Squeeze", [add("NonZero", [at.start], "starts_row"), axis], "starts_at")
    # Words count from 1: place 0 is of what precedes the first, which is nothing.
    starts = add("Concat", [chain.integers("at_0", [0]), starts], "word_starts", axis=0)
    total = add("Shape", [at.symbol], "total_again")
    count = add("Squeeze", [total, axis], "total_again_count")
    place = add("Range", [zero, count, chain.integers("one", 1)], "place_again")
    offset = add("Sub", [place, add("GatherElements", [starts, word], "start_of_word", axis=0)], "offset")
    long = add("GreaterOrEqual", [offset, chain.integers("most_letters", most)], "too_long")
    stuck = add("Less", [length, add("Cast", [reached], "needs", to=ir.DataType.INT32)], "stuck")
    fails = add("And", [add("Or", [long, stuck], "long_or_stuck"), at.letter], "fails")
    failed = add("Expand", [_int32(chain, "nowhere", 0), add("Shape", [starts], "words")], "no_word")
    fails = add("Cast", [fails], "failure", to=ir.DataType.INT32)
    failed = add("ScatterElements", [failed, word, fails], "failed", axis=0, reduction="max")
    return add(
        "Cast", [add("GatherElements", [failed, word], "failed_of", axis=0)], "unknown", to=ir.DataType.BOOL
    )


def tokens(chain: Chain, symbol: ir.Value, alphabet: Alphabet, trie: Trie, most: int) -> Tokens:
    """Append symbols → token ids: the longest match first, `[UNK]` for a word that has none.

    Args:
        chain: where the nodes go.
        symbol: int32 `[t]`, as `text_read.symbols` returns them.
        alphabet: what the symbols are.
        trie: the vocabulary over them.
        most: letters of a word above which it is unknown.
    """
    add = chain.add
    at = _starts(chain, symbol, alphabet)
    state = _longest(chain, at, trie, alphabet)
    lengths = trie.length.copy()
    # Nothing follows from where a single ends.
    lengths[trie.first[alphabet.size + np.array(list(alphabet.singles))]] = 0
    table = ops.constant(chain.graph, "text_trie_length", lengths)
    length = add("GatherElements", [table, state], "length", axis=0)
    reached = _reached(chain, at, length, most)
    unknown = _unknown(chain, at, length, reached, most)
    table = ops.constant(chain.graph, "text_trie_token", trie.token)
    ids = add("GatherElements", [table, state], "id_found", axis=0)
    ids = add("Where", [unknown, _int32(chain, "unknown_id", alphabet.unknown_id), ids], "id")
    inner = add("And", [add("Cast", [reached], "is_reached", to=ir.DataType.BOOL), at.letter], "inner")
    known = add("And", [inner, add("Not", [unknown], "known")], "inner_known")
    begins = add("Or", [at.start, known], "begins")
    places = add("Squeeze", [add("NonZero", [begins], "places_row"), chain.integers("axis_0", [0])], "places")
    return Tokens(
        *(
            add("GatherElements", [v, places], f"token_{n}", axis=0)
            for v, n in ((ids, "id"), (symbol, "symbol"))
        )
    )
