"""The documents are true: their code runs as it stands, their links resolve, the targets they name exist."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import onnx
import pytest

from core import recipe as recipes
from tests.support import artifacts
from tests.support.places import ROOT
from tests.support.snippets import documents, run_python, run_shell, snippet, snippets

NAME = "minilm-l6-go-emotions"
TARGETS = "artifact test help quantize verify package score evaluate head publish".split()
# What runs each piece of code that is more than lines of make.
RUN_BY = {
    ("README.md", "## Use it", "python"): "tests/test_readme.py",
    ("README.md", "## Check parity in your CI, score a corpus", "sh"): "tests/test_readme.py",
    ("docs/artifact-proof.md", "## Proofs", "sh"): "tests/test_readme.py",
    ("docs/bulk.md", "# Scoring a corpus", "sh"): "tests/test_readme.py",
    ("docs/evaluation.md", "## In your own CI", "sh"): "tests/test_readme.py",
    ("docs/heads.md", "## From a pickle", "python"): "tests/export/head/test_documented.py",
    ("docs/heads.md", "## Thresholds", "toml"): "tests/export/head/test_documented.py",
    ("docs/own-classifier.md", "# Your own encoder and head", "python"): "tests/test_own_classifier.py",
    ("docs/own-classifier.md", "## From SetFit", "python"): "tests/test_own_classifier.py",
    ("docs/own-classifier.md", "## One label a text", "python"): "tests/test_own_classifier.py",
    ("docs/own-classifier.md", "## The recipe", "toml"): "tests/test_readme.py",
    ("docs/own-classifier.md", "## Your texts", "toml"): "tests/test_readme.py",
    ("docs/runtimes.md", "## C", "sh"): "tests/native/test_decide.py",
    ("docs/runtimes.md", "## JavaScript", "js"): "tests/js/readme.test.mjs",
    ("docs/runtimes.md", "## OpenVINO", "python"): "tests/engines/test_engines.py",
    ("docs/runtimes.md", "## transformers and optimum", "python"): "tests/optimum/test_pipeline.py",
    ("docs/runtimes.md", "### transformers.js", "js"): "tests/js/readme.test.mjs",
    ("docs/serving.md", "# Labels over HTTP", "python"): "tests/serve/test_answers.py",
}
LINK = re.compile(r"\]\(([^)\s]+)\)")
TARGET = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
COMMAND = re.compile(r"python -m ([a-z]+) ([a-z]+)(?![\w/])")
REPOSITORY_FILE = re.compile(
    r"`((?:core|export|graphs|verify|score|deliver|bench|web|examples|recipes|requirements|tests)/[\w./-]+)`"
)

by_document = pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)


def anchors(document: Path) -> set[str]:
    """The names that a link can give to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_make(line: str) -> bool:
    return line.startswith("make ")


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 145


