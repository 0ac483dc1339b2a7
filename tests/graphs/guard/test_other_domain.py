"""What was chosen on one kind of texts holds on another: `guarded` decides as `fp32` does there as well."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from core import runtime
from core.artifact.graph import Graph
from core.contract import PREDICTIONS, PROBABILITIES, VARIANT_FILES
from core.untrusted import tokenizer_file
from tests.support.domains import other_texts

BATCH_SIZE = 32


def answers(path, ids):
    """Probabilities and predictions of some texts, in batches in their order."""
    session = onnxruntime.InferenceSession(path)
    batches = (ids[start : start + BATCH_SIZE] for start in range(0, len(ids), BATCH_SIZE))
    found = [
        session.run([PROBABILITIES, PREDICTIONS], runtime.feeds(*runtime.pad(batch))) for batch in batches
    ]
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


@pytest.mark.slow
def test_guarded_decides_as_float32_does_on_texts_of_another_domain(artifact):
    if not (artifact / VARIANT_FILES["guarded"]).is_file():
        pytest.skip(f"{artifact}: no variant guarded")
    texts = other_texts()
    assert (len(texts), len(set(texts))) == (500, 500)
    tokenizer = tokenizer_file.load(artifact / "tokenizer.json", AssertionError)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    assert max(map(len, ids)) == 512
    exact, guarded, int8 = (
        answers(artifact / VARIANT_FILES[name], ids) for name in ("fp32", "guarded", "int8")
    )
    # Of the float branch: up to rounding what fp32 says.
    asked = abs(guarded[0] - exact[0]).max(axis=1) < 1e-5
    flips = [(other[1] != exact[1]).any(axis=1) for other in (guarded, int8)]
    rates = [float(flipped.mean()) for flipped in flips]
    print(
        f"500 texts of another domain: {asked.mean():.3f} asked twice; flips {rates[0]:g}, int8 {rates[1]:g}"
    )
    assert 0 < asked.mean() < 0.4
    stated = Graph(artifact / VARIANT_FILES["guarded"]).metadata.guard
    assert stated is not None
    assert rates[0] <= stated["max_flip_rate"]
