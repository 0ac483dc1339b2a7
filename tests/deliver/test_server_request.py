"""What a request to the server may hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.errors import RequestError
from deliver.server import v2
from deliver.server.batcher import Row
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


def tensors(**more):
    text = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    return {"inputs": [text | more.pop("text", {})], **more}


@pytest.mark.parametrize(
    "given",
    [
        tensors(),
        tensors(parameters={"binary_data_output": True}, outputs=[]),
        tensors(text={"shape": [2, 1]}),
        tensors(text={"shape": [2, 1], "data": [["a"], ["b"]], "parameters": {"content_type": "str"}}),
    ],
)
def test_texts_of_a_tensor(given):
    found = v2.asked_of(json.dumps(given).encode())
    assert found == (["a", "b"], ["probabilities", "predictions"], None)


def test_outputs_and_id_are_those_asked_for():
    given = tensors(id="7", outputs=[{"name": "predictions", "parameters": {"binary_data": False}}])
    asked = v2.asked_of(json.dumps(given).encode())
    assert asked == (["a", "b"], ["predictions"], "7")
    rows = [Row(np.array([0.5, 0.25], np.float32), np.array(pair)) for pair in ([True, False], [False, True])]
    assert v2.inferred("n", asked, rows) == {
        "model_name": "n",
        "model_version": "1",
        "id": "7",
        "outputs": [
            {
                "name": "predictions",
                "datatype": "BOOL",
                "shape": [2, 2],
                "data": [True, False, False, True],
            }
        ],
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "inputs: expected a list of one input"),
        ({"inputs": []}, "inputs: found [], expected ['text']"),
        ({"inputs": [{"name": "input_ids"}]}, "inputs: found ['input_ids'], expected ['text']"),
        ({"inputs": [3]}, "inputs: found [None]"),
        (tensors(text={"datatype": "FP32"}), "text: datatype: found 'FP32', expected BYTES"),
        (tensors(text={"shape": None}), "text: shape: expected a list of numbers"),
        (tensors(text={"data": "a"}), "text: data: expected a list of strings"),
        (tensors(text={"shape": [3]}), "text: shape: found [3] and 2 strings"),
        (tensors(text={"shape": [1, 2]}), "text: shape: found [1, 2] and 2 strings"),
        (tensors(text={"data": ["a", 1]}), "text: data[1]: found a number, expected a string"),
        (tensors(text={"shape": [0], "data": []}), "text: data: found 0, expected 1 to 256"),
        (tensors(outputs=3), "outputs: expected a list"),
        (tensors(outputs=[{"name": "logits"}]), "outputs: found ['logits'], expected some of"),
        (tensors(outputs=[{"name": "predictions"}] * 2), "outputs: found ['predictions', 'predictions']"),
        (tensors(id=3), "id: expected a string"),
    ],
)
def test_tensors_of_another_form_are_named(given, words):
    with pytest.raises(RequestError) as told:
        v2.asked_of(json.dumps(given).encode())
    assert words in str(told.value)
