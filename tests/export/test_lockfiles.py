"""Lock files: what uv resolved, with the hashes it cannot know, and without what only CUDA needs."""

from __future__ import annotations

import re

import pytest

from export import environment, lockfiles
from tests.conftest import ROOT

RESOLVED = """\
# a note
numpy==2.4.6 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
nvidia-cublas==13.1 ; sys_platform == 'linux' \\
    --hash=sha256:cc
torch==2.13.0 \\
    --hash=sha256:dd
triton==3.7.1 ; sys_platform == 'linux' \\
    --hash=sha256:ee
"""
LOCKS = sorted(ROOT.glob("requirements*.txt"))


def test_cuda_packages_go_to_a_file_of_their_own_and_hashes_are_added_once():
    more = {"torch==2.13.0": ["ff"], "numpy==2.4.6": ["bb"], "numpy==1.0": ["gg"]}
    plain, cuda = lockfiles.split(RESOLVED, more)
    assert plain == (
        "numpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "torch==2.13.0 \\\n    --hash=sha256:dd \\\n    --hash=sha256:ff\n"
    )
    assert [entry.split("==")[0] for entry in lockfiles.entries(cuda)] == ["nvidia-cublas", "triton"]
    assert lockfiles.split(plain, more) == (plain, "")


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_everything_that_is_installed_is_pinned_by_hash_and_no_registry_is_named(path):
    text = path.read_text("utf-8")
    found = list(lockfiles.entries(text))
    assert found
    for entry in found:
        first, *hashes = entry.split(" \\\n")
        assert re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+( ; .+)?", first)
        assert hashes
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_every_lock_but_those_of_the_project_has_its_own_source():
    own = {"requirements.txt", lockfiles.CUDA}
    assert {path.name for path in LOCKS} - own == {
        path.with_suffix(".txt").name for path in ROOT.glob("requirements-*.in")
    }


def test_an_environment_with_torch_has_a_second_attempt_with_cudas_packages():
    main, cuda = ROOT / "requirements.txt", ROOT / lockfiles.CUDA
    assert environment.attempts(main) == [[main], [main, cuda]]
    ray = ROOT / "requirements-ray.txt"
    assert environment.attempts(ray) == [[ray]]
