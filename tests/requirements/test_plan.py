"""What an installation brings is known from the lock files alone, for every system and Python."""

from __future__ import annotations

import re

import pytest
from packaging.markers import Marker
from packaging.utils import parse_wheel_filename

from core.build import installed
from requirements import files, install, pin, plan
from requirements.files import File
from tests.support.places import ROOT
from tests.support.targets import BUILDS, TARGETS, Target

FOLDER = ROOT / "requirements"
DOCUMENT = ROOT / "docs" / "installing.md"
LISTED = files.read()
builds = pytest.mark.parametrize(("target", "build"), BUILDS, ids=str)


def pins_of(build):
    names = ("build.txt", installed.BUILDS[build])
    return [entry for name in names for entry in pin.entries((FOLDER / name).read_text("utf-8"))]


def chosen(entries, target, listed=LISTED):
    return plan.choose(entries, listed, target.fitting, target.environment)


@builds
def test_every_pin_of_the_build_has_a_wheel_on_every_system_and_python(target, build):
    entries = pins_of(build)
    found = chosen(entries, target)
    wanted = []
    for entry in entries:
        pinned, _, marker = pin.pin_of(entry).partition(" ; ")
        if not marker or Marker(marker).evaluate(target.environment):
            wanted.append(pinned)
    assert found.missing == []
    names = (parse_wheel_filename(file.name) for file in found.chosen)
    assert [f"{name}=={version}" for name, version, *_ in names] == wanted
    (torch,) = (file.name for file in found.chosen if file.name.startswith("torch-"))
    assert ("+cpu" in torch) == (target.system == "linux" and build == "cpu")
    assert f"-cp3{target.python[1]}-" in torch
    assert torch.endswith(f"{target.machine}.whl")


def test_the_documents_table_is_what_comes():
    rows = re.findall(
        r"^\| (Linux|macOS)\b.*\| (\d+) \| ([\d.]+ [MG]B) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    firsts = [target for target in TARGETS if target.python == (3, 11)]
    cuda = [(target, "cuda") for target in firsts if target.system == "linux"]
    wanted = []
    for target, build in [*((target, "cpu") for target in firsts), *cuda]:
        found = chosen(pins_of(build), target).chosen
        size = install.about(sum(file.size_bytes for file in found))
        wanted.append(({"linux": "Linux", "darwin": "macOS"}[target.system], str(len(found)), size))
    assert rows == wanted


@pytest.mark.parametrize(
    "target", [Target((3, 15), "linux", "x86_64"), Target((3, 12), "darwin", "x86_64")], ids=str
)
def test_where_nothing_was_built_is_said_before_anything_is_downloaded(target):
    missing = {name.split("==")[0] for name in chosen(pins_of("cpu"), target).missing}
    assert missing == {"onnxruntime", "torch"}


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.txt")), ids=lambda path: path.name)
def test_every_pin_has_listed_files_of_its_name_and_version(path):
    for entry in pin.entries(path.read_text("utf-8")):
        name, version = pin.pin_of(entry).split(" ")[0].split("==")
        found = [LISTED[digest].name for digest in re.findall("[0-9a-f]{64}", entry) if digest in LISTED]
        assert found, name
        for file in found:
            project, _, rest = file.partition(f"-{version}")
            assert rest, file
            assert re.sub(r"[-_.]+", "-", project).lower() == name
    assert all(file.size_bytes > 0 for file in LISTED.values())


def test_the_best_wheel_is_taken_then_a_source_and_an_unlisted_pin_is_left_out():
    names = ["x-1.tar.gz", "x-1-py3-none-any.whl", "x-1-cp312-cp312-manylinux_2_17_x86_64.whl"]
    names += ["x-1-cp39-abi3-manylinux_2_28_x86_64.whl", "x-1-cp312-cp312-macosx_11_0_arm64.whl"]
    listed = {f"{number}" * 64: File(f"{number}" * 64, number + 1, name) for number, name in enumerate(names)}

    def taken(*numbers, target=TARGETS[1]):
        hashes = "".join(f" \\\n    --hash=sha256:{f'{number}' * 64}" for number in numbers)
        found = chosen([f"x==1{hashes}\n"], target, listed)
        return [file.name for file in found.chosen] or found.missing

    assert taken(0, 1, 2, 3, 4) == [names[2]]
    assert taken(0, 1, 3, 4) == [names[3]]
    assert taken(0, 1, 4) == [names[1]]
    assert taken(0, 4) == [names[0]]
    assert taken(4) == ["x==1"]
    assert taken(4, target=TARGETS[-3]) == [names[4]]
    assert taken(9) == []
    with_marker = "x==1 ; sys_platform == 'darwin' \\\n    --hash=sha256:" + "1" * 64 + "\n"
    assert chosen([with_marker], TARGETS[0], listed) == plan.Plan([], [])


def test_the_listing_is_read_as_it_was_written(tmp_path):
    kept = [File("a" * 64, 1, "b-1-py3-none-any.whl"), File("b" * 64, 2, "c-1.tar.gz")]
    left_out = File("c" * 64, 3, "b-1-cp312-cp312-win_amd64.whl")
    files.write([*reversed(kept), left_out, kept[0]], tmp_path / "files.csv")
    assert list(files.read(tmp_path / "files.csv").values()) == kept
