"""Change a copy of an artifact, and list the changed files anew as a careful forger would. Without pytest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.artifact import manifest as artifact
from core.artifact import proof


def linked_copy(folder: Path, target: Path) -> Path:
    """Copy an artifact; its files are the same on disk, to be replaced by `rewrite` and not written to."""
    return Path(shutil.copytree(folder, target, copy_function=os.link))


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file of a copy."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def reseal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda manifest: None) -> None:
    """List what is there in the manifest, change that, and give it its own hash."""
    path = folder / artifact.MANIFEST_FILE
    manifest = json.loads(path.read_text("utf-8"))
    outside = {artifact.MANIFEST_FILE, proof.SIGNATURE_FILE, proof.SIGNATURE_HASH_FILE}
    manifest["files"] = {n: f for n, f in artifact.files(folder).items() if n not in outside}
    change(manifest)
    del manifest[artifact.SEAL]
    rewrite(path, artifact.sealed(manifest).encode())


def mend(folder: Path) -> None:
    """Write sizes and hashes of graphs anew, in the bill of materials and in the manifest, and seal it."""
    bill = json.loads((folder / "sbom.cdx.json").read_text("utf-8"))
    for part in bill["components"]:
        if (folder / part["name"]).is_file():
            part["hashes"][0]["content"] = hashlib.sha256((folder / part["name"]).read_bytes()).hexdigest()
    rewrite(folder / "sbom.cdx.json", json.dumps(bill).encode())

    def sizes(manifest: dict[str, Any]) -> None:
        for row in [*manifest["variants"], manifest["text"]]:
            if row:
                row["size"] = (folder / row["file"]).stat().st_size

    reseal(folder, sizes)


def edited(name: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Return what changes the content of a JSON file of a copy."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text("utf-8"))
        change(content)
        rewrite(folder / name, json.dumps(content).encode())

    return spoil
