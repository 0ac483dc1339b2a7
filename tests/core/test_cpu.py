"""The class of a CPU, from what Linux and macOS say of one."""

from __future__ import annotations

import platform
import subprocess
from types import SimpleNamespace

import pytest

from core import cpu

EPYC = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu sse4_1 avx avx2 avx512_vnni\n\n"
GRAVITON = "BogoMIPS\t: 2100\nFeatures\t: fp asimd asimddp sve i8mm\nCPU implementer\t: 0x41\n\n"
APPLE = "machdep.cpu.brand_string: Apple M2\nhw.optional.AdvSIMD: 1\nhw.optional.arm.FEAT_DotProd: 1\n"
APPLE += "hw.optional.arm.FEAT_I8MM: 1\nhw.optional.arm.FEAT_SME: 0\nhw.optional.avx2_0: 0\n"
INTEL = "machdep.cpu.vendor: GenuineIntel\nmachdep.cpu.features: FPU SSE4.1 AVX1.0\n"
INTEL += "machdep.cpu.leaf7_features: BMI1 AVX2\n"


@pytest.mark.parametrize(
    ("architecture", "system", "text", "said"),
    [
        ("x86_64", "Linux", 2 * EPYC, "x86_64 AuthenticAMD sse4_1 avx2 avx512_vnni"),
        ("aarch64", "Linux", 2 * GRAVITON, "aarch64 0x41 asimd asimddp i8mm sve"),
        ("riscv64", "Linux", "", "riscv64"),
        ("arm64", "Darwin", APPLE, "arm64 asimd asimddp i8mm"),
        ("x86_64", "Darwin", INTEL, "x86_64 GenuineIntel sse4_1 avx2"),
        ("AMD64", "Windows", None, "AMD64"),
    ],
)
def test_a_class(monkeypatch, tmp_path, architecture, system, text, said):
    file = tmp_path / "cpuinfo"
    if system == "Linux":
        file.write_text(text)
    monkeypatch.setattr(cpu, "_LINUX_FILE", file)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=text))
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: architecture)
    assert cpu.class_of() == said


def test_a_mac_without_its_command(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert cpu.class_of() == platform.machine()
    assert cpu.model()
