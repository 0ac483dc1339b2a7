"""Write the model card of an artifact from its manifest."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_HEADER = """\
import json

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

session = onnxruntime.InferenceSession("{file}")
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_padding()
encoded = tokenizer.encode_batch(["I love this!", "Why would anyone do that?"])
inputs = {{
    "input_ids": np.array([text.ids for text in encoded]),
    "attention_mask": np.array([text.attention_mask for text in encoded]),
}}
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
"""
_STACKED = """\
_, probabilities, predictions = session.run(["logits", "probabilities", "predictions"], inputs)
for row, decided in zip(probabilities, predictions):
    print({label: float(p) for label, p, yes in zip(labels, row, decided) if yes})
"""
_PER_LABEL = """\
thresholds = json.loads(session.get_modelmeta().custom_metadata_map["thresholds"])
positive = np.stack(session.run(labels, inputs), axis=1)[..., 1]
for row in positive:
    print({label: float(p) for label, p in zip(labels, row) if p >= thresholds[label]})
"""


def snippet(contract: str, file: str) -> str:
    """Return the Python program of the card, which runs as it stands in the artifact's folder."""
    return _HEADER.format(file=file) + (_STACKED if contract == "stacked" else _PER_LABEL)


def render(values: dict[str, Any]) -> str:
    """Return the model card as Markdown."""
    environment = Environment(
        loader=PackageLoader("verify.report", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.j2").render(values)
