"""`artifact` and `sign`: what proves a finished artifact. numpy, onnxruntime and tokenizers are enough.

A signature needs `model-signing` as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from core.artifact import manifest, proof
from core.artifact.graph import Graph
from core.build import reference
from core.errors import ArtifactError, GateError
from verify.parity import command_parity
from verify.proof import agreement, signature


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the artifact."""
    parser.add_argument("--public-key", type=Path, metavar="FILE", help="PEM; check the signature with it")
    parser.add_argument("--hashes-only", action="store_true", help="every byte, but no graph is run")


def add_sign_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sign` reads besides the artifact."""
    parser.add_argument("--key", type=Path, metavar="FILE", required=True, help="private key, PEM")


def sign(arguments: argparse.Namespace) -> None:
    """Sign an artifact that is whole.

    Raises:
        ArtifactError: it is not, or the key is none.
    """
    folder: Path = arguments.artifact
    found = proof.check_files(folder)
    signature.sign(folder, arguments.key)
    print(f"{folder / proof.SIGNATURE_FILE}: signs {found.files - 2 * found.signed} files")


def _check_graphs(folder: Path, found: proof.Proved) -> None:
    original = reference.read(folder / manifest.REFERENCE_FILE)
    claims = agreement.check_files(folder, found.manifest)
    variants = manifest.variants(folder)
    for variant, row in zip(variants, found.manifest["variants"], strict=True):
        claims += agreement.check_graph(Graph(variant.file), found.manifest, row["quantization"], original)
    print(f"agree     {claims} claims: names, types, axes, metadata, thresholds, labels, config, tokenizer")
    rows, checks = command_parity.measure(variants, original, folder / manifest.TOKENIZER_FILE)
    failures = [check.failure for check in checks if check.failure is not None]
    if failures:
        raise GateError("; ".join(failures))
    for name, figures, _ in rows:
        print(
            f"parity    {name}: max Δp {figures.max_probability_error:.1e}, "
            f"flip rate {figures.flip_rate:.4f} on {figures.texts} texts"
        )


def run(arguments: argparse.Namespace) -> None:
    """Prove an artifact: bytes, signature, agreement, parity, in this order; print each.

    Raises:
        ArtifactError: a byte is not as written, the signature does not verify, two places disagree.
        GateError: a variant is over its tolerance on the artifact's own reference.
    """
    folder: Path = arguments.artifact
    found = proof.check_files(folder)
    print(f"hashes    {found.files} files, {found.size_bytes:,} bytes, manifest among them")
    if arguments.public_key:
        signature.check(folder, arguments.public_key)
        print(f"signature verified with {arguments.public_key}")
    elif found.signed:
        print("signature there, intact, not verified: give --public-key FILE")
    if not arguments.hashes_only:
        try:
            _check_graphs(folder, found)
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{folder}: not an artifact of this toolchain: {error!r}") from error
