"""What a careful forger does: a manifest that lists the files as they are now. Needs no test library."""

from __future__ import annotations

import json
from pathlib import Path

from core.artifact import manifest as artifact
from core.artifact import proof, seal


def reseal(folder: Path) -> None:
    """Write the manifest anew, its own hash with it."""
    path = folder / artifact.MANIFEST_FILE
    manifest = json.loads(path.read_text("utf-8"))
    outside = {artifact.MANIFEST_FILE, proof.SIGNATURE_FILE, proof.SIGNATURE_HASH_FILE}
    manifest["files"] = {n: f for n, f in artifact.files(folder).items() if n not in outside}
    del manifest[seal.FIELD]
    path.unlink()
    path.write_text(seal.sealed(manifest), "utf-8")