@by_document
def test_every_link_resolves(document):
    for link in LINK.findall(document.read_text("utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@by_document
def test_every_file_of_the_repository_that_it_names_exists(document):
    for name in REPOSITORY_FILE.findall(document.read_text("utf-8")):
        assert name == "recipes/NAME" or (ROOT / name).exists(), name


def makefiles() -> str:
    return "\n".join(path.read_text("utf-8") for path in [ROOT / "Makefile", *(ROOT / "make").glob("*.mk")])


@by_document
def test_every_target_that_it_names_exists(document):
    for name in sorted(set(TARGET.findall(document.read_text("utf-8")))):
        assert re.search(rf"^(?:[a-z-]+ )*{name}(?: [a-z-]+)*:", makefiles(), re.MULTILINE), name


def test_every_command_that_they_name_exists():
    text = "\n".join(document.read_text("utf-8") for document in documents())
    named = sorted(set(COMMAND.findall(text)))
    assert named
    for room, command in named:
        commands = (ROOT / room / "__main__.py").read_text("utf-8")
        assert f'"{command}"' in commands, f"{room} {command}"


def test_the_console_commands_subcommands_are_listed():
    command = (ROOT / "deliver/__main__.py").read_text("utf-8")
    subcommands = re.findall(r'line\.add\(\s*"([a-z]+)"', command)
    assert f"`onnx-classifier`: {', '.join(subcommands)}." in (ROOT / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| `onnx-classifier ([a-z]+)", (ROOT / "docs/targets.md").read_text("utf-8"), re.M)
    assert listed == subcommands


def test_the_ten_targets_are_those_of_make_help():
    table = (ROOT / "README.md").read_text("utf-8").split("\n## Targets\n")[1].split("\n## ")[0]
    named = re.findall(r"\| `make ([a-z]+)`", table)
    assert sorted(named) == sorted(TARGETS)
    assert sorted(re.findall(r"^([a-z-]+):.* ## ", makefiles(), re.MULTILINE)) == sorted(TARGETS)


def test_all_other_targets_are_in_the_list_of_targets():
    others = re.findall(r"^([a-z-]+):.* #: ", makefiles(), re.MULTILINE)
    assert others
    assert set(others) <= set(TARGET.findall((ROOT / "docs/targets.md").read_text("utf-8")))


def test_every_document_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[([\w-]+\.md)\]\(\1\)", index, re.MULTILINE)
    assert sorted(listed) == sorted(
        path.name for path in (ROOT / "docs").iterdir() if path.name != "README.md"
    )


def test_all_code_is_run():
    code = set()
    for document in documents():
        for block in snippets(document):
            lines = [line for line in block.code.splitlines() if line]
            if block.language != "sh" or not all(map(is_make, lines)):
                code.add((str(document.relative_to(ROOT)), block.heading, block.language))
    assert code == set(RUN_BY)
    for (_, heading, _), file in RUN_BY.items():
        assert heading in (ROOT / file).read_text("utf-8"), f"{file}: does not run {heading!r}"


@pytest.mark.parametrize("index", [0, 1], ids=["token ids in", "text in"])
def test_the_readmes_python_runs_as_it_stands(artifact, index):
    lines = run_python(snippet("## Use it", "python", index=index), artifact)
    assert "love" in lines[0]


@pytest.fixture
def folder(tmp_path):
    """A folder with an artifact of the default's name and a corpus."""
    tiny = artifacts.artifact(
        tmp_path / "dist" / NAME, {"fp32": 0.0, "int8": 1e-4}, max_probability_error=1e-3
    )
    for path in (tiny / "onnx").iterdir():
        model = onnx.load(path)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        onnx.helper.set_model_props(model, properties | {"max_length": "64"})
        onnx.save(model, path)
    return tmp_path


def test_parity_and_scoring_run_as_they_stand(folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    parquet.write_table(pyarrow.table({"text": artifacts.TEXTS}), folder / "comments.parquet")
    lines = run_shell(snippet("## Check parity in your CI, score a corpus", "sh"), folder)
    assert "7 texts, 5 checks, token ids among them: all ok." in lines
    assert (folder / "parity.xml").is_file()
    assert parquet.read_table(folder / "labelled.parquet")["text"].to_pylist() == artifacts.TEXTS

    (folder / "labelled.parquet").unlink()
    _, again = snippet("# Scoring a corpus", "sh", "docs/bulk.md").splitlines()
    run_shell(again, folder)
    assert parquet.read_metadata(folder / "labelled.parquet").num_rows == len(artifacts.TEXTS)


def test_comparing_runs_as_it_stands(folder):
    lines = run_shell(snippet("## In your own CI", "sh", "docs/evaluation.md"), folder)
    assert "| joy | 0 |" in lines


@pytest.mark.slow
def test_proving_runs_as_it_stands(artifact, tmp_path):
    (tmp_path / "dist").mkdir()
    shutil.copytree(artifact, tmp_path / "dist" / NAME, copy_function=os.link)
    lines = run_shell(snippet("## Proofs", "sh", "docs/artifact-proof.md"), tmp_path)
    assert [line.split()[0] for line in lines] == [
        "hashes",
        "agree",
        *["pairs"] * 4,
        *["parity"] * 4,
        "hashes",
    ]


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_keys_are_made_as_it_stands(tmp_path):
    lines = snippet("## Proofs", "sh", "docs/artifact-proof.md", index=1).splitlines()
    run_shell("\n".join(line for line in lines if not is_make(line)), tmp_path)
    assert (tmp_path / "private.pem").read_text().startswith("-----BEGIN EC PRIVATE KEY-----")
    assert (tmp_path / "public.pem").read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_the_recipe_is_one(tmp_path):
    text = snippet("## The recipe", "toml", "docs/own-classifier.md", max_lines=30)
    text += snippet("## Your texts", "toml", "docs/own-classifier.md", max_lines=14)
    folder = tmp_path / "my-classifier"
    folder.mkdir()
    (folder / "recipe.toml").write_text(text, "utf-8")
    recipe = recipes.load(folder)
    assert recipe.head.source == "path:head"
    assert list(recipe.data.places) == ["train", "dev", "test"]
    assert recipe.variants["int8"].max_flip_rate == 0.05
