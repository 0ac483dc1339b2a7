"""The double array, against a dictionary of words."""

from __future__ import annotations

import numpy as np
import pytest

from graphs.tokenizer.trie import trie


def walk(found, symbols, word, *, begins):
    state = found.first[begins * symbols + word[0]]
    way = [state]
    for symbol in word[1:]:
        onward = found.base[state] + symbol
        state = onward if found.check[onward] == state else 0
        way.append(state)
    return way


def longest(words, word):
    ends = [end for end in range(1, len(word) + 1) if word[:end] in words]
    return (words[word[: ends[-1]]], ends[-1]) if ends else (-1, 0)


@pytest.mark.parametrize(("symbols", "count", "seed"), [(3, 40, 0), (30, 500, 1), (400, 3000, 2)])
def test_it_finds_the_longest_word_from_either_root(symbols, count, seed):
    random = np.random.default_rng(seed)

    def words():
        lengths = random.integers(1, 9, count)
        # Few distinct symbols, so that words share beginnings.
        made = {tuple((random.zipf(1.5, n) % (symbols - 1) + 1).tolist()) for n in lengths}
        return {word: number for number, word in enumerate(sorted(made))}

    roots = {True: words(), False: words()}
    found = trie(roots[True], roots[False], symbols)
    assert found.depth == max(len(word) for known in roots.values() for word in known)
    asked = [*roots[True], *roots[False]]
    asked += [tuple(random.integers(0, symbols, random.integers(1, 9)).tolist()) for _ in range(count)]
    for word in asked:
        for begins, known in roots.items():
            way = walk(found, symbols, word, begins=begins)
            last = max(way)
            # The last state of a walk is the largest, and the walk ends for good.
            assert sorted(state for state in way if state) == [state for state in way if state]
            assert way == [state for state in way if state] + [0] * way.count(0)
            if last:
                assert (found.token[last], found.length[last]) == longest(known, word)
            else:
                assert not any(word[0] == other[0] for other in known)


def test_no_symbol_leads_out_of_the_arrays():
    symbols = 50
    found = trie({(49, 49, 1): 7, (1,): 3}, {(49,): 5}, symbols)
    assert found.base.max() + symbols <= len(found.check)
    assert (found.token[0], found.length[0]) == (-1, 0)
    assert not (found.check == 0).any()
