"""`python -m deliver`: packages for servers and engines, and publishing."""

from __future__ import annotations

import argparse
import sys

from core.cli import CommandLine
from core.disk.folders import replacing_folder
from core.errors import ArtifactError
from deliver import openvino, tei, triton
from deliver.source import open_source

_FORMATS = {"openvino": openvino.fill, "tei": tei.fill, "triton": triton.fill}


def _package(arguments: argparse.Namespace) -> None:
    if arguments.format not in _FORMATS:
        raise ArtifactError(f"FORMAT: found {arguments.format!r}; expected one of {', '.join(_FORMATS)}")
    source = open_source(arguments.artifact, arguments.variant or None)
    try:
        with replacing_folder(arguments.target) as folder:
            _FORMATS[arguments.format](source, folder)
    except OSError as error:
        raise ArtifactError(f"{arguments.target}: cannot be written: {error}") from error
    size = sum(path.stat().st_size for path in arguments.target.rglob("*") if path.is_file())
    print(f"  package  {arguments.format:<10} {arguments.target} ({source.variant}, {size / 1e6:.1f} MB)")


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


def _command_line() -> CommandLine:
    line = CommandLine("python -m deliver", __doc__)
    package = line.add(
        "package", _package, "write an artifact for a server or an engine", "artifact", "target"
    )
    package.add_argument("--format", required=True, help=" or ".join(_FORMATS))
    package.add_argument("--variant", help="int8 where the artifact has it and none is named")
    publish = line.add("publish", _publish, "bring an artifact to the hub, as one commit", "artifact")
    publish.add_argument("repo", help="OWNER/NAME")
    publish.add_argument("--dry-run", action="store_true", help="print what would go, and ask no network")
    publish.add_argument(
        "--private", action="store_true", help="where the repository is made, make it private"
    )
    return line


if __name__ == "__main__":
    sys.exit(_command_line().main())
