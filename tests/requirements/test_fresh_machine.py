"""`make artifact` on a machine that has nothing yet: what is downloaded is installed, and nothing else is.

The lock files of a copied checkout list small wheels, which an index on loopback serves and counts. Stages do
nothing. What is marked is run by `make test-install`, as are all packages in every Python.
"""

from __future__ import annotations

import re
import sys

import pytest

from tests.support.fresh_checkout import CPU_INDEX, INDEX, fresh_checkout
from tests.support.package_index import package_index

PACKAGES = {"numpy", "sentence-transformers", "typing-extensions"}
# Only there the index's torch is another than the CPU build.
linux = pytest.mark.skipif(sys.platform != "linux", reason="macOS has one build of torch")


@pytest.fixture(scope="module")
def index():
    with package_index() as serving:
        yield serving


@pytest.fixture
def checkout(tmp_path, index):
    index.forget()
    return fresh_checkout(tmp_path / "checkout", index, PACKAGES)


def brought(checkout):
    """What is installed beside what a new environment has."""
    return {name for name in checkout.installed() if name != "setuptools"}


def announced(printed):
    """The one line that says what will be installed."""
    (line,) = re.findall(r"^  install  (.*?)\r?$", printed, re.MULTILINE)
    return line


def weighed(checkout):
    return f"about {sum(size for _, size in checkout.index.taken) / 1e6:.0f} MB"


def refused(ended):
    """The one sentence of an installation that did not begin."""
    assert ended.returncode == 2
    (sentence,) = (line for line in ended.stderr.splitlines() if line.startswith("error: "))
    assert "Traceback" not in ended.stderr
    return sentence


@linux
def test_without_a_cpu_build_the_user_chooses_before_anything_is_downloaded(checkout):
    sentence = refused(checkout.make("artifact", PYTHON=sys.executable))
    assert "pip finds no CPU build for CPython 3." in sentence
    for words in ("TORCH=cpu TORCH_INDEX=ADDRESS", "2.13.0+cpu", "(1 MB in all)", "TORCH=cuda", "(4 MB)"):
        assert words in sentence
    assert (checkout.index.taken, checkout.index.pages) == ([], [f"{INDEX}/torch"])
    assert not (checkout.folder / ".venv" / "installed").exists()

    cpu = {"TORCH": "cpu", "TORCH_INDEX": checkout.index.url(CPU_INDEX)}
    ended = checkout.make("artifact", PYTHON=sys.executable, terminal=True, **cpu)
    assert ended.returncode == 0, ended.stdout
    assert brought(checkout) == {*PACKAGES, "torch"}
    assert checkout.installed()["torch"] == "2.13.0+cpu"
    assert (len(checkout.index.taken), checkout.in_vain()) == (len(PACKAGES) + 1, 0)
    # The index of torch is asked for torch alone.
    assert {page for page in checkout.index.pages if page.startswith(CPU_INDEX)} == {f"{CPU_INDEX}/torch"}
    # First the line, then pip's own progress, for whoever looks on.
    before, after = ended.stdout.split("  install  ")
    assert announced(ended.stdout).startswith(".venv: 4 packages for CPython 3.")
    assert announced(ended.stdout).endswith(f", torch for CPU: {weighed(checkout)}")
    assert "Downloading" not in before
    assert "Downloading" in after
    assert "━" in after
    # Done: nothing is asked of any index.
    checkout.index.forget()
    for again in ({}, {"TORCH": "cpu"}):
        assert checkout.make("artifact", PYTHON=sys.executable, **again).returncode == 0
    assert (checkout.index.taken, checkout.index.pages) == ([], [])


@linux
@pytest.mark.install
def test_a_cpu_build_that_pip_finds_by_itself_is_taken(checkout):
    found = {"PIP_FIND_LINKS": checkout.index.url(f"{CPU_INDEX}/torch")}
    ended = checkout.make("artifact", PYTHON=sys.executable, **found)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert announced(ended.stdout).endswith(f", torch for CPU: {weighed(checkout)}")
    # Nobody looks on.
    assert "Downloading" not in ended.stdout
    assert brought(checkout) == {*PACKAGES, "torch"}
    assert checkout.installed()["torch"] == "2.13.0+cpu"
    assert (len(checkout.index.taken), checkout.in_vain()) == (len(PACKAGES) + 1, 0)

    # The other build in its place, in an environment without this one.
    checkout.index.forget()
    ended = checkout.make("artifact", PYTHON=sys.executable, TORCH="cuda", **found)
    assert ended.returncode == 0, ended.stderr
    assert announced(ended.stdout).endswith(f", torch for CUDA: {weighed(checkout)}")
    assert checkout.installed()["torch"] == "2.13.0"
    assert sum(name.startswith("nvidia-") for name in brought(checkout)) > 10
    assert checkout.in_vain() == 0
    # A choice that cannot be had takes nothing away.
    none = {"TORCH": "cpu", "TORCH_INDEX": checkout.index.url(INDEX)}
    assert "TORCH_INDEX: has no torch 2.13.0+cpu" in refused(
        checkout.make("artifact", PYTHON=sys.executable, **none)
    )
    assert checkout.installed()["torch"] == "2.13.0"
    # Chosen once, it needs no choice again.
    with (checkout.folder / "requirements" / "build.txt").open("a") as lock:
        lock.write("# changed\n")
    checkout.index.forget()
    assert checkout.make("artifact", PYTHON=sys.executable).returncode == 0
    assert checkout.index.taken == []
    assert checkout.installed()["torch"] == "2.13.0"


@linux
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"TORCH": "gpu"}, "TORCH: found 'gpu', expected cpu or cuda"),
        (
            {"TORCH_INDEX": "https://index"},
            "names an index of the CPU build, expected TORCH=cpu with it",
        ),
        ({"TORCH": "cuda", "TORCH_INDEX": "https://index"}, "expected TORCH=cpu with it"),
    ],
)
def test_a_choice_that_is_none_is_one_sentence(checkout, typed, said):
    assert said in refused(checkout.make("artifact", PYTHON=sys.executable, **typed))
    assert not (checkout.folder / ".venv").exists()


@pytest.mark.install
def test_a_python_that_nothing_is_built_for_is_one_sentence(checkout):
    listing = checkout.folder / "requirements" / "files.csv"
    listing.write_text(re.sub(r"(numpy-[\d.]+)-cp\d+-cp\d+t?-", r"\1-cp27-cp27m-", listing.read_text()))
    sentence = refused(checkout.make("artifact", PYTHON=sys.executable))
    assert re.search(r"found no wheel of numpy==[\d.]+ for CPython 3\.\d+ on ", sentence)
    assert "expected Python 3.11 to 3.14" in sentence
    assert (checkout.index.taken, checkout.index.pages) == ([], [])
