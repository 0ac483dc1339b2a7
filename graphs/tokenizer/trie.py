"""Build a vocabulary as a double array: two look-ups a character, for all characters of a batch at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Word = tuple[int, ...]


@dataclass(frozen=True)
class Trie:
    """From state s, the symbol c leads to t = base[s] + c where check[t] == s, and nowhere else.

    `first` int32 `[2 * symbols]` is the state after a first symbol, of words that continue one and then
    of those that begin one. `token` and `length` are of the longest word that ends on the way to a state;
    length 0: none does. State 0 leads nowhere. A state's number is above its parent's, so that the
    largest of the states on a way is the last. All arrays are int32.
    """

    first: NDArray[np.int32]
    base: NDArray[np.int32]
    check: NDArray[np.int32]
    token: NDArray[np.int32]
    length: NDArray[np.int32]
    depth: int


@dataclass
class _Node:
    token: int
    length: int
    state: int = 0
    children: dict[int, _Node] = field(default_factory=dict)


class _Slots:
    """Free places of a growing array, and the first fit among them."""

    def __init__(self, begin: int) -> None:
        self.end, self.taken = begin, bytearray(b"\1" * begin)
        # From a place to one at or after it that may be free; shortened on the way.
        self.next = list(range(begin))

    def _grow(self, length: int) -> None:
        if length > len(self.taken):
            self.next.extend(range(len(self.taken), length))
            self.taken.extend(bytes(length - len(self.taken)))

    def _free(self, place: int) -> int:
        self._grow(place + 1)
        path = []
        while self.taken[place]:
            path.append(place)
            onward = self.next[place]
            place = onward if onward > place else place + 1
            self._grow(place + 1)
        for passed in path:
            self.next[passed] = place
        return place

    def fit(self, symbols: list[int], above: int) -> int:
        """Take a place for each symbol behind a common base, all above a place; return the base."""
        place = above
        while True:
            place = self._free(max(place + 1, symbols[0]))
            base = place - symbols[0]
            self._grow(base + symbols[-1] + 1)
            if not any(self.taken[base + symbol] for symbol in symbols):
                for symbol in symbols:
                    self.taken[base + symbol] = 1
                return base


def trie(beginning: Mapping[Word, int], continuing: Mapping[Word, int], symbols: int) -> Trie:
    """Build a trie of words, symbol by symbol → token id; `symbols` is the size of the alphabet."""
    roots = [_Node(-1, 0), _Node(-1, 0)]
    for root, words in zip(roots, (continuing, beginning), strict=True):
        for word, token in words.items():
            node = root
            for symbol in word:
                node = node.children.setdefault(symbol, _Node(-1, 0))
            node.token, node.length = token, len(word)
    first = np.zeros(2 * symbols, np.int32)
    level: list[_Node] = []
    for number, root in enumerate(roots):
        for symbol, node in root.children.items():
            level.append(node)
            node.state = first[number * symbols + symbol] = len(level)
    slots, base, parents, ends = _Slots(len(level) + 1), {0: 0}, {}, {0: _Node(-1, 0)}
    depth = 0
    while level:
        depth, below = depth + 1, []
        for node in level:
            ends[node.state] = node
            if not node.children:
                continue
            at = base[node.state] = slots.fit(sorted(node.children), node.state)
            for symbol, child in node.children.items():
                child.state = at + symbol
                parents[child.state] = node.state
                if not child.length:
                    child.token, child.length = node.token, node.length
                below.append(child)
        level = below
    # Any symbol may be added to any base.
    size = max(max(ends), max(base.values())) + symbols + 1
    bases, checks, tokens, lengths = (np.full(size, empty, np.int32) for empty in (0, -1, -1, 0))
    for state, node in ends.items():
        bases[state], checks[state] = base.get(state, 0), parents.get(state, -1)
        tokens[state], lengths[state] = node.token, node.length
    return Trie(first, bases, checks, tokens, lengths, depth)
