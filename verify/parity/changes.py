"""Choose which changes of a probability a record keeps: one a text, and sentences before test patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# At most so many texts that read like a sentence, and so many others; of each so many characters: a reader
# finds it by its place.
MOST = {True: 10, False: 5}
_CHARACTERS = 200
# In scripts without spaces, a character counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+")
_STRETCHED = re.compile(r"(.)\1{3}", re.DOTALL)


def is_natural(text: str) -> bool:
    """Tell whether a text reads like a sentence: three different words, mostly letters, not repeated."""
    words = [word.casefold() for word in _WORD.findall(text)]
    different = len(set(words))
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return (
        different >= 3
        and len(words) <= 2 * different
        and letters >= 0.8 * len(text)
        and not _STRETCHED.search(text)
    )


def chosen(order: Sequence[int], labels: int, texts: Sequence[str]) -> list[int]:
    """Return of flat indices of text and label the first of each text: ten natural texts and five others.

    Args:
        order: flat indices, the largest change first; the answer is in the same order.
        labels: how many a text has.
        texts: what the first of the two places counts.
    """
    left, seen, kept = dict(MOST), set(), []
    for index in order:
        row = index // labels
        if row in seen:
            continue
        seen.add(row)
        natural = is_natural(texts[row])
        if left[natural]:
            left[natural] -= 1
            kept.append(index)
        if not any(left.values()):
            break
    return kept


def stated(texts: Sequence[str], row: int) -> dict[str, Any]:
    """Return what a record says of a text: its beginning, its place in the list, its characters, its kind."""
    text = texts[row]
    return {
        "text": text[:_CHARACTERS],
        "place": row,
        "characters": len(text),
        "natural": is_natural(text),
    }
