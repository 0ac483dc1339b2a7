"""A 64-bit ARM userland for `qemu-aarch64`: Debian's Python, and the wheels that a lock file pins.

`python -m tests.cpus.aarch64 FOLDER LOCK` makes it, without root and without a foreign package on this
machine: apt downloads into a state of its own, and checks signatures as ever.

onnxruntime's CPU detection (pytorch/cpuinfo) reads `/proc/cpuinfo` and `/sys/devices/system/cpu`. Those of an
x86 machine, which qemu 7.2 shows in user mode, name no `CPU part`: cpuinfo_arm_linux_init counts no L2 cache
for an unknown core, then fills in the one that /sys lists, behind a null pointer (pytorch/cpuinfo#398;
onnxruntime 1.32.0 crashes on import). qemu takes a file below its `-L` folder in place of the same absolute
path, so each core gets a folder with its own. The part has to be the emulated core's: cpuinfo takes dot
products for given by the part alone. qemu 10 shows a /proc/cpuinfo of its own, which does as well.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from core.build import installed
from core.ends import FAILED
from core.errors import ToolchainError
from requirements.pin import entries

# Cores that qemu 7.2 emulates, by what their 8-bit products use; the part that stands in /proc/cpuinfo.
CORES = {
    "cortex-a72": "0xd08",  # NEON: Raspberry Pi 4, Graviton 1
    "neoverse-n1": "0xd0c",  # dot products: Graviton 2, Ampere Altra
    "max": "0xd40",  # 8-bit matrix products, SVE; the part is Neoverse V1's, Graviton 3
}
FOLDER = Path("build", "aarch64")
_CPUINFO = """processor\t: 0
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: {part}
CPU revision\t: 0

"""
_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgcc-s1")
_WHEELS = ("numpy", "onnxruntime")
_PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28")
# Of the machine's apt only the sources and their keys.
_APT = (
    "APT::Architecture=arm64",
    "APT::Architectures=arm64",
    "APT::Install-Recommends=false",
    "APT::Sandbox::User=root",
)


def command(folder: Path, core: str) -> list[str]:
    """Return what makes `qemu-aarch64` Python on a core; a script and its arguments come after it."""
    prefix = (folder / "cores" / core).absolute()
    return ["-cpu", core, "-L", str(prefix), f"{prefix}/usr/bin/python3"]


def site_packages(folder: Path) -> Path:
    """Return the folder of the wheels, for `PYTHONPATH`."""
    return (folder / "site-packages").absolute()


def _run(arguments: list[str]) -> None:
    result = subprocess.run(arguments, check=False, capture_output=True, text=True)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines() or [f"exit code {result.returncode}"]
        raise ToolchainError(f"{arguments[0]}: {said[-1]}")


def _unpack_debian(root: Path, scratch: Path) -> None:
    """Unpack Python and what it needs, of this machine's own apt sources, as 64-bit ARM."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise ToolchainError(f"no {tool}: the userland is made of Debian's packages")
    for folder in (scratch / "lists" / "partial", scratch / "archives" / "partial"):
        folder.mkdir(parents=True)
    (scratch / "status").touch()
    places = {"State": scratch, "State::status": scratch / "status", "Cache": scratch}
    options = [*_APT, *(f"Dir::{name}={path.absolute()}" for name, path in places.items())]
    apt = ["apt-get", *(f"--option={option}" for option in options), "--quiet", "--yes"]
    _run([*apt, "update", "--error-on=any"])
    _run([*apt, "install", "--download-only", *_PACKAGES])
    for package in sorted((scratch / "archives").glob("*.deb")):
        _run(["dpkg", "--extract", str(package), str(root)])


def _install_wheels(lock_file: Path, root: Path, site: Path, scratch: Path) -> None:
    pinned = [entry for entry in entries(lock_file.read_text("utf-8")) if entry.split("==")[0] in _WHEELS]
    if len(pinned) != len(_WHEELS):
        raise ToolchainError(f"{lock_file}: found {len(pinned)} of {', '.join(_WHEELS)}, expected both")
    (scratch / "wheels.txt").write_text("".join(pinned), "utf-8")
    python = (root / "usr" / "bin" / "python3").readlink().name.removeprefix("python")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    platforms = [f"--platform={name}_aarch64" for name in _PLATFORMS]
    target = [f"--python-version={python}", "--implementation=cp", f"--target={site}"]
    wheels = ["--require-hashes", f"--requirement={scratch / 'wheels.txt'}"]
    _run([sys.executable, "-m", "pip", "install", *options, *platforms, *target, *wheels])


def _add_core(folder: Path, core: str, part: str) -> None:
    """Make the core's `-L` folder: the userland by links, and its own /proc and /sys of one processor."""
    prefix = folder / "cores" / core
    system = prefix / "sys" / "devices" / "system" / "cpu"
    system.mkdir(parents=True)
    (prefix / "proc").mkdir()
    (prefix / "proc" / "cpuinfo").write_text(_CPUINFO.format(part=part), "ascii")
    for name in ("possible", "present"):
        (system / name).write_text("0\n", "ascii")
    for entry in (folder / "root").iterdir():
        (prefix / entry.name).symlink_to(Path("..", "..", "root", entry.name))


def make(folder: Path, lock_file: Path) -> None:
    """Make the userland anew, where it is not there for this lock file; `folder/installed` is written last.

    Raises:
        ToolchainError: this machine has no apt, no source of 64-bit ARM packages, or no network; or
            `lock_file` does not pin the wheels.
        OSError: a file cannot be read or written.
    """
    stamp = folder / installed.STAMP
    if installed.is_current(stamp, lock_file):
        return
    shutil.rmtree(folder, ignore_errors=True)
    scratch = folder / "scratch"
    _unpack_debian(folder / "root", scratch)
    _install_wheels(lock_file, folder / "root", site_packages(folder), scratch)
    for core, part in CORES.items():
        _add_core(folder, core, part)
    shutil.rmtree(scratch)
    stamp.write_text(installed.content(lock_file), "ascii")


def main(arguments: list[str]) -> int:
    """Make the userland, or say why it cannot be here."""
    if len(arguments) != 2:
        print("usage: python -m tests.cpus.aarch64 FOLDER LOCK", file=sys.stderr)
        return 2
    try:
        make(*map(Path, arguments))
    except (ToolchainError, OSError) as error:
        print(f"error: {arguments[0]}: cannot be made: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
