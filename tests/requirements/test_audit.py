"""The audit goes through every file, whatever a registry answers, and names what could not be looked up."""

from __future__ import annotations

import sys

import pytest

from requirements import audit
from tests.support.commands import call, environment_of_make
from tests.support.places import ROOT

# Answers as pip-audit does: fails on a file that lists FAILS, has no answer for SKIPS, an advisory for BAD.
STUB = """#!{python}
import json, sys
from pathlib import Path
path = next(word.split("=", 1)[1] for word in sys.argv if word.startswith("--requirement="))
names = [line.split("==")[0] for line in Path(path).read_text().splitlines() if "==" in line]
if {fails!r} in names:
    sys.exit("ERROR:pip_audit: the registry answered 503")
told = []
for name in names:
    row = {{"name": name, "version": "1.0", "vulns": []}}
    if name == {skips!r}:
        row = {{"name": name, "skip_reason": "not found on the registry"}}
    if name == {bad!r}:
        row["vulns"] = [{{"id": "PYSEC-1", "fix_versions": ["1.1"]}}]
    told.append(row)
print(json.dumps({{"dependencies": told, "fixes": []}}))
sys.exit({bad!r} in names)
"""


@pytest.fixture
def stub(tmp_path):
    def written(fails="", skips="", bad=""):
        path = tmp_path / "pip-audit"
        path.write_text(STUB.format(python=sys.executable, fails=fails, skips=skips, bad=bad))
        path.chmod(0o755)
        return str(path)

    return written


@pytest.fixture
def files(tmp_path):
    listed = {"a.txt": ["first", "second", "third"], "b.txt": ["fourth"]}
    for name, pins in listed.items():
        (tmp_path / name).write_text("".join(f"{pin}==1.0 \\\n    --hash=sha256:00\n" for pin in pins))
    return [str(tmp_path / name) for name in listed]


def test_nothing_found_is_the_only_success(stub, files, capsys):
    assert audit.main([stub(), *files]) == 0
    assert capsys.readouterr().out.count("nothing found") == 2


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"fails": "second"}, 2, "a.txt: second==1.0: could not be looked up: ERROR:pip_audit: the registry"),
        ({"skips": "first"}, 2, "a.txt: first: could not be looked up: not found on the registry"),
        ({"bad": "third"}, 1, "a.txt: third 1.0: PYSEC-1, mended in 1.1"),
        ({"bad": "fourth"}, 1, "b.txt: fourth 1.0: PYSEC-1, mended in 1.1"),
    ],
)
def test_the_first_file_keeps_nobody_from_the_next(stub, files, capsys, wrong, status, said):
    assert audit.main([stub(**wrong), *files]) == status
    told = capsys.readouterr()
    assert told.out.count("  audit    ") == 2
    [line] = told.err.splitlines()
    assert said in line


def test_a_local_version_is_looked_up_as_the_public_one(tmp_path):
    listed, asked, asker = (tmp_path / name for name in ("lock.txt", "asked", "pip-audit"))
    listed.write_text("first==1.0+cpu ; sys_platform == 'linux' \\\n    --hash=sha256:00\n")
    program = 'for word; do cat "${word#--requirement=}" 2> /dev/null; done'
    asker.write_text(f"#!/bin/sh\n({program}) >> {asked}\nexit 1\n")
    asker.chmod(0o755)
    assert audit.main([str(asker), str(listed)]) == 2
    assert set(asked.read_text().splitlines()[::2]) == {"first==1.0 ; sys_platform == 'linux' \\"}


def test_a_dead_service_is_not_asked_forever(stub, files, capsys):
    lines = [f"p{number}==1.0 --hash=sha256:00\n" for number in range(9)]
    with open(files[0], "a") as file:  # noqa: PTH123
        file.writelines(lines)
    dead = stub()
    with open(dead, "w") as file:  # noqa: PTH123
        file.write("#!/bin/sh\necho asked >> $0.log\necho no route >&2\nexit 1\n")
    assert audit.main([dead, files[0]]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 12
    assert [("not asked for" in line) for line in told] == [False] * 3 + [True] * 9
    with open(f"{dead}.log") as file:  # noqa: PTH123
        assert len(file.readlines()) == 1 + 3


def test_make_audits_every_lock_file(stub):
    line = ("make", "audit", f"PIP_AUDIT={stub(fails='torch', bad='numpy')}", f"PYTHON={sys.executable}")
    told = call(*line, env=environment_of_make())
    assert told.returncode == 2
    listed = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
    assert [
        word.split("/")[1].split(":")[0] for word in told.stdout.split() if "requirements/" in word
    ] == listed
    assert "requirements/torch-cpu.txt: torch==" in told.stderr
    assert told.stderr.count("PYSEC-1") >= 2
