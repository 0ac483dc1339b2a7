"""Build, verify, score, serve, package and publish an artifact: the console command `onnx-classifier`.

`verify` needs numpy, onnxruntime and tokenizers alone; what the other commands need is imported inside them.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.cli import CommandLine
from core.disk.folders import replacing_folder
from core.ends import FAILED
from core.errors import ArtifactError
from verify.proof import prove

# In every package, so that the next one may take its place.
PACKAGE_STAMP = ".package"
_FORMATS = tuple("infinity openvino ort qdq search tei triton triton-python webgpu".split())
# What a format takes where no variant is named, if not int8.
_VARIANTS = {"webgpu": "fp32"}
# Those that have a place for the graph that takes texts: VARIANT=text.
_TAKE_TEXT = ("triton", "triton-python")
# What installs the libraries of a command.
_EXTRAS = {"build": "build", "package": "build", "publish": "build", "score": "score", "serve": "serve"}


def _build(arguments: argparse.Namespace) -> int:
    from core import recipe
    from export.__main__ import main as export
    from graphs.__main__ import main as graphs
    from verify.__main__ import main as verify

    name = recipe.load(arguments.recipe).name
    target = str(arguments.out or Path("dist") / name)
    stage = [str(arguments.recipe), str(arguments.work or Path("build") / name)]
    return (
        export(["build", *stage])
        or graphs(["build", *stage])
        or verify(["gate", *stage])
        or verify(["release", *stage, target])
        or verify(["summary", target])
    )


def _score(arguments: argparse.Namespace) -> int:
    from score.__main__ import score

    return score(arguments)


def _serve(arguments: argparse.Namespace) -> None:
    from deliver.server.__main__ import serve

    serve(arguments)


def _package(arguments: argparse.Namespace) -> None:
    from deliver import infinity, openvino, ort, qdq, search, tei, triton, webgpu
    from deliver.source import open_source

    writers = (
        *(infinity.fill, openvino.fill, ort.fill, qdq.fill, search.fill, tei.fill),
        *(triton.fill, triton.fill_python, webgpu.fill),
    )
    fill = dict(zip(_FORMATS, writers, strict=True)).get(arguments.format)
    if fill is None:
        raise ArtifactError(f"FORMAT: found {arguments.format!r}; expected one of {', '.join(_FORMATS)}")
    variant = arguments.variant or _VARIANTS.get(arguments.format)
    source = open_source(arguments.artifact, variant, arguments.format in _TAKE_TEXT)
    try:
        with replacing_folder(arguments.target, PACKAGE_STAMP) as folder:
            fill(source, folder)
            (folder / PACKAGE_STAMP).touch()
    except OSError as error:
        raise ArtifactError(f"{arguments.target}: cannot be written: {error}") from error
    size = sum(path.stat().st_size for path in arguments.target.rglob("*") if path.is_file())
    print(f"  package  {arguments.format:<13} {arguments.target} ({source.variant}, {size / 1e6:.1f} MB)")


def _publish(arguments: argparse.Namespace) -> None:
    # Not before it is needed: packages for servers need no hub.
    from deliver import publish

    upload = publish.prepare(arguments.artifact, arguments.repo)
    for name, file in upload.files.items():
        print(f"  {file.size:>11,} bytes  {file.sha256}  {name}")
    total = sum(file.size for file in upload.files.values())
    print(f"  {total:>11,} bytes  {len(upload.files)} files to {upload.repo}: {upload.message}")
    if arguments.dry_run:
        print("  dry run: nothing was sent")
        return
    print(f"  published {publish.send(upload, arguments.private)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, of a failure with one line that says why."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else ""
    line = CommandLine("onnx-classifier", "Build, verify, score, serve, package and publish an artifact.")
    build = line.add("build", _build, "build, verify and package a recipe's artifact", "recipe")
    build.add_argument("--out", type=Path, help="the artifact's folder (default: dist/NAME)")
    build.add_argument("--work", type=Path, help="files on the way (default: build/NAME)")
    verify = line.add("verify", prove.run, "prove an artifact's bytes, claims and parity", "artifact")
    prove.add_options(verify)
    score = line.add("score", _score, "label a corpus")
    server = line.add("serve", _serve, "label texts over HTTP until it is stopped")
    package = line.add("package", _package, "write it for a server or an engine", "artifact", "target")
    package.add_argument("--format", required=True, help=" or ".join(_FORMATS))
    of = "of the artifact's graphs (default: int8, where it has that; of webgpu, fp32)"
    package.add_argument("--variant", help=of)
    publish = line.add("publish", _publish, "bring an artifact to the hub, as one commit", "artifact")
    publish.add_argument("repo", help="OWNER/NAME")
    publish.add_argument("--dry-run", action="store_true", help="print what would go, and ask no network")
    publish.add_argument("--private", action="store_true", help="make a new repository private")
    try:
        if name == "score":
            from score.__main__ import add_options

            add_options(score)
        if name == "serve":
            from deliver.server.options import add_options as add_server_options

            add_server_options(server)
        return line.main(given)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(name)
        if extra is None:
            raise
        print(f"error: {name}: {error}; install this package with its extra [{extra}]", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
