"""A recipe to change, and loading one from its text."""

from __future__ import annotations

from pathlib import Path

from core import recipe
from core.data.data_set import DataSet
from tests.support.places import DEFAULT

GOOD = """name = "mine"
contract = "stacked"
[encoder]
source = "path:encoder"
pooling = "mean"
normalize = true
max_length = 64
[head]
source = "path:head"
[labels]
names = ["joy", "fear"]
[variants.fp32]
max_probability_error = 1e-5
[variants.int8]
max_flip_rate = 0.1
"""


def load(tmp_path: Path, text: str, name: str = "mine") -> recipe.Recipe:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(text, "utf-8")
    return recipe.load(folder)


def go_emotions(cache: Path) -> DataSet:
    """The default recipe's data; where they are, the fixture of this name knows."""
    return recipe.required_data(recipe.load(DEFAULT), DEFAULT, cache)
