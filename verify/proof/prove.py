"""`artifact` and `sign`: prove or sign a finished artifact."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.artifact import manifest, proof
from core.artifact.graph import Graph
from core.build import reference
from core.build.facts import HeadInfo
from core.errors import GateError
from verify.parity import check
from verify.proof import agreement, saturation, signature


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the artifact."""
    parser.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="PEM; verify the signature with it (default: by whom it is signed is not looked at)",
    )
    parser.add_argument("--hashes-only", action="store_true", help="every byte, but no graph is run")


def add_sign_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sign` reads besides the artifact."""
    parser.add_argument("--key", type=Path, metavar="FILE", required=True, help="private key, PEM")


def sign(arguments: argparse.Namespace) -> None:
    """Sign an artifact that is whole; a signature that it has, sound or not, is replaced.

    Raises:
        GateError: it is not whole.
        ArtifactError: the key cannot be read.
    """
    folder: Path = arguments.artifact
    with proof.verdict(folder):
        proved = proof.check_listed(folder)
    signature.sign(folder, arguments.key)
    signed = set(proved.files) - {proof.SIGNATURE_FILE, proof.SIGNATURE_HASH_FILE}
    print(f"{folder / proof.SIGNATURE_FILE}: signs {len(signed)} files")


def _check_pairs(folder: Path, fields: dict[str, Any]) -> dict[str, str]:
    """Prove of each graph, from its bytes, which pairs of weights can saturate; return it in words, by name.

    What takes texts is held to what its variant states.
    """
    stated = {row["name"]: row.get("pairs") for row in fields["variants"]}
    graphs = [(variant.name, variant.file, variant.name) for variant in manifest.variants(folder)]
    if text := manifest.text_graph(folder):
        graphs.append(("text", text.file, text.variant.name))
    path, kind = folder / manifest.MANIFEST_FILE, fields["head"]["kind"]
    return {
        name: saturation.check(file, stated[variant], kind, f"{path}: {variant}")
        for name, file, variant in graphs
    }


def _check_graphs(folder: Path, proved: proof.Proof) -> None:
    original = reference.read(folder / manifest.REFERENCE_FILE)
    claims = agreement.check_files(folder, proved.manifest, original)
    pairs = _check_pairs(folder, proved.manifest)
    variants, text = manifest.variants(folder), manifest.text_graph(folder)
    graphs = check.opened(variants)
    for variant, stated in zip(variants, proved.manifest["variants"], strict=True):
        claims += agreement.check_graph(graphs[variant.name], proved.manifest, stated)
    if text:
        text_graph = Graph(text.file)
        claims += agreement.check_text_graph(
            text_graph, graphs[text.variant.name], HeadInfo(**proved.manifest["head"])
        )
    print(f"agree     {claims} claims: names, types, axes, metadata, thresholds, labels, config, tokenizer")
    for name, said in pairs.items():
        print(f"pairs     {name}: {said}")
    rows, checks = check.measure(variants, graphs, original, folder / manifest.TOKENIZER_FILE)
    if text:
        checks += check.text_checks(text_graph, graphs[text.variant.name], original)
    failures = [check.failure for check in checks if check.failure is not None]
    if failures:
        raise GateError("; ".join(failures))
    for name, figures, _ in rows:
        print(
            f"parity    {name}: max Δp {figures.max_probability_error:.1e}, "
            f"flip rate {figures.flip_rate:.4f} on {figures.texts} texts"
        )
    if text:
        print(f"parity    text: as {text.variant.name} on {len(original.texts)} texts")


def run(arguments: argparse.Namespace) -> None:
    """Prove an artifact: bytes, signature, agreement, pairs of weights, parity, in this order; print each.

    Raises:
        GateError: a byte is not as written, the signature does not verify, two files disagree, or a variant
            is over its tolerance on the artifact's own reference.
        ArtifactError: the artifact or the key cannot be read.
    """
    folder: Path = arguments.artifact
    if arguments.public_key:
        signature.check_key(arguments.public_key)
    with proof.verdict(folder):
        _prove(folder, arguments.public_key, arguments.hashes_only)


def _prove(folder: Path, public_key: Path | None, hashes_only: bool) -> None:
    proved = proof.check_files(folder)
    print(f"hashes    {len(proved.files)} files, {proved.size_bytes:,} bytes, manifest among them")
    if public_key:
        signature.verify(folder, public_key)
        print(f"signature verified with {public_key}")
    elif proved.signed:
        print("signature there, and by whom was not looked at: it proves nothing without --public-key FILE")
    if not hashes_only:
        with manifest.fields_of(folder / manifest.MANIFEST_FILE):
            _check_graphs(folder, proved)
