"""Lock files: what uv resolved, with the hashes it cannot know, and without what only CUDA needs."""

from __future__ import annotations

import re
import tomllib

import pytest

from requirements import pin
from requirements.files import File
from tests.support.places import ROOT

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
FOLDER = ROOT / "requirements"
LOCKS = sorted(FOLDER.glob("*.txt"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS, GROUPS = PYPROJECT["project"]["optional-dependencies"], PYPROJECT["dependency-groups"]


def test_what_is_resolved_is_split_three_ways():
    common, torch, cuda = pin.split(pin.entries(RESOLVED))
    assert common == ["numpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"]
    assert torch == ["torch==2.13.0 \\\n    --hash=sha256:dd\n"]
    assert [entry.split("==")[0] for entry in cuda] == ["nvidia-cublas", "triton"]


def test_without_torch_nothing_is_cudas():
    entry = "nvidia-pytriton==0.7.0 \\\n    --hash=sha256:ff\n"
    assert pin.split([entry]) == ([entry], [], [])


def test_torchs_builds_go_to_the_file_that_has_what_they_need():
    systems = [
        "2.13.0-x-manylinux_2_28_x86_64",
        "2.13.0-x-macosx_14_0_arm64",
        "2.13.0+cpu-x-manylinux_2_28_x86_64",
    ]
    cuda, mac, cpu = (File(f"{number}" * 64, 1, f"torch-{name}.whl") for number, name in enumerate(systems))
    assert pin.torch_entries("torch==2.13.0", [cuda, mac, cpu]) == (
        f"torch==2.13.0 ; sys_platform == 'darwin' \\\n    --hash=sha256:{mac.sha256}\n"
        f"torch==2.13.0+cpu ; sys_platform == 'linux' \\\n    --hash=sha256:{cpu.sha256}\n",
        f"torch==2.13.0 ; sys_platform == 'linux' \\\n    --hash=sha256:{cuda.sha256}\n",
    )


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_everything_that_is_installed_is_pinned_by_hash_and_no_registry_is_named(path):
    text = path.read_text("utf-8")
    locked = pin.entries(text)
    assert locked
    for entry in locked:
        first, *hashes = entry.rstrip("\n").split(" \\\n")
        assert re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+(\+cpu)?( ; .+)?", first)
        assert hashes
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)
    # The systems that a build runs on.
    assert "win32" not in text
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_every_group_has_a_lock_and_every_extra_is_in_one():
    locked = {f"{group}.txt" for group in GROUPS}
    assert {path.name for path in LOCKS} == {*locked, pin.TORCH_CPU, pin.TORCH_CUDA}
    assert set(pin.EXTRAS) <= set(GROUPS)
    assert {extra for extras in pin.EXTRAS.values() for extra in extras} == set(EXTRAS)


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_what_pyproject_pins_is_locked_in_that_version(group):
    texts = [(FOLDER / name).read_text("utf-8") for name in (f"{group}.txt", pin.TORCH_CPU)]
    locked = {re.split(r"[ ;]", entry)[0] for text in texts for entry in pin.entries(text)}
    wanted = GROUPS[group] + [line for extra in pin.EXTRAS.get(group, []) for line in EXTRAS[extra]]
    named = [re.sub(r"\[.+\]", "", line).lower().replace("_", "-") for line in wanted if "==" in line]
    pins = {line.split(";")[0] for line in named}
    assert pins
    assert pins <= locked


def test_torch_has_builds_without_cuda_and_with_it_and_none_is_in_both():
    mac, cpu, cuda = (
        set(re.findall("[0-9a-f]{64}", entry))
        for name in (pin.TORCH_CPU, pin.TORCH_CUDA)
        for entry in pin.entries((FOLDER / name).read_text("utf-8"))
        if entry.startswith("torch==")
    )
    # Five Pythons on macOS, and on two architectures of Linux (3.14 with and without threads of its own).
    assert (len(mac), len(cpu), len(cuda)) == (5, 10, 10)
    assert not cpu & cuda
