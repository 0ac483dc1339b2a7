"""Single bits that are flipped in a copy are detected."""

from __future__ import annotations

import shutil

from core.artifact import proof
from tests.fuzz import bitflips
from tests.support.forge import linked_copy, reseal


def test_bit_flips_anywhere_are_detected_and_leave_the_copy_as_it_was(artifact, tmp_path):
    copy = tmp_path / "copy"
    # Of the graphs the smaller one: `make bitflips` flips bits of all files.
    shutil.copytree(artifact, copy, ignore=shutil.ignore_patterns("model.onnx"))
    (copy / "model.sig").write_bytes(b'{"a": "signature"}')
    (copy / "model.sig.sha256").write_bytes(proof.signature_hash(b'{"a": "signature"}'))
    reseal(copy)
    before = proof.check_files(copy)
    flips = bitflips.draw(copy, 120, seed=1)
    assert {flip.name for flip in flips} == set(before.files)
    assert [flip for flip in flips if not bitflips.is_detected(copy, flip)] == []
    assert proof.check_files(copy) == before


def test_a_check_that_passes_is_counted_as_such(artifact, tmp_path, monkeypatch):
    copy = linked_copy(artifact, tmp_path / "copy")
    monkeypatch.setattr(proof, "check_files", lambda folder: None)
    (copy / "one").write_bytes(b"x")
    assert not bitflips.is_detected(copy, bitflips.Flip("one", 0, 0))
