"""Ask a tokenizer what it makes of each single character, between two letters."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer

# A letter as it is, a word of its own as a tuple, a space as ' '.
Part = str | tuple[str]
# Read around a character, to see what it does to its neighbours.
NEIGHBOUR = "a"
# Marks of the combining classes 216, 224, 226 (which stay where accents are stripped), 1, 220 and 230.
_MARKS = ("\U0001d165", "\u302e", "\U0001d16d", "\u0334", "\u0323", "\u0301")
_SURROGATES = range(0xD800, 0xE000)
_BLOCK = 256


def _pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    normal = tokenizer.normalizer.normalize_str(text)
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]


def _parts(pieces: list[str]) -> Iterator[Part]:
    """Yield what stands between the neighbours, part by part."""
    first, last = pieces[0][1:], pieces[-1][:-1]
    if len(pieces) == 1:
        yield from pieces[0][1:-1]
        return
    yield from first
    for piece in pieces[1:-1]:
        yield from [(piece,)] if len(piece) == 1 else [" ", *piece, " "]
    if len(pieces) == 2 or last:
        yield " "
    yield from last


def meanings(tokenizer: Tokenizer, block: str) -> list[tuple[Part, ...]]:
    """Return what each character of a block becomes, part by part."""
    together = NEIGHBOUR + NEIGHBOUR.join(block) + NEIGHBOUR
    pieces = _pieces(tokenizer, together)
    # Most blocks are of letters that stay, of words of their own or of what is dropped: none is asked alone.
    if pieces == [together]:
        return [(character,) for character in block]
    if pieces == [*together]:
        return [((character,),) for character in block]
    if pieces == [NEIGHBOUR * (len(block) + 1)]:
        return [()] * len(block)
    around = (NEIGHBOUR + character + NEIGHBOUR for character in block)
    return [tuple(_parts(_pieces(tokenizer, text))) for text in around]


def moved_marks(tokenizer: Tokenizer, letters: Iterable[str]) -> list[str]:
    """Return the combining marks of `letters` that the normalizer moves past another mark."""

    def normal(marks: str) -> str:
        return str(tokenizer.normalizer.normalize_str(NEIGHBOUR + marks)[1:])

    kept = [c for c in letters if unicodedata.combining(c) and normal(c)]
    pairs = [(mark, other) for mark in kept for other in (*kept, *_MARKS)]
    apart = {c: normal(c) for c in (*kept, *_MARKS)}
    return sorted(
        {
            mark
            for mark, other in pairs
            if (normal(mark + other), normal(other + mark))
            != (apart[mark] + apart[other], apart[other] + apart[mark])
        }
    )


def blocks() -> Iterator[str]:
    """Yield all characters of Unicode, some at a time."""
    for start in range(0, sys.maxunicode + 1, _BLOCK):
        if start not in _SURROGATES:
            yield "".join(map(chr, range(start, start + _BLOCK)))
