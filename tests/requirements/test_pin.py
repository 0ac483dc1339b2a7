"""Lock files: what uv resolved, with the hashes it cannot know, and without what only CUDA needs."""

from __future__ import annotations

import re

import pytest

from requirements import install, pin
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


def test_what_is_resolved_is_split_three_ways():
    plain, torch, cuda = pin.split(list(pin.entries(RESOLVED)))
    assert pin.joined(plain) == "numpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert torch == ["torch==2.13.0 \\\n    --hash=sha256:dd"]
    assert [entry.split("==")[0] for entry in cuda] == ["nvidia-cublas", "triton"]


def test_torchs_builds_go_to_the_file_that_has_what_they_need():
    linux, mac, cpu = ("1" * 64, "2" * 64, "3" * 64)
    entry = "torch==2.13.0 \\\n" + " \\\n".join(f"    --hash=sha256:{digest}" for digest in (linux, mac))
    for_cpu, for_cuda = pin.builds(entry, {linux, "4" * 64}, [cpu])
    assert for_cpu == f"torch==2.13.0 \\\n    --hash=sha256:{mac} \\\n    --hash=sha256:{cpu}"
    assert for_cuda == f"torch==2.13.0 \\\n    --hash=sha256:{linux}"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_everything_that_is_installed_is_pinned_by_hash_and_no_registry_is_named(path):
    text = path.read_text("utf-8")
    found = list(pin.entries(text))
    assert found
    for entry in found:
        first, *hashes = entry.split(" \\\n")
        assert re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+( ; .+)?", first)
        assert hashes
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_every_lock_but_those_of_the_project_has_its_own_source():
    own = {"requirements.txt", pin.TORCH_CPU, pin.TORCH_CUDA}
    assert {path.name for path in LOCKS} - own == {
        path.with_suffix(".txt").name for path in ROOT.glob("requirements-*.in")
    }


def test_an_environment_with_torch_takes_its_cpu_build_or_else_cudas():
    main = ROOT / "requirements.txt"
    assert install.attempts(main) == [
        [main, ROOT / "requirements-torch-cpu.txt"],
        [main, ROOT / "requirements-torch-cuda.txt"],
    ]
    ray = ROOT / "requirements-ray.txt"
    assert install.attempts(ray) == [[ray]]
    cpu, cuda = ((ROOT / name).read_text("utf-8") for name in (pin.TORCH_CPU, pin.TORCH_CUDA))
    hashes = [set(re.findall("[0-9a-f]{64}", next(pin.entries(text)))) for text in (cpu, cuda)]
    # One CPU build that is on no index, macOS and Windows; Linux on two architectures.
    assert len(hashes[0]) > len(hashes[1]) >= 8
    assert not hashes[0] & hashes[1]
