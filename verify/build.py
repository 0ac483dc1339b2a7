"""The files of one build, as the gates and the release read them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import recipe
from core.artifact.manifest import Tolerance
from core.contract import TEXT_FILE, VARIANT_FILES
from core.data.data_set import DataSet
from core.errors import ArtifactError
from core.recipe import Recipe
from core.untrusted import json_file

PARITY_FILE = "parity.json"
TEXT_RECORD_FILE = "text.json"
EVALUATION_FILE = "evaluation.json"
# In the recipe's folder.
FIGURES_FILE = "figures.json"


@dataclass(frozen=True)
class Build:
    """The files of one build: `recipe_folder`, and what the stages left in `folder`."""

    recipe: Recipe
    recipe_folder: Path
    folder: Path

    @staticmethod
    def of(arguments: Namespace) -> Build:
        """Return the build that a command line names.

        Raises:
            RecipeError: the recipe cannot be read.
        """
        return Build(recipe.load(arguments.recipe), arguments.recipe, arguments.build)

    def graph(self, variant: str) -> Path:
        """Return the path of a variant's finished graph."""
        return self.folder / Path(VARIANT_FILES[variant]).name

    @property
    def text_graph(self) -> Path:
        """The path of the finished graph that takes texts."""
        return self.folder / Path(TEXT_FILE).name

    @property
    def data(self) -> DataSet | None:
        """The recipe's own data, if any.

        Raises:
            RecipeError, DatasetError: as `recipe.data_of`.
        """
        return recipe.data_of(self.recipe, self.recipe_folder, self.folder)

    def tolerance(self, variant: str) -> Tolerance:
        """Return the recipe's tolerances of a variant."""
        stated = self.recipe.variants[variant]
        return Tolerance(stated.max_probability_error, stated.max_flip_rate)

    def json(self, name: str) -> Any:
        """Read a JSON file of the build.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        path = self.folder / name
        if not path.is_file():
            raise ArtifactError(f"{path}: cannot be read: no such file; run `make verify`")
        return json_file.read(path, ArtifactError)
