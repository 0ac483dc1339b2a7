"""The worst files: each is refused by the command line with one sentence, within seconds and 1 GB."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.untrusted import limits
from tests.support import artifacts
from tests.support.commands import python
from tests.support.onnx_files import outer_products

# On Linux ru_maxrss begins at that of whoever started the process, as large as pytest is; the kernel's own
# mark begins anew.
MEASURE = """
import resource, sys
from pathlib import Path
from verify import __main__
code = __main__.main(["parity", sys.argv[1]])
own, status = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, Path("/proc/self/status")
if status.is_file():
    own = int(status.read_text().split("VmHWM:")[1].split()[0])
print(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def damage_manifest(folder):
    (folder / "manifest.json").write_bytes(b"[" * limits.JSON_BYTES)


def damage_manifest_wide(folder):
    (folder / "manifest.json").write_bytes(b"[" + b"{}," * (limits.JSON_BYTES // 3 - 9) + b"1]")


def damage_graph(folder):
    (folder / "onnx/model.onnx").write_bytes(outer_products().SerializeToString())


def damage_graph_large(folder):
    with (folder / "onnx/model.onnx").open("wb") as file:
        file.truncate(limits.GRAPH_BYTES)


def damage_reference(folder):
    zeros = np.zeros(limits.NPZ_BYTES // 4 - 10_000, np.float32)
    np.savez_compressed(folder / "reference.npz", labels=zeros)


def spoil_reference(folder, text):
    with np.load(folder / "reference.npz") as stored:
        arrays = dict(stored)
    arrays["texts"] = np.frombuffer(json.dumps([text]).encode(), np.uint8)
    np.savez_compressed(folder / "reference.npz", **arrays)


def damage_reference_texts(folder):
    spoil_reference(folder, "a " * (60 * limits.MIB))


def damage_tokenizer(folder):
    vocabulary = {str(number): number for number in range(400_000)} | {"[UNK]": 500_000}
    (folder / "tokenizer.json").write_text(json.dumps(artifacts.edited_tokenizer("model.vocab", vocabulary)))


DAMAGES = [
    damage_manifest,
    damage_manifest_wide,
    damage_graph,
    damage_graph_large,
    damage_reference,
    damage_reference_texts,
    damage_tokenizer,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_worst_is_refused_within_seconds_and_a_gigabyte(tmp_path, damage):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0})
    damage(folder)
    found = python(MEASURE, folder, timeout=60)
    # A tokenizer that can be read has other ids: a verdict.
    assert found.returncode == (1 if damage is damage_tokenizer else 2), found.stderr
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1
    peaks = [int(number) * 1024 for number in found.stdout.splitlines()[-1].split()]
    assert max(peaks) < limits.GIB
