"""What is measured of a graph that takes texts."""

from __future__ import annotations

import numpy as np
import pytest

from core.artifact.graph import Answers
from core.errors import ArtifactError
from verify.parity import text_ids


class Fake:
    """Answers with a probability a text; `shift` is added to the last text of all."""

    def __init__(self, texts, shift=0.0):
        self.rows = {text: number / 100 for number, text in enumerate(texts)}
        self.rows[texts[-1]] += shift

    def run_texts(self, texts):
        probabilities = np.array([[self.rows[text]] for text in texts], np.float32)
        return Answers(probabilities, probabilities, probabilities >= 0.395)

    def run(self, ids):
        return self.run_texts(["".join(map(chr, row)) for row in ids])


TEXTS = [chr(97 + number % 26) * (number % 5 + 1) + str(number) for number in range(40)]
IDS = [[ord(c) for c in text] for text in TEXTS]


def test_the_hostile_list_has_every_kind_that_was_asked_for():
    texts = text_ids.hostile()
    assert len(texts) == 353
    for part in (
        "",
        "\0",
        "\u0301",
        "한",
        "İ",
        "[SEP]",
        "\u202e",
        "\ufe0f",
        "Ｈ",
        "中",
        "≠",
        "\ud7ff",
        "\ue000",
        "\x1b",
    ):
        assert any(part == text or (part and part in text) for text in texts), part
    assert max(map(len, texts)) >= 10000
    assert any(text and not text.strip() for text in texts)
    "".join(texts).encode("utf-8")


def test_equal_answers():
    found = text_ids.compare_answers(Fake(TEXTS), Fake(TEXTS), TEXTS, IDS)
    assert found == text_ids.Agreement(40, 0.0, 0)
    assert found.failure("x", "int8") is None


@pytest.mark.parametrize(("shift", "decisions"), [(2e-6, 0), (0.01, 1), (np.nan, 0)])
def test_other_answers(shift, decisions):
    found = text_ids.compare_answers(Fake(TEXTS, shift), Fake(TEXTS), TEXTS, IDS)
    assert found.max_probability_difference == pytest.approx(shift, rel=0.1, nan_ok=True)
    assert found.different_decisions == decisions
    assert f"and {decisions} texts with other decisions" in found.failure("x", "int8")


@pytest.mark.parametrize(
    ("found", "first"),
    [
        ([1, 9, 3], "token 1: found [9, 3] of 3, expected [2, 3] of 3"),
        ([1, 2], "token 2: found [] of 2, expected [3] of 3"),
        ([1, 2, 3, 4], "token 3: found [4] of 4, expected [] of 3"),
    ],
)
def test_other_token_ids(found, first):
    compared = text_ids.compare_ids(["a", "b"], [[5], found], [[5], [1, 2, 3]])
    assert (compared.texts, compared.differ) == (2, 1)
    assert compared.first == f"'b', {first}"
    assert text_ids.compare_ids(["a"], [[5]], [[5]]) == text_ids.Differing(1, 0, None)


def test_a_tokenizer_that_is_no_graph(tmp_path):
    with pytest.raises(ArtifactError, match=r"x\.onnx: cannot be read"):
        text_ids.GraphTokenizer(tmp_path / "x.onnx")
