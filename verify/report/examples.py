"""What an artifact answers to the recipe's first examples, for the comments in its card's programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.artifact import tokens
from core.artifact.graph import Graph
from core.artifact.manifest import TOKENIZER_FILE
from core.contract import TEXT_FILE, VARIANT_FILES
from core.recipe import Recipe

# Where the recipe has none.
_TEXTS = ["I love this!", "Why would anyone do that?"]


def texts(recipe: Recipe) -> list[str]:
    """Return the texts of the card's programs, two at most."""
    return recipe.card.examples[:2] or _TEXTS


def _labels(graph: Graph, given: list[str], tokenizer: Path | None) -> list[dict[str, float]]:
    found = graph.run_texts(given) if tokenizer is None else graph.run(tokens.encode(tokenizer, given))
    return [
        {label: round(float(p), 2) for label, p, said in zip(graph.labels, row, decided, strict=True) if said}
        for row, decided in zip(found.probabilities, found.predictions, strict=True)
    ]


def answers(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Return for each graph of `folder`, by its file, the labels and probabilities of each of the texts.

    Raises:
        ArtifactError: a graph or the tokenizer fails.
    """
    given = texts(recipe)
    files = [VARIANT_FILES[name] for name in recipe.variants]
    found = {file: _labels(Graph(folder / file, 1), given, folder / TOKENIZER_FILE) for file in files}
    if recipe.text is not None:
        found[TEXT_FILE] = _labels(Graph(folder / TEXT_FILE, 1), given, None)
    return {"texts": given, "answers": found}
