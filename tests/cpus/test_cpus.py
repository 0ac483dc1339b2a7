"""The comparison of processors fails when it must; an emulator that emulates nothing is refused."""

from __future__ import annotations

import platform
import sys

import numpy as np
import pytest

from core.contract import MULTI_LABEL
from core.errors import GateError, ToolchainError
from tests.cpus import __main__ as command
from tests.cpus import aarch64, compare, emulation, floats, inside, kernels
from tests.support import artifacts
from tests.support.places import DEFAULT

HASWELL, _, NEHALEM = emulation.PROCESSORS
THRESHOLDS = np.array([0.5, 0.25], np.float32)


def changed(texts, otherwise=0, mean=0.0):
    """The difference of texts of which so many are decided otherwise, and all changed so much on average."""
    expected = np.full((texts, 2), [0.5, 0.1], np.float32)
    found = expected.copy()
    found[:otherwise, 0] = np.nextafter(np.float32(0.5), np.float32(0))
    found[:, 1] += 2 * mean
    return compare.difference(found, expected, THRESHOLDS, MULTI_LABEL)


def test_as_much_as_is_allowed():
    assert changed(200, 1)[:2] == (200, 1)
    compare.check({"here": changed(200, 1), "there": changed(24, 0, 9e-6)})
    arm = changed(100, 1, 4e-4)._replace(allowed=compare.ARM)
    compare.check({"ARM": arm})
    guarded = changed(200, 1)._replace(allowed=compare.allowed_of("guarded", compare.ARM))
    with pytest.raises(GateError, match=r"^it: found 1 of 200 .*, expected at most 0$"):
        compare.check({"it": guarded})
    assert compare.allowed_of("int8", compare.ARM) == compare.ARM
    with pytest.raises(GateError, match=r"^ARM: found 2 of 100 .*; ARM: found a mean change of 6.0e-04, "):
        compare.check({"ARM": arm._replace(otherwise=2, mean=6e-4)})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (changed(200, 2), "found 2 of 200 texts decided otherwise, expected at most 1"),
        (changed(24, 2), "found 2 of 24 texts decided otherwise, expected at most 1"),
        (changed(24, 0, 1.5e-3), "found a mean change of 1.5e-03, expected at most 1e-05"),
        (changed(200, 0, 2e-5), "found a mean change of 2.0e-05, expected at most 1e-05"),
    ],
)
def test_more_than_is_allowed(found, said):
    with pytest.raises(GateError) as raised:
        compare.check({"same": changed(24), "Haswell, int8": found})
    assert str(raised.value) == f"Haswell, int8: {said}"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.full((3, 2), np.nan), np.zeros((3, 2))),
        (np.zeros((2, 2)), np.zeros((3, 2))),
        (np.zeros((0, 2)),) * 2,
    ],
)
def test_what_is_no_answer(found, expected):
    with pytest.raises(ToolchainError, match="probabilities: found"):
        compare.difference(found, expected, THRESHOLDS, MULTI_LABEL)


def simulated(saturates):
    """What the small graphs answer where pairs of products are added in 16 bits, or exactly."""
    answers = {}
    for operator in kernels.OPERATORS:
        for name, pairs in kernels.PAIRS.items():
            weight = kernels.weights(pairs, kernels.columns(operator)).astype(np.int64)[:, -kernels.HEAD :]
            sums = 255 * (weight[::2] + weight[1::2])
            kept = sums.clip(-(2**15), 2**15 - 1) if saturates else sums
            answers[f"{operator}-{name}"] = np.tile(kept.sum(axis=0, dtype=float), (2, 1))
    return answers


def test_kernels_are_told_apart():
    for saturates in (False, True):
        kernels.check("it", simulated(saturates), saturates)
        with pytest.raises(ToolchainError, match=r"it: found .* to saturate, expected .* not the kernels"):
            kernels.check("it", simulated(saturates), not saturates)
    one = simulated(True) | {"QAttention-unsafe": simulated(False)["QAttention-unsafe"]}
    with pytest.raises(
        ToolchainError, match=r"found MatMulIntegerToFloat to saturate, expected .* and QAttention"
    ):
        kernels.check("it", one, True)
    with pytest.raises(ToolchainError, match="QAttention of pair-safe weights: found others"):
        kernels.check("it", simulated(True) | {"QAttention-safe": np.zeros((1, kernels.HEAD))}, True)


