"""Name and version of the toolchain stand in one place."""

from __future__ import annotations

import json
import tomllib

from core.contract import PRODUCER, TOOLCHAIN_VERSION
from tests.support.places import ROOT


def test_the_distribution_is_named_as_graphs_name_their_producer_and_takes_their_version():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert pyproject["project"]["name"] == PRODUCER
    assert pyproject["project"]["dynamic"] == ["version"]
    version = pyproject["tool"]["setuptools"]["dynamic"]["version"]
    assert version == {"attr": "core.contract.TOOLCHAIN_VERSION"}


def test_the_pages_package_has_the_same_version():
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert package["version"] == TOOLCHAIN_VERSION
