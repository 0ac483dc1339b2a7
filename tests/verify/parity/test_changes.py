"""What a record keeps of the changes: one a text, sentences and test patterns apart, no text at length."""

from __future__ import annotations

import json

import pytest

from core.build import reference
from tests.support.places import DEFAULT
from verify.parity import changes


@pytest.mark.parametrize(
    "text",
    [
        "I love this.",
        "WHY IS EVERYONE SHOUTING",
        "My grandmother passed away last night.",
        "Привет, как дела?",
        "我真的很生气。",
        "The first chapter starts slowly, but it gets better. I was angry when it ended.",
    ],
)
def test_a_sentence_is_natural(text):
    assert changes.is_natural(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ok",
            "!!!",
            "1234567890",
            "2019-01-31 23:59:59",
            '{"json": [1, 2, 3]}',
            "[CLS] [MASK] [PAD] [UNK]",
        ),
        *("very " * 500, "ab " * 40, "x" * 100, "whyyyyyyy would you dooooo thaaaaat", "😂😂😂😂😂"),
        "The first chapter starts slowly. " * 9,
    ],
)
def test_a_test_pattern_is_not(text):
    assert not changes.is_natural(text)


def test_one_a_text_and_the_largest_of_all_is_kept():
    texts = ["x" * 50] * 8 + [f"this is the text of number {'abcdefghijklmno'[at]}" for at in range(15)]
    # Two labels; the first eight texts are none that a person writes.
    order = [3, 2, 17, 16, *range(0, 46)]
    kept = changes.chosen(order, 2, texts)
    rows = [index // 2 for index in kept]
    assert kept[:2] == [3, 17]
    assert len(set(rows)) == len(rows) == 15
    assert sum(row < 8 for row in rows) == 5
    assert kept == sorted(kept, key=order.index)


def test_a_long_text_is_named_by_its_place():
    found = changes.stated(["a", "sad " * 2000], 1)
    assert found == {"text": ("sad " * 50), "place": 1, "characters": 8000, "natural": False}


def test_the_manifest_repeats_no_text_at_length(artifact):
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    texts = reference.read(DEFAULT / "reference.npz").texts
    rows = [
        row for v in manifest["variants"] for kind in ("worst", "worst_flips") for row in v["parity"][kind]
    ]
    assert rows
    for row in rows:
        text = texts[row["place"]]
        assert (row["text"], row["characters"]) == (text[:200], len(text))
    assert sum(len(row["text"]) for row in rows) < 10_000