def test_the_small_graphs_in_this_machines_onnxruntime(tmp_path):
    integers, graphs = kernels.write(tmp_path)
    given, others = floats.write(tmp_path)
    source = tmp_path / "inputs.npz"
    np.savez(source, **integers, **given)
    answers = emulation.run(emulation.THIS, source, tmp_path / "answers.npz", *graphs, *others)
    # Pair-safe weights are exact on any; unsafe ones are exact or saturate, in both operators.
    assert kernels.saturating("it", answers) in ([], [*kernels.OPERATORS])
    assert floats.different(answers, answers) == {}
    answers["float Gelu"], expected = answers["float Gelu"].copy(), dict(answers)
    answers["float Gelu"][:10] += 1e-6
    assert floats.different(answers, expected) == {"Gelu": pytest.approx(0.25, abs=0.01)}


def test_a_processor_has_its_features():
    emulation.check_features(HASWELL, {"AVX2", "FMA3", "SSE42"})
    for processor, features, said in (
        (HASWELL, {"AVX2", "FMA3", "AVX512F", "AVX512VNNI"}, "Haswell: found AVX512F, AVX512VNNI, expected"),
        (HASWELL, {"SSE42"}, "Haswell: found no AVX2, no FMA3, expected"),
        (NEHALEM, {"SSE42", "AVX"}, "Nehalem: found AVX, expected"),
    ):
        with pytest.raises(ToolchainError, match=said):
            emulation.check_features(processor, features)


@pytest.fixture
def line(tmp_path, monkeypatch, in_process):
    """Run the command on a small artifact; return its exit status and its output."""
    artifact = artifacts.artifact(tmp_path / "artifact", {"fp32": 0.0, "int8": 0.0})

    def run(*options):
        given = [artifact, DEFAULT, tmp_path / "build", "--texts", "5", "--processors", "Nehalem", *options]
        monkeypatch.setattr(sys, "argv", ["tests.cpus", *map(str, given)])
        monkeypatch.delenv("GO_EMOTIONS_DIR", raising=False)
        return in_process(lambda *_: command.main())

    return run


def test_where_there_is_no_emulator_it_says_so(line, monkeypatch):
    monkeypatch.setenv("QEMU", "no-such-emulator")
    for machine in (platform.machine(), "riscv64"):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        status, printed = line()
        assert (status, printed.err) == (0, "")
        assert printed.out.startswith("test-cpus is skipped of Nehalem: found ")


@pytest.mark.skipif(platform.system() != "Linux" or platform.machine() != "x86_64", reason="x86 on Linux")
def test_where_there_is_no_userland_it_says_so(line, tmp_path, monkeypatch):
    monkeypatch.setenv("QEMU_ARM", sys.executable)
    monkeypatch.setattr(aarch64, "FOLDER", tmp_path / "arm")
    status, printed = line("--processors", "Cortex-A72", "Armv9")
    assert (status, printed.err) == (0, "")
    said = f"found no {tmp_path / 'arm'}/installed: its Python could not be had here"
    assert printed.out == f"test-cpus is skipped of Cortex-A72, Armv9: {said}\n"


@pytest.mark.skipif(platform.system() != "Linux" or platform.machine() != "x86_64", reason="x86 on Linux")
def test_an_emulator_that_emulates_nothing_is_refused(line, tmp_path, monkeypatch):
    stand_in = tmp_path / "qemu"
    stand_in.write_text('#!/bin/sh\n[ "$1" = -cpu ] && shift 2 && exec "$@"\necho stand-in 1.0 "(x)"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("QEMU", str(stand_in))
    status, printed = line()
    assert (status, printed.out) == (2, "")
    assert printed.err.startswith("error: Nehalem: found AVX")
    status, printed = line("--texts", "-1")
    assert (status, printed.err) == (2, "error: --texts: found -1, expected at least 4, a batch\n")
    # With the checks of what it is told to stand for, the rest of the way.
    monkeypatch.setattr(emulation, "check_features", lambda *_: None)
    monkeypatch.setattr(emulation, "ALL", (NEHALEM._replace(saturates=None),))
    status, printed = line("--variants", "guarded")
    assert (status, printed.err) == (2, "error: --variants: found guarded, expected some of fp32, int8\n")
    status, printed = line()
    assert (status, printed.err) == (0, "")
    assert (
        f"| Nehalem, int8, padded in batches of {inside.BATCH} | 0 of 5 | 0.0e+00 | 0.0e+00 |" in printed.out
    )
