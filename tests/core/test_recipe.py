"""Recipes: what is read, and that every error names the file and the field."""

from __future__ import annotations

import re
import time

import pytest

from core import recipe
from core.errors import RecipeError
from tests.support.factories import write_recipe
from tests.support.places import ROOT
from tests.support.recipes import GOOD, load


def test_reads_what_is_written(tmp_path):
    loaded = load(tmp_path, GOOD)
    assert (loaded.name, loaded.contract, loaded.sentence_embedding) == ("mine", "stacked", False)
    assert loaded.encoder.model_dump() == {
        "source": "path:encoder",
        "pooling": "mean",
        "normalize": True,
        "max_length": 64,
        "sha256": {},
    }
    assert loaded.head.source == "path:head"
    assert loaded.labels.names == ["joy", "fear"]
    assert loaded.variants["fp32"].max_probability_error == 1e-5
    assert loaded.variants["fp32"].max_flip_rate is None
    assert loaded.variants["int8"].max_flip_rate == 0.1
    assert loaded.text is None
    assert load(tmp_path / "more", GOOD + '[text]\nvariant = "int8"\n').text.variant == "int8"


WRONG = [
    ('name = "mine"', 'name = "mine"\ncolour = "red"', "colour: unknown key"),
    ("normalize = true", "normalize = true\ncolour = 1", "encoder.colour: unknown key"),
    ("[head]", "[head]\ncolour = 1", "head.colour: unknown key"),
    ("max_flip_rate = 0.1", "max_flip_rate = 0.1\nflips = 1", "variants.int8.flips: unknown key"),
    ('name = "mine"\n', "", "name: missing"),
    ('pooling = "mean"\n', "", "encoder.pooling: missing"),
    ('[head]\nsource = "path:head"\n', "", "head: missing"),
    ('names = ["joy", "fear"]', "", "labels.names: missing"),
    ("normalize = true", 'normalize = "yes"', "encoder.normalize: .*boolean.*'yes'"),
    ("normalize = true", "normalize = 1", "encoder.normalize: .*boolean.*1"),
    ("max_length = 64", 'max_length = "64"', "encoder.max_length: .*integer.*'64'"),
    ("max_length = 64", "max_length = 2", "encoder.max_length: .*3.*found 2"),
    ('pooling = "mean"', 'pooling = "max"', "encoder.pooling: .*'cls' or 'mean'.*'max'"),
    ('contract = "stacked"', 'contract = "both"', "contract: .*'stacked'.*'both'"),
    ('"path:encoder"', '"BAAI/bge-small-en"', "encoder.source: .*'BAAI/bge-small-en'"),
    ('"path:head"', '"http://x/y"', "head.source: .*'http://x/y'"),
    ("[head]", 'sha256 = { "a" = "12" }\n[head]', "encoder.sha256.a: .*'12'"),
    ('["joy", "fear"]', '["joy", "fear", "joy"]', "labels: duplicate label: joy"),
    ('["joy", "fear"]', '["joy", 3]', "labels.names.1: .*string.*3"),
    ('["joy", "fear"]', "[]", "labels.names: "),
    ('["joy", "fear"]', '["joy", ""]', "labels.names.1: "),
    ("variants.int8", "variants.fp16", "unknown variant fp16; known: fp32, int8, guarded"),
    ("variants.int8", "variants.guarded", "variants.guarded: found no variants.int8, which it answers by"),
    (
        "max_flip_rate = 0.1",
        "max_flip_rate = 0.1\n[variants.guarded]\nmax_probability_error = 0.1",
        "variants.guarded: found no max_flip_rate, which its margins are chosen for",
    ),
    ("max_flip_rate = 0.1", "", "variants.int8: states no tolerance"),
    ("[labels]", '[text]\nvariant = "int4"\n[labels]', "text.variant: .*'int4'"),
    ("[labels]", "[text]\n[labels]", "text.variant: missing"),
    (
        "[variants.int8]\nmax_flip_rate = 0.1",
        '[text]\nvariant = "int8"',
        "the recipe: text.variant: the recipe has no variant int8",
    ),
    ("max_flip_rate = 0.1", "max_flip_rate = 1.5", "variants.int8.max_flip_rate: .*1.5"),
    ("max_flip_rate = 0.1", "max_flip_rate = nan", "variants.int8.max_flip_rate: .*nan"),
    ("1e-5", "0.0", "variants.fp32.max_probability_error: .*0.0"),
    ("1e-5", "true", "variants.fp32.max_probability_error: .*True"),
    ('name = "mine"', 'name = "Mine!"', "name: .*'Mine!'"),
    ('name = "mine"', 'name = "yours"', "name: found 'yours', expected the folder's, 'mine'"),
    ("[encoder]", "[encoder", "cannot be read as TOML"),
    ("[head]", "[head]\n[head]", "cannot be read as TOML"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[case[2][:40] for case in WRONG])
def test_an_error_names_the_file_and_the_field(tmp_path, old, new, message):
    assert GOOD.count(old) >= 1
    path = re.escape(str(tmp_path / "mine" / "recipe.toml"))
    with pytest.raises(RecipeError, match=f"^{path}: .*{message}"):
        load(tmp_path, GOOD.replace(old, new, 1))


def test_no_variants(tmp_path):
    with pytest.raises(RecipeError, match=r"recipe\.toml: variants: missing"):
        load(tmp_path, GOOD[: GOOD.index("[variants.fp32]")])


def test_no_such_recipe(tmp_path):
    with pytest.raises(RecipeError, match=f"{re.escape(str(tmp_path / 'none'))}.*no such recipe"):
        recipe.load(tmp_path / "none")


def test_not_utf8(tmp_path):
    (tmp_path / "recipe.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(RecipeError, match=r"recipe\.toml: cannot be read as TOML"):
        recipe.load(tmp_path)


FP32, INT8 = "[variants.fp32]", "[variants.int8]"
TABLES = f"{FP32}\nmax_probability_error = 1e-5\n{INT8}\nmax_flip_rate = 0.1\n"
INLINE = "[variants]\nfp32 = { max_probability_error = 1e-5 }\nint8 = { max_flip_rate = 0.1 }\n"
SPELLINGS = {
    "inline": lambda text: text.replace(TABLES, INLINE),
    "indented": lambda text: text.replace(FP32, f"  {FP32}"),
    "quoted": lambda text: text.replace(FP32, '[variants."fp32"]'),
    "a comment": lambda text: text.replace(FP32, f"{FP32} # the exact one"),
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "single quotes": lambda text: text.replace('variant = "fp32"', "variant = 'fp32'"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_recipe_in_any_spelling_of_toml(tmp_path, spelling):
    plain = GOOD + '[text]\nvariant = "fp32"\n'
    spelled = SPELLINGS[spelling](plain)
    assert spelled != plain
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "recipe.toml").write_bytes(spelled.encode())
    assert recipe.load(folder) == load(tmp_path / "plain", plain)


def test_the_folder_may_be_given_relatively(tmp_path, monkeypatch):
    monkeypatch.chdir(write_recipe(tmp_path / "mine", ["joy"], "path:e", "path:h"))
    assert recipe.load(recipe.Path()).name == "mine"


@pytest.mark.parametrize(
    "name", ["bge-small-en-go-emotions", "bge-small-en-go-emotions-layers", "minilm-l6-go-emotions"]
)
def test_the_committed_recipes_load(name):
    loaded = recipe.load(ROOT / "recipes" / name)
    assert loaded.name == name
    assert len(loaded.labels.names) == 28
    assert (loaded.labels.names[0], loaded.labels.names[-1]) == ("admiration", "neutral")
    assert loaded.encoder.pooling == {"b": "cls", "m": "mean"}[name[0]]
    assert set(loaded.variants) == {"fp32", "int8", *(["guarded"] if name[0] == "m" else [])}
    assert loaded.text.variant == "int8"


def test_more_labels_than_a_classifier_has_are_refused_at_once(tmp_path):
    names = "names = [" + ",".join(f'"{number}"' for number in range(5_000)) + "]"
    with pytest.raises(RecipeError, match=r"labels\.names: .* at most 4096") as told:
        load(tmp_path, GOOD.replace('names = ["joy", "fear"]', names))
    assert len(str(told.value)) < 1000


@pytest.mark.parametrize("unit", ['"\\', '\\"a', 'a="""', "'''x", '"\\\n\\'])
def test_quotes_without_an_end_take_no_time(tmp_path, unit):
    began = time.process_time()
    with pytest.raises(RecipeError, match="cannot be read as TOML"):
        load(tmp_path, (unit * 65_536)[:65_536])
    assert time.process_time() - began < 3
