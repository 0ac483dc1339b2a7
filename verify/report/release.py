"""Packaging: the finished graphs and their files to `dist/NAME`, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from core.artifact import manifest as artifact
from core.artifact.manifest import MANIFEST_FILE, REFERENCE_FILE
from core.artifact.proof import SIGNATURE_FILES
from core.build import reference
from core.build.facts import EncoderInfo, HeadInfo
from core.build.plan import USED_FILE
from core.contract import RECIPE_FILE, TEXT_FILE, TOOLCHAIN_VERSION, VARIANT_FILES
from core.disk import folders, lock, ownership
from core.disk.files import sha256_file
from core.errors import ArtifactError, GateError
from core.untrusted import json_file
from verify.build import PARITY_FILE, TEXT_RECORD_FILE, Build
from verify.parity import parity
from verify.proof import saturation
from verify.report import card, examples, measured, report, sbom

_DEPENDENCIES = (
    "numpy onnx onnx-ir onnxruntime onnxscript onnxsim scikit-learn skl2onnx tokenizers torch transformers"
).split()
_Files = dict[str, dict[str, Any]]


def _variant(build: Build, folder: Path, variant: str, files: _Files) -> dict[str, Any]:
    file, record = VARIANT_FILES[variant], build.json(PARITY_FILE).get(variant)
    if record is None or record["sha256"] != files[file]["sha256"]:
        raise ArtifactError(f"{build.graph(variant)}: its parity was not measured; run `make verify`")
    try:
        figures, oldest, guard = parity.Parity(**record["parity"]), record["onnxruntime"], record["guard"]
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{build.folder / PARITY_FILE}: of another version; run `make verify`") from error
    exceeded = parity.violations(variant, figures, build.tolerance(variant))
    if exceeded:
        raise GateError("; ".join(exceeded))
    return {
        "name": variant,
        "file": file,
        "size": files[file]["size"],
        "tolerance": asdict(build.tolerance(variant)),
        "quantization": record["quantization"],
        "pairs": saturation.count(folder / file).stated(),
        "onnxruntime": oldest,
        "guard": guard,
        "parity": asdict(figures),
    }


def _text(build: Build, files: _Files) -> dict[str, Any] | None:
    """Return what was measured of the graph that takes texts; None where the recipe has no such graph.

    Raises:
        ArtifactError: the record is missing or damaged, or not of these very graphs.
    """
    if build.recipe.text is None:
        return None
    record: dict[str, Any] = build.json(TEXT_RECORD_FILE)
    variant, graph = build.recipe.text.variant, files[TEXT_FILE]
    measured = [record.pop("sha256"), record["variant"], record.pop("variant_sha256")]
    if measured != [graph["sha256"], variant, files[VARIANT_FILES[variant]]["sha256"]]:
        raise ArtifactError(f"{build.text_graph}: it was not measured; run `make verify`")
    return {"file": TEXT_FILE, "size": graph["size"], **record}


def _ran_on(build: Build) -> dict[str, str]:
    """Return what the gate ran on when it measured parity.

    Raises:
        ArtifactError: its record is of before it said so.
    """
    found: dict[str, str] | None = build.json(PARITY_FILE).get(parity.RAN_ON)
    if found is None:
        raise ArtifactError(f"{build.folder / PARITY_FILE}: of another version; run `make verify`")
    return found


def _describe(build: Build, folder: Path, files: _Files) -> dict[str, Any]:
    encoder = EncoderInfo.read(build.folder / "encoder.json")
    head = HeadInfo.read(build.folder / "head.json")
    graphs = {name: files[VARIANT_FILES[name]] for name in build.recipe.variants}
    evaluations, speed = measured.figures(
        build,
        {name: graph["sha256"] for name, graph in graphs.items()},
        {name: graph["size"] for name, graph in graphs.items()},
    )
    return {
        "name": build.recipe.name,
        "toolchain_version": TOOLCHAIN_VERSION,
        "recipe": build.recipe.model_dump(mode="json"),
        "recipe_sha256": sha256_file(build.recipe_folder / RECIPE_FILE),
        "encoder": asdict(encoder),
        "head": asdict(head),
        "variants": [_variant(build, folder, name, files) for name in build.recipe.variants],
        parity.RAN_ON: _ran_on(build),
        "text": _text(build, files),
        "evaluations": evaluations,
        "speed": speed,
        "data": measured.data(build),
        "examples": examples.answers(build.recipe, folder),
        "reference": reference.read(build.folder / REFERENCE_FILE).source,
        "quantization": build.json(USED_FILE) if "int8" in build.recipe.variants else None,
        "dependencies": {name: metadata.version(name) for name in _DEPENDENCIES},
    }


def _fill(build: Build, folder: Path) -> None:
    for path in sorted((build.folder / "assets").iterdir()):
        shutil.copyfile(path, folder / path.name)
    for name in build.recipe.variants:
        target = folder / VARIANT_FILES[name]
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(build.graph(name), target)
    if build.recipe.text is not None:
        shutil.copyfile(build.text_graph, folder / TEXT_FILE)
    shutil.copyfile(build.folder / REFERENCE_FILE, folder / REFERENCE_FILE)
    # Of the copies, and once: what the gates measured is compared with what is released.
    files = artifact.files(folder)
    described = _describe(build, folder, files)

    def add(name: str, content: str) -> None:
        (folder / name).write_text(content, "utf-8")
        files[name] = artifact.entry(folder / name)

    add("README.md", card.render(build.recipe, described))
    add(sbom.SBOM_FILE, sbom.render(described, files))
    add(report.REPORT_FILE, report.render(described, files, build.folder))
    listed = {name: files[name] for name in sorted(files, key=Path)}
    (folder / MANIFEST_FILE).write_text(artifact.sealed({**described, "files": listed}), "utf-8")


def _check_unlisted(target: Path) -> None:
    """Check that an artifact which is to be replaced holds only what a release or a signature wrote.

    Raises:
        ArtifactError: another file is in it, or its manifest is none.
    """
    path = target / MANIFEST_FILE
    if path.exists():
        listed = artifact.listed_files(json_file.read_object(path, ArtifactError), path)
        found = {each.relative_to(target).as_posix() for each in target.rglob("*") if not each.is_dir()}
        unlisted = sorted(found - set(listed) - {MANIFEST_FILE, *SIGNATURE_FILES})
        if unlisted:
            stated = f"found {unlisted[0]}, which {MANIFEST_FILE} does not list"
            raise ArtifactError(f"{target}: {stated}; move it elsewhere, or remove the folder")


def release(build: Build, target: Path) -> None:
    """Write the artifact beside `target` and move it into place.

    Raises:
        GateError: a variant is over a tolerance; nothing is written.
        ArtifactError: a variant was not measured, the folder cannot be written, holds what no release wrote,
            or a file of the build is missing.
    """
    ownership.check_replaceable(target, MANIFEST_FILE)
    held = lock.held(target.with_name(f".{target.name}.lock"))
    try:
        with held, folders.replacing_folder(target, MANIFEST_FILE) as fresh:
            _check_unlisted(target)
            _fill(build, fresh)
    except OSError as error:
        raise ArtifactError(f"{target}: cannot be written: {error.strerror or error}") from error
