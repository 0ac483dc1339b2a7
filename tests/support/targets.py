"""Systems and Pythons that README.md names, as pip sees them: what fits there, and what markers read."""

from __future__ import annotations

from dataclasses import dataclass

from pip._vendor.packaging import tags


@dataclass(frozen=True)
class Target:
    """A Python on a system: of the oldest glibc (2.28) and macOS (14) that all wheels fit."""

    python: tuple[int, int]
    system: str
    machine: str

    def __str__(self) -> str:
        return f"{self.version}-{self.system}-{self.machine}"

    @property
    def version(self) -> str:
        return "{}.{}".format(*self.python)

    @property
    def platforms(self) -> list[str]:
        """Platform tags, best first."""
        if self.system == "darwin":
            return list(tags.mac_platforms((14, 0), self.machine))
        oldest, legacy = (5, ["2014", "2010", "1"]) if self.machine == "x86_64" else (17, ["2014"])
        new = [f"manylinux_2_{minor}_{self.machine}" for minor in range(28, oldest - 1, -1)]
        return [*new, *(f"manylinux{name}_{self.machine}" for name in legacy)]

    @property
    def fitting(self) -> list[tags.Tag]:
        """All tags, best first."""
        interpreter = "cp{}{}".format(*self.python)
        own = tags.cpython_tags(self.python, [interpreter], self.platforms)
        return [*own, *tags.compatible_tags(self.python, interpreter, self.platforms)]

    @property
    def environment(self) -> dict[str, str]:
        """What a marker reads there."""
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": {"linux": "Linux", "darwin": "Darwin"}[self.system],
            "python_full_version": f"{self.version}.1",
            "python_version": self.version,
            "sys_platform": self.system,
        }


SYSTEMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
TARGETS = [Target((3, minor), *system) for system in SYSTEMS for minor in (11, 12, 13, 14)]
# Each build of torch where there is one.
BUILDS = [(target, "cpu") for target in TARGETS]
BUILDS += [(target, "cuda") for target in TARGETS if target.system == "linux"]
