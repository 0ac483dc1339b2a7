"""Who runs: a file that is missing is named before anything starts."""

from __future__ import annotations

import pytest

from bench.contenders.contenders import bare_products, contenders, peers
from core.errors import BenchmarkError
from tests.support.places import DEFAULT


def test_a_missing_file_is_named_before_anything_starts(tmp_path):
    listed = [*contenders(DEFAULT, tmp_path), bare_products(tmp_path)]
    names = ["torch", "card", "fused", "optimum", "fp32", "int8", "guarded"]
    names += ["optimum-divided", "int8-divided", "bare products"]
    assert [contender.name for contender in listed] == names
    for contender in listed:
        message = f"contender {contender.name}: {tmp_path}/.*: no such file"
        with pytest.raises(BenchmarkError, match=message):
            contender.command(1)


def test_guarded_is_the_recipes_own_or_of_a_share(tmp_path):
    listed = [contenders(DEFAULT, tmp_path, share) for share in (None, 0.15)]
    files = [each.files[0] for own in listed for each in own if each.name == "guarded"]
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "model_guarded.onnx",
        "bench/guarded.onnx",
    ]


def test_divided_is_the_same_file_called_otherwise(tmp_path):
    (tmp_path / "model_quantized.onnx").touch()
    whole, divided = (each for each in contenders(DEFAULT, tmp_path) if each.name in ("int8", "int8-divided"))
    assert (whole.least_threads, divided.least_threads) == (1, 2)
    assert divided.command(2)[3:] == [*whole.command(2)[3:6], "--divided", "--threads", "2"]


def test_a_peer_runs_in_its_own_build(tmp_path):
    (listed,) = peers([tmp_path / "roberta-base"])
    assert (listed.name, listed.peer) == ("roberta-base", True)
    with pytest.raises(BenchmarkError, match=r"roberta-base/bench/optimum\.onnx: no such file"):
        listed.command(1)
    (file,) = listed.files
    file.parent.mkdir(parents=True)
    file.touch()
    assert listed.command(2)[3:] == [
        *("graph", str(tmp_path / "roberta-base"), str(file)),
        *("--threads", "2"),
    ]
