"""All packages in every Python at hand, and pip's own choice for every other: run by `make test-install`.

`PYTHONS` in the environment names interpreters; without it those of 3.11 to 3.14 that are on the path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from packaging.markers import Marker

from core.build import installed
from requirements import pin, plan
from requirements.files import read
from tests.support.commands import call
from tests.support.fresh_checkout import CPU_INDEX, INDEX, fresh_checkout
from tests.support.package_index import package_index
from tests.support.targets import BUILDS

pytestmark = pytest.mark.install
NAMES = os.environ.get("PYTHONS", "python3.11 python3.12 python3.13 python3.14").split()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    with package_index() as serving:
        yield fresh_checkout(tmp_path_factory.mktemp("everywhere") / "checkout", serving)


@pytest.mark.parametrize("name", NAMES)
def test_make_artifact_installs_what_it_downloads_in_every_python(checkout, name):
    try:
        call(name, "-c", "import ensurepip", check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{name}: cannot be run here")
    call("rm", "-rf", checkout.folder / ".venv")
    checkout.index.forget()
    cpu = {"TORCH": "cpu", "TORCH_INDEX": checkout.index.url(CPU_INDEX)} if sys.platform == "linux" else {}
    ended = checkout.make("artifact", PYTHON=name, **cpu)
    assert ended.returncode == 0, ended.stderr
    assert len(checkout.index.taken) > 100
    assert len(checkout.installed()) >= len(checkout.index.taken)
    assert checkout.in_vain() == 0
    assert call(checkout.folder / ".venv/bin/python", "-m", "pip", "check").returncode == 0


@pytest.mark.parametrize(("target", "build"), BUILDS, ids=str)
def test_pip_takes_what_the_plan_says_on_every_system_and_python(checkout, tmp_path, target, build):
    names = ("build.txt", installed.BUILDS[build])
    folder = checkout.folder / "requirements"
    entries = [entry for name in names for entry in pin.entries((folder / name).read_text("utf-8"))]
    planned = plan.choose(entries, read(folder / "files.csv"), target.fitting, target.environment)
    # pip reads markers for the Python that it runs in, whatever it is asked for.
    wanted = []
    for entry in entries:
        pinned, _, marker = pin.pin_of(entry).partition(" ; ")
        if not marker or Marker(marker).evaluate(target.environment):
            wanted.append(entry.replace(pin.pin_of(entry), pinned, 1))
    (tmp_path / "lock.txt").write_text("".join(wanted))
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
    line += ["--require-hashes", "--only-binary=:all:", f"--python-version={target.version}"]
    line += [f"--platform={platform}" for platform in target.platforms]
    line += [f"--index-url={checkout.index.url(INDEX)}", f"--extra-index-url={checkout.index.url(CPU_INDEX)}"]
    line += ["--target", tmp_path / "none", "--report", tmp_path / "report", "-r", tmp_path / "lock.txt"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    ended = call(*line, env=environment | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"})
    assert ended.returncode == 0, ended.stderr
    taken = json.loads((tmp_path / "report").read_text())["install"]
    hashes = {package["download_info"]["archive_info"]["hashes"]["sha256"] for package in taken}
    assert hashes == {file.sha256 for file in planned.chosen}
    assert len(taken) == len(wanted)
