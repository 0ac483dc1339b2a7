"""The build of torch is chosen by what pip finds, which is asked without a download."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from core.errors import InstallError
from requirements import torch_build
from requirements.torch_build import Wish
from tests.support.package_index import package_index, wheel
from tests.support.places import ROOT

LOCK = ROOT / "requirements" / "build.txt"
PYTHON = Path(sys.executable)
CPU = "torch-2.13.0+cpu-py3-none-any.whl"


@pytest.fixture(scope="module")
def index():
    names = {
        "simple": ["torch-2.13.0-py3-none-any.whl", "torch-2.12.0-py3-none-any.whl"],
        "cpu": [CPU],
        # Of another Python.
        "older": ["torch-2.13.0+cpu-cp27-cp27m-linux_x86_64.whl", "torch-2.12.0+cpu-py3-none-any.whl"],
        "none": [],
    }
    with package_index() as serving:
        serving.folders |= {folder: {name: wheel(name) for name in held} for folder, held in names.items()}
        yield serving


@pytest.fixture
def asked(index, monkeypatch):
    """Choose on Linux, with a pip that knows the default index alone and says as little as it can."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": os.devnull, "INDEX_URL": index.url("simple"), "QUIET": "2"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setattr(torch_build.sys, "platform", "linux")
    index.forget()
    yield lambda build="", folder="": torch_build.choose(
        PYTHON, LOCK, Wish(build, index.url(folder) if folder else "")
    )
    assert index.taken == []


def test_the_cpu_build_where_pip_finds_it_by_itself(asked, index, monkeypatch):
    assert (asked(), asked("cpu")) == ("", "")
    monkeypatch.setenv("PIP_FIND_LINKS", index.url("older/torch"))
    assert asked() == ""
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url("cpu"))
    assert asked() == "cpu"


def test_the_index_that_was_named(asked, index):
    assert asked("cpu", "cpu") == "cpu"
    assert index.pages == ["cpu/torch"]
    with pytest.raises(
        InstallError, match=r"^TORCH_INDEX: has no torch 2\.13\.0\+cpu for CPython 3\.\d+ on Linux"
    ):
        asked("cpu", "older")
    with pytest.raises(
        InstallError, match=r"^torch: pip finds no version in TORCH_INDEX: .*No matching distribution"
    ):
        asked("cpu", "none")


def test_what_needs_no_look(asked, index, monkeypatch):
    assert asked("cuda") == "cuda"
    monkeypatch.setattr(torch_build.sys, "platform", "darwin")
    assert asked() == "cpu"
    assert index.pages == []


def test_macos_has_one_build(monkeypatch):
    monkeypatch.setattr(torch_build.sys, "platform", "darwin")
    assert torch_build.wish({"TORCH": "cpu"}) == Wish("cpu", "")
    with pytest.raises(InstallError, match=r"^TORCH=cuda: there is no such build for macOS"):
        torch_build.wish({"TORCH": "cuda"})
