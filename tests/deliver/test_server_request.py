"""What a request to the server may hold."""

from __future__ import annotations

import json

import pytest

from core.errors import RequestError
from deliver.server.request import CHARACTERS, TEXTS, texts_of


@pytest.mark.parametrize("texts", [[""], ["a", "ünï 😀", "\0"], ["x" * CHARACTERS], ["a"] * TEXTS])
def test_texts_come_out_as_they_are(texts):
    assert texts_of(json.dumps({"texts": texts}).encode()) == texts
    assert texts_of(json.dumps({"texts": texts}, ensure_ascii=False).encode()) == texts


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body: cannot be read as JSON"),
        (b'{"texts": ["\xe4"]}', "body: cannot be read as JSON"),
        (b'{"texts": ["\\ud83d"]}', "is no character"),
        (b"3", "body: found a number, expected"),
        (b"null", "body: found null, expected"),
        (b"{}", "body: texts is missing"),
        (b'{"texts": ["a"], "more": 1}', "body: found 'more', expected"),
        (b'{"texts": {"a": 1}}', "texts: found an object, expected a list of strings"),
        (b'{"texts": []}', "texts: found 0, expected 1 to 256"),
        (b'{"texts": ["a", null]}', "texts[1]: found null, expected a string"),
    ],
)
def test_anything_else_is_named(body, words):
    with pytest.raises(RequestError) as told:
        texts_of(body)
    assert words in str(told.value)


def test_limits_are_of_the_number_and_of_each_length():
    with pytest.raises(RequestError, match="found 257, expected 1 to 256"):
        texts_of(json.dumps({"texts": ["a"] * (TEXTS + 1)}).encode())
    with pytest.raises(RequestError, match=r"texts\[1\]: found 100,001 characters, expected at most 100,000"):
        texts_of(json.dumps({"texts": ["a", "x" * (CHARACTERS + 1)]}).encode())
