"""NNCF's contender: it runs in its own environment, and its flips are counted against another's decisions."""

from __future__ import annotations

import json
import sys

import pytest

from bench.contenders import contenders, openvino_nncf
from core.errors import BenchmarkError
from tests.support.contenders import program
from tests.support.head_info import head_info

# What the environment's Python is here: NNCF copies its graph, and says with what it was called.
PYTHON = """#!/bin/sh
cat > "$0.ids"
echo "$@" > "$0.line"
if [ -e "$0.fails" ]; then echo 'a hint' >&2; echo 'RuntimeError: no such operator' >&2; exit 3; fi
cp "$4" "$5"
"""


@pytest.fixture
def python(tmp_path):
    path = tmp_path / "python"
    path.write_text(PYTHON)
    path.chmod(0o755)
    return path


def test_it_is_quantized_there_on_texts_from_all_of_train(python, tmp_path):
    source, target = tmp_path / "merged.onnx", tmp_path / "nncf.xml"
    source.write_text("a graph")
    openvino_nncf.write(python, source, target, [[2, number, 3] for number in range(900)])
    assert target.read_text() == "a graph"
    given = json.loads((tmp_path / "python.ids").read_text())
    assert given == [[2, number, 3] for number in range(0, 900, 3)]
    line = (tmp_path / "python.line").read_text().split()
    assert line == ["-m", "bench", "nncf-quantize", str(source), str(target)]


def test_what_it_says_last_is_the_error(python, tmp_path):
    (tmp_path / "python.fails").touch()
    with pytest.raises(BenchmarkError, match=r"python: NNCF: RuntimeError: no such operator$"):
        openvino_nncf.write(python, tmp_path / "a", tmp_path / "b", [[2, 3]])
    with pytest.raises(BenchmarkError, match="No such file"):
        openvino_nncf.write(tmp_path / "none", tmp_path / "a", tmp_path / "b", [[2, 3]])


def test_its_process_is_one_of_that_environment(python, tmp_path):
    contender = contenders.nncf(tmp_path, python)
    with pytest.raises(BenchmarkError, match=r"contender nncf: .*bench/nncf\.xml: no such file"):
        contender.command(1)
    contender.files[0].parent.mkdir()
    contender.files[0].touch()
    file = str(tmp_path / "bench" / "nncf.xml")
    assert contender.command(2) == [str(python), "-m", "bench", "openvino", file, "--threads", "2"]
    assert contenders.bare_products(tmp_path).python.samefile(sys.executable)


def test_flips_are_texts_with_another_decision(tmp_path):
    # Of a text of n tokens the probability of the first label is n hundredths; `other` adds some.
    body = """
for line in sys.stdin:
    texts = json.loads(line)["probabilities"]
    say(probabilities=[[len(text) / 100 + more, 0.2] for text in texts])
"""
    commands = {name: program(f"more = {more}\n{body}") for name, more in (("own", 0.0), ("other", 0.02))}
    labels = ["joy", "anger"]
    info = head_info(labels, {"joy": 0.295, "anger": 0.5}, order=labels)
    ids = [[0] * count for count in range(1, 51)]
    # 28 and 29 tokens are below the threshold, and with two hundredths more are not.
    assert openvino_nncf.flip_rates(commands, ids, info, "own") == {"own": 0.0, "other": 2 / 50}
