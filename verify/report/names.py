"""Call the parts of an artifact by names for people, not `path:.` or a path of the machine that built it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from core.recipe import Recipe
from verify import readable
from verify.escape import code, inline
from verify.quality import published


def _parts(source: str) -> tuple[str, str]:
    kind, _, reference = source.partition(":")
    return kind, reference.partition("@")[0] if kind == "hub" else reference


def origin(source: str, revision: str | None, recipe: str, code: Callable[[str], str] = code) -> str:
    """Return where a source is from, in a line of Markdown: a hub's repository, a package, a folder's name.

    `code` sets a name apart.
    """
    kind, reference = _parts(source)
    name = PurePosixPath(reference).name
    if kind == "hub":
        place = f"{code(reference)} on the Hugging Face hub"
    elif kind == "package":
        place = f"the Python package {code(reference.partition('/')[0])}"
    elif name.strip(". ~"):
        place = f"a local folder, {code(name)}"
    else:
        place = f"the folder of the recipe {code(recipe)}"
    return f"{place}, revision {code(revision)}" if revision else place


def is_own(recipe: Recipe, described: dict[str, Any], part: str) -> bool:
    """Whether an artifact's encoder or head is the recipe's, of which its card speaks, or one in its place.

    A local folder of the same name as the hub's repository is taken for it.
    """
    built = described[part]["source"]
    stated = recipe.encoder.source if part == "encoder" else recipe.head.source
    kind, reference = _parts(stated)
    repositories = [reference] if kind == "hub" else []
    repositories += [recipe.card.base_model] if part == "encoder" and recipe.card.base_model else []
    return stated == built or any(published.is_of(name, built) for name in repositories)


def named(recipe: Recipe, described: dict[str, Any], part: str) -> str:
    """Return what people call an artifact's encoder or head, as a line of Markdown."""
    own = is_own(recipe, described, part)
    given = recipe.card.encoder if part == "encoder" else recipe.card.head
    if own and given:
        return inline(given)
    if own and part == "encoder" and recipe.card.base_model:
        return inline(recipe.card.base_model)
    return origin(described[part]["source"], None, recipe.name)


def bound(stated: str) -> str:
    """Return what a guarded graph states of its margins, in one bound: that over texts."""
    first = readable.grouped(stated.partition(";")[0])
    return first.replace("decided otherwise than", "get other labels than").replace("95%", "95 %")
