"""What onnxruntime in Python says of the texts that the JavaScript tests compare on.

`python -m tests.js.expected ARTIFACT RECIPE BUILD` writes `BUILD/js/expected.json`: the stored reference's
texts, these hostile ones, and 500 of GoEmotions test where the data set is at hand. Each text alone;
float32 as the shortest exact decimals.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

from core import recipe as recipes
from core.artifact import manifest, tokens
from core.artifact.graph import Graph
from core.build import reference
from core.disk.files import write_text

GO_EMOTIONS_TEXTS = 500
# Written before any tokenizer was tried on them.
HOSTILE = [
    "\x00",
    "nul\x00inside",
    "tabs\tand\r\nlines\x0b\x0c\x85\u2028\u2029",
    "bell\x07 escape\x1b[0m delete\x7f",
    "zero\u200bwidth\u200djoiner\ufeff",
    "cafe\u0301 café naïve nai\u0308ve Å \u212b",
    "İstanbul ıssız ẞ ß ﬁne Ǆ ǅ",
    "한국어 \u1112\u1161\u11ab 日本語 中文。",
    "[SEP] typed [CLS] in [MASK] a [PAD] text [UNK]",
    "[sep] [Mask]",
    "phone🤣great 👩‍👩‍👧 🇳🇴 ✊🏽 ❤️",
    "a≠b ½ ² ™ … “quotes” ‘single’ —dash",
    "\u202cpop\u202e right to left עברית العربية",
    "##ing ##",
    "x" * 100,
    "x" * 101,
    "happy " * 2000,
    "$%^&*`~|<>+=",
    "\u0915\u094d\u0937 \u0e01\u0e33 \u0bcd",
    "\U0001d5d4\U0001d5ef\U0001d5f6 \U00020000 \U000e0001",
    "   ",
    "\u00ad soft\u00adhyphen \u3000 wide",
]


def _json(folder: Path, recipe: Path, build: Path) -> str:
    stored = reference.read(folder / "reference.npz")
    groups = {"reference": stored.texts, "hostile": HOSTILE}
    data = recipes.data_of(recipes.load(recipe), recipe, build)
    if data and data.at_hand("test"):
        every = data.read("test").texts
        groups["go_emotions"] = every[:: len(every) // GO_EMOTIONS_TEXTS][:GO_EMOTIONS_TEXTS]
    texts = [text for group in groups.values() for text in group]
    ids = tokens.encode(folder / "tokenizer.json", texts)
    whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
    whole.no_truncation()
    lengths = [len(encoding) for encoding in whole.encode_batch(texts)]
    variants = {}
    for variant in manifest.variants(folder):
        answers = Graph(variant.file).run_batches(ids, 1)
        # str() of a float32 is the shortest decimal that reads back as the same float32.
        rows = [[float(str(value)) for value in row] for row in answers.probabilities]
        decisions = answers.predictions.astype(int).tolist()
        file = variant.file.relative_to(folder).as_posix()
        variants[variant.name] = {"file": file, "probabilities": rows, "decisions": decisions}
    return json.dumps(
        {
            "groups": {name: len(group) for name, group in groups.items()},
            "labels": stored.labels,
            "thresholds": stored.thresholds,
            "texts": texts,
            "ids": ids,
            "truncated": [len(row) < length for row, length in zip(ids, lengths, strict=True)],
            "variants": variants,
        }
    )


if __name__ == "__main__":
    artifact, recipe, build = map(Path, sys.argv[1:])
    write_text(build / "js" / "expected.json", _json(artifact, recipe, build))
