"""Read and check a recipe: the folder and the `recipe.toml` that determine all that a build does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from core.contract import (
    NAME_PATTERN,
    RECIPE_FILE,
    VARIANT_FILES,
    FeaturePooling,
    Pooling,
    ProblemType,
    QuantizationForm,
)
from core.data.data_set import DataSet
from core.data.table import DataTable
from core.errors import RecipeError
from core.tables import Label, Line, Sha256, Table, read_table
from core.untrusted import limits

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
SourceSpec = Annotated[str, StringConstraints(pattern=r"^(hub|path|package):.+$")]
HubId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$")
]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class EncoderTable(Table):
    """`[encoder]`: where the checkpoint is, and how its tokens become one embedding."""

    source: SourceSpec
    pooling: Pooling
    normalize: bool
    max_length: Annotated[int, Field(ge=3)] | None = None
    sha256: dict[str, Sha256] = {}


class FeaturesTable(Table):
    """`[features]`, or each of several `[[features]]`: hidden states that the head reads.

    They take the place of the sentence embedding. Each of `layers` (0 is the embedding layer's output)
    is pooled in each way of `pooling`; the results are concatenated in this order, not normalized.
    """

    layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    pooling: Annotated[list[FeaturePooling], Field(min_length=1)]

    @property
    def parts(self) -> list[tuple[int, FeaturePooling]]:
        """Layer and pooling of each pooled hidden state, in order."""
        return [(layer, pooling) for layer in self.layers for pooling in self.pooling]


class HeadTable(Table):
    """`[head]`: where the published head is."""

    source: SourceSpec
    sha256: dict[str, Sha256] = {}
    # Read from the head; an error where the head is the other.
    problem_type: ProblemType | None = None


class ThresholdsTable(Table):
    """`[thresholds]`: where they are, where not beside the head, and what a label without one gets."""

    # A file; relative to the recipe's folder.
    source: Annotated[str, Field(min_length=1)] | None = None
    default: Annotated[float, Field(ge=0, lt=1)] | None = None


class LabelsTable(Table):
    """`[labels]`: the artifact's columns, in order."""

    names: Annotated[list[Label], Field(min_length=1, max_length=limits.LABELS)]

    @model_validator(mode="after")
    def _has_no_duplicates(self) -> Self:
        duplicates = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if duplicates:
            raise ValueError(f"duplicate label: {', '.join(duplicates)}")
        return self


class VariantTable(Table):
    """`[variants.X]`: the tolerances of one graph; at least one must be stated."""

    max_probability_error: Annotated[float, Field(gt=0, lt=1)] | None = None
    max_flip_rate: Annotated[float, Field(ge=0, lt=1)] | None = None
    # Where the search for `int8` begins.
    cheapest_form: QuantizationForm = "bare"

    @model_validator(mode="after")
    def _states_a_tolerance(self) -> Self:
        if self.max_probability_error is None and self.max_flip_rate is None:
            raise ValueError("states no tolerance: give max_probability_error or max_flip_rate")
        return self


class TextTable(Table):
    """`[text]`: the graph that takes texts, and the variant that it is made from."""

    variant: Literal["fp32", "int8", "guarded"]


class CardTable(Table):
    """`[card]`: what card, report and page say of the model that nothing else of the recipe states.

    `published` is a JSON file, relative to the recipe, with figures to compare an evaluation with. `encoder`
    and `head` name the parts for people; `thresholds` says how they were chosen; `licenses` has a sentence a
    part. What the data are, and are known to get wrong, stands in `[data]`.
    """

    title: Line | None = None
    description: Line | None = None
    examples: list[Line] = []
    published: Line | None = None

    encoder: Line | None = None
    head: Line | None = None
    use: Line | None = None
    misuse: Line | None = None
    training: Line | None = None
    thresholds: Line | None = None
    limits: list[Line] = []
    biases: list[Line] = []
    licenses: dict[Word, Line] = {}

    license: Word | None = None
    # The encoder's own repository on the hub where this is left out and it comes from there.
    base_model: HubId | None = None
    datasets: list[HubId] = []
    language: list[Word] = []
    tags: list[Word] = []


def _as_list(tables: object) -> object:
    return [tables] if isinstance(tables, dict) else tables


class Recipe(Table):
    """A whole recipe; `load` reads one."""

    name: Name
    contract: Literal["stacked", "per-label"]
    sentence_embedding: bool = False
    encoder: EncoderTable
    features: Annotated[list[FeaturesTable], BeforeValidator(_as_list)] = []
    head: HeadTable
    labels: LabelsTable
    thresholds: ThresholdsTable = ThresholdsTable()
    variants: Annotated[dict[str, VariantTable], Field(min_length=1)]
    data: DataTable | None = None
    text: TextTable | None = None
    card: CardTable = CardTable()

    @model_validator(mode="after")
    def _knows_its_variants(self) -> Self:
        unknown = sorted(set(self.variants) - set(VARIANT_FILES))
        if unknown:
            raise ValueError(f"unknown variant {', '.join(unknown)}; known: {', '.join(VARIANT_FILES)}")
        guarded = self.variants.get("guarded")
        if guarded and "int8" not in self.variants:
            raise ValueError("variants.guarded: found no variants.int8, which it answers by")
        if guarded and guarded.max_flip_rate is None:
            raise ValueError("variants.guarded: found no max_flip_rate, which its margins are chosen for")
        if self.text and self.text.variant not in self.variants:
            raise ValueError(f"text.variant: the recipe has no variant {self.text.variant}")
        return self

    @model_validator(mode="after")
    def _has_an_embedding(self) -> Self:
        if self.features and self.sentence_embedding:
            raise ValueError("sentence_embedding: a graph with [features] does not compute it")
        pairs = [pair for table in self.features for pair in table.parts]
        if len(set(pairs)) != len(pairs):
            raise ValueError(f"features: duplicate in {pairs}")
        if pairs and {layer for layer, _ in pairs} == {0}:
            raise ValueError("features.layers: expected a layer above 0")
        return self


def load(folder: Path) -> Recipe:
    """Read and check `folder/recipe.toml`.

    Raises:
        RecipeError: no such recipe, as `read_table`, or a name that is not the folder's.
    """
    path = folder / RECIPE_FILE
    if not path.exists():
        raise RecipeError(f"{path}: no such recipe; a recipe is a folder with {RECIPE_FILE}")
    recipe = read_table(Recipe, path)
    name = folder.resolve().name
    if recipe.name != name:
        raise RecipeError(f"{path}: name: found {recipe.name!r}, expected the folder's, {name!r}")
    return recipe


def data_of(recipe: Recipe, folder: Path, build: Path) -> DataSet | None:
    """Return the data of the recipe in `folder`, downloads kept in `build`; None where it states none.

    Raises:
        RecipeError: the file that holds its table cannot be read, or is wrong.
        DatasetError: it lacks a label of the recipe.
    """
    if recipe.data is None:
        return None
    return DataSet(recipe.data, folder, build / "data", recipe.labels.names)


def required_data(recipe: Recipe, folder: Path, build: Path) -> DataSet:
    """Return the data of a recipe as `data_of`.

    Raises:
        RecipeError: as `data_of`, or it states none.
    """
    data = data_of(recipe, folder, build)
    if data is None:
        expected = "expected texts with their labels, as docs/own-classifier.md has them"
        raise RecipeError(f"{folder / RECIPE_FILE}: found no [data], {expected}")
    return data
