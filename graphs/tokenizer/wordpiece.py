"""Turn symbols into token ids, in the graph: WordPiece for all words of a batch at once, without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

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


def _starts(chain: Chain, symbol: ir.Value, alphabet: Alphabet) -> _Symbols:
    """A word begins at what is no space and no letter after a letter."""
    add = chain.add
    letter = add("Greater", [symbol, chain.int32s("last_single", alphabet.first_letter - 1)], "letter")
    # Before the first symbol, START, stands no letter.
    moved = add("Concat", [chain.constant("false", np.array([False])), letter], "letter_moved", axis=0)
    ends = [chain.integers("at_0", [0]), chain.integers("at_-1", [-1])]
    within = add("And", [letter, add("Slice", [moved, *ends], "letter_before")], "within")
    blank = add("Equal", [symbol, chain.int32s("space", SPACE)], "blank")
    return _Symbols(symbol, letter, add("Not", [add("Or", [within, blank], "no_start")], "start"))


def _longest(chain: Chain, at: _Symbols, trie: Trie, alphabet: Alphabet) -> ir.Value:
    """Walk the trie from every symbol; return the last state reached, int32 `[t]`.

    All walks go on together, one symbol a step; one that has ended stays in state 0.
    """
    add = chain.add
    base, check = chain.constant("trie_base", trie.base), chain.constant("trie_check", trie.check)
    nowhere = chain.int32s("nowhere", 0)
    root = add("Where", [at.start, chain.int32s("beginning", alphabet.size), nowhere], "root")
    first = chain.constant("trie_first", trie.first)
    state = chain.take(first, add("Add", [root, at.symbol], "first_step"), "state_0")
    states, last = [state], trie.depth - 1
    padded = add("Concat", [at.symbol, chain.int32s("behind", np.zeros(last))], "symbol_padded", axis=0)
    for step in range(1, trie.depth):
        begin = chain.integers(f"from_{step}", [step])
        end = chain.integers(f"to_{step}", [step - last or _TO_THE_END])
        symbol = add("Slice", [padded, begin, end], f"symbol_{step}")
        onward = add("Add", [chain.take(base, state, f"base_{step}"), symbol], f"onward_{step}")
        parent = chain.take(check, onward, f"parent_{step}")
        leads = add("Equal", [parent, state], f"leads_{step}")
        state = add("Where", [leads, onward, nowhere], f"state_{step}")
        states.append(state)
    return add("Max", states, "state")


def _largest(chain: Chain, least: ir.Value, places: ir.Value, values: ir.Value, name: str) -> ir.Value:
    """Append the largest of the values that each place gets, and of what is there."""
    return chain.add("ScatterElements", [least, places, values], name, axis=0, reduction="max")


def _reached(chain: Chain, at: _Symbols, length: ir.Value, most: int) -> ir.Value:
    """Return where tokens begin, int32 `[t]`: at words' starts, and where a token before them ends.

    The jumps are doubled each round: r rounds follow 2^r - 1 of them.
    """
    add, zero = chain.add, chain.integers("zero", 0)
    total = add("Shape", [at.symbol], "total")
    count = add("Squeeze", [total, chain.integers("axis_0", [0])], "total_count")
    place = add("Range", [zero, count, chain.integers("one", 1)], "place")
    end = add("Add", [place, chain.cast(length, ir.DataType.INT64, "jump")], "token_end")
    jump = add("Min", [end, add("Sub", [total, chain.integers("one_less", [1])], "last")], "token_end_0")
    reached = chain.cast(at.start, ir.DataType.INT32, "reached_0")
    for number in range(1, most.bit_length() + 1):
        if number > 1:
            jump = chain.take(jump, jump, f"token_end_{number}")
        reached = _largest(chain, reached, jump, reached, f"reached_{number}")
    return reached


def _unknown(chain: Chain, at: _Symbols, length: ir.Value, reached: ir.Value, most: int) -> ir.Value:
    """Return which symbols are of words that no tokens make up, or that are too long; bool `[t]`."""
    add, zero, axis = chain.add, chain.integers("zero", 0), chain.integers("axis_0", [0])
    word = add("CumSum", [chain.cast(at.start, ir.DataType.INT64, "start_count"), zero], "word")
    starts = chain.indices(at.start, axis, "starts_at", "starts_row")
    # Words count from 1: place 0 is of what precedes the first, which is nothing.
    starts = add("Concat", [chain.integers("at_0", [0]), starts], "word_starts", axis=0)
    total = add("Shape", [at.symbol], "total_again")
    count = add("Squeeze", [total, axis], "total_again_count")
    place = add("Range", [zero, count, chain.integers("one", 1)], "place_again")
    offset = add("Sub", [place, chain.take(starts, word, "start_of_word")], "offset")
    long = add("GreaterOrEqual", [offset, chain.integers("most_letters", most)], "too_long")
    stuck = add("Less", [length, chain.cast(reached, ir.DataType.INT32, "needs")], "stuck")
    fails = add("And", [add("Or", [long, stuck], "long_or_stuck"), at.letter], "fails")
    failed = add("Expand", [chain.int32s("nowhere", 0), add("Shape", [starts], "words")], "no_word")
    fails = chain.cast(fails, ir.DataType.INT32, "failure")
    failed = _largest(chain, failed, word, fails, "failed")
    return chain.cast(chain.take(failed, word, "failed_of"), ir.DataType.BOOL, "unknown")


def tokens(chain: Chain, symbol: ir.Value, alphabet: Alphabet, trie: Trie, most: int) -> Tokens:
    """Append symbols → token ids: the longest match first, `[UNK]` for a word that has none.

    Args:
        chain: where the nodes go.
        symbol: int32 `[t]`, as `symbols.symbols` returns them.
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
    length = chain.take(chain.constant("trie_length", lengths), state, "length")
    reached = _reached(chain, at, length, most)
    unknown = _unknown(chain, at, length, reached, most)
    ids = chain.take(chain.constant("trie_token", trie.token), state, "id_found")
    ids = add("Where", [unknown, chain.int32s("unknown_id", alphabet.unknown_id), ids], "id")
    inner = add("And", [chain.cast(reached, ir.DataType.BOOL, "is_reached"), at.letter], "inner")
    known = add("And", [inner, add("Not", [unknown], "known")], "inner_known")
    begins = add("Or", [at.start, known], "begins")
    places = chain.indices(begins, chain.integers("axis_0", [0]), "places", "places_row")
    return Tokens(chain.take(ids, places, "token_id"), chain.take(symbol, places, "token_symbol"))
