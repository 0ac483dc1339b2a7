"""A finished artifact is proved byte by byte, and nothing that was changed in it is."""

from __future__ import annotations

import pytest

from core.artifact import manifest, proof
from core.errors import ArtifactError
from tests.support.forge import linked_copy, reseal, rewrite


@pytest.fixture
def copy(artifact, tmp_path):
    return linked_copy(artifact, tmp_path / "copy")


def test_a_forger_who_seals_again_is_believed_by_hashes_alone(copy):
    reseal(copy)
    assert len(proof.check_files(copy).files) == len([p for p in copy.rglob("*") if p.is_file()])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "vocab.txt").unlink(), "vocab.txt: missing"),
        (lambda f: (f / "more.txt").write_text("x"), "more.txt: not listed in the manifest"),
        (lambda f: (f / "onnx" / "more").mkdir(), "onnx/more: found an empty folder"),
        (lambda f: (f / "link").symlink_to("vocab.txt"), "link: found a link"),
        (lambda f: rewrite(f / "config.json", b"{}"), "config.json: found 2 bytes"),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json: cannot be read"),
        (lambda f: rewrite(f / "manifest.json", b"{}\n"), "does not end with manifest_sha256"),
        (lambda f: (f / "model.sig").write_text("x"), "model.sig.sha256: missing"),
        (lambda f: (f / "model.sig.sha256").write_text("x"), "model.sig: missing"),
        (lambda f: reseal(f, lambda m: m.pop("files")), "lists no files"),
        (lambda f: reseal(f, lambda m: m["files"].update({"vocab.txt": 1})), "vocab.txt: expected a sha256"),
        (
            lambda f: reseal(f, lambda m: m["files"]["vocab.txt"].update(size="1")),
            "vocab.txt: expected a sha",
        ),
        (
            lambda f: reseal(f, lambda m: m["files"].update({"../x": m["files"]["vocab.txt"]})),
            "inside the fo",
        ),
    ],
)
def test_a_folder_that_is_not_as_listed(copy, spoil, said):
    spoil(copy)
    with pytest.raises(ArtifactError, match=said):
        proof.check_files(copy)


def test_every_kind_of_change_to_the_manifest_is_found(copy):
    content = (copy / "manifest.json").read_bytes()
    assert manifest.broken_seal(content) is None
    for spoiled in (content[:-1], content + b"\n", content.replace(b"  ", b"   ", 1), b" " + content):
        assert manifest.broken_seal(spoiled)
    digits = content.rindex(b'"', 0, -4) + 1
    upper = content[:digits] + content[digits:].upper()
    assert manifest.broken_seal(upper)
    for bit in range(8 * (len(content) - 200), 8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        assert manifest.broken_seal(bytes(flipped))
