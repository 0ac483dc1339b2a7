"""`python -m deliver`: packages for servers and engines, and publishing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.cli import exit_code
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

    plan = publish.plan(arguments.artifact, arguments.repo)
    for name, (sha256, size) in plan.files.items():
        print(f"  {size:>11,} bytes  {sha256}  {name}")
    total = sum(size for _, size in plan.files.values())
    print(f"  {total:>11,} bytes  {len(plan.files)} files to {plan.repo}: {plan.message}")
    if arguments.dry_run:
        print("  dry run: nothing was sent")
        return
    print(f"  published {publish.upload(plan, arguments.private)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deliver", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    package = commands.add_parser("package", help="write an artifact for a server or an engine")
    package.set_defaults(run=_package)
    package.add_argument("artifact", type=Path)
    package.add_argument("target", type=Path)
    package.add_argument("--format", required=True, help=" or ".join(_FORMATS))
    package.add_argument("--variant", help="int8 where the artifact has it and none is named")
    publish = commands.add_parser("publish", help="bring an artifact to the hub, as one commit")
    publish.set_defaults(run=_publish)
    publish.add_argument("artifact", type=Path)
    publish.add_argument("repo", help="OWNER/NAME")
    publish.add_argument("--dry-run", action="store_true", help="print what would go, and ask no network")
    publish.add_argument(
        "--private", action="store_true", help="where the repository is made, make it private"
    )
    return parser


def main() -> int:
    """Run a command; 1 where it fails, with one line that says why."""
    arguments = _parser().parse_args()
    return exit_code(arguments.run, arguments)


if __name__ == "__main__":
    sys.exit(main())
