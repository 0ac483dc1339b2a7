"""Packages in other formats: int8 in QDQ form, onnxruntime's own, float16, and with token types."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from tokenizers import Tokenizer

from core.artifact.graph import Graph
from core.artifact.manifest import Tolerance
from core.contract import VARIANT_FILES
from core.errors import ArtifactError, GateError
from core.runtime import pad
from deliver import gate, ort, qdq, search, webgpu
from deliver.source import open_source
from tests.support.commands import run
from tests.support.snippets import run_python, snippet

TEXTS = ["I love this!", "Why would anyone do that to a person who asked for nothing at all?", "Thanks."]


def command(*arguments):
    return run("deliver", *arguments)


def feeds_of(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    input_ids, mask = pad([encoding.ids for encoding in tokenizer.encode_batch(TEXTS)])
    return {"input_ids": input_ids, "attention_mask": mask}


def operators(path):
    """Of all graphs in a file, by domain."""
    pending, found = [onnx.load(path).graph], Counter()
    while pending:
        for node in pending.pop().node:
            found[node.domain, node.op_type] += 1
            pending += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return found


@pytest.mark.slow
def test_qdq_is_of_standard_operators_with_the_integers_of_int8(artifact, tmp_path):
    target = tmp_path / "out"
    said = command("package", artifact, target, "--format", "qdq")
    assert (said.returncode, said.stderr) == (0, "")
    assert re.search(r"parity   qdq +\d of 119 texts decided otherwise", said.stdout)
    used = operators(target / "model.onnx")
    assert {domain for domain, _ in used} == {""}
    assert not {name for _, name in used} & {"If", "NonZero", "TopK", "GatherND", "CumSum", "MatMulInteger"}
    assert used["", "QuantizeLinear"] == 24
    assert used["", "DequantizeLinear"] == 2 * 24
    expected, found = Graph(artifact / VARIANT_FILES["int8"]), Graph(target / "model.onnx")
    assert found.properties == expected.properties
    packed = {
        one.name: one.raw_data for one in onnx.load(expected.path).graph.initializer if one.data_type == 3
    }
    ours = {one.name: one.raw_data for one in onnx.load(found.path).graph.initializer if one.data_type == 3}
    assert {name: data for name, data in ours.items() if not name.endswith("_zero_point")} == packed
    tokenizer = Tokenizer.from_file(str(target / "tokenizer.json"))
    batch = [encoding.ids for encoding in tokenizer.encode_batch(TEXTS)]
    assert (found.run(batch).predictions == expected.run(batch).predictions).all()


@pytest.mark.slow
def test_a_package_over_the_tolerance_is_not_written(changeable, change, tmp_path):
    rows = json.loads((changeable / "manifest.json").read_text("utf-8"))["variants"]
    strict = {"max_probability_error": None, "max_flip_rate": 0.0}
    change("manifest.json", variants=[row | {"tolerance": strict} for row in rows])
    found = command("package", changeable, tmp_path / "out", "--format", "qdq")
    assert (found.returncode, len(found.stderr.splitlines())) == (1, 1)
    assert re.search(r"qdq: flip_rate: found 0\.01\d+, expected at most 0; the largest flip", found.stderr)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact"]


def test_onnxruntimes_own_format_answers_to_the_bit_and_lists_what_it_needs(artifact, tmp_path):
    source = open_source(artifact, None)
    ort.fill(source, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.ort")
    names = [tensor.name for tensor in source.outputs]
    given = feeds_of(tmp_path)
    for mine, theirs in zip(
        session.run(names, given), Graph(source.file).session.run(names, given), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    lines = (tmp_path / "required_operators.config").read_text("utf-8").splitlines()
    assert all(re.fullmatch(r"(ai\.onnx|com\.microsoft);\d+;\S.*", line) for line in lines)
    listed = {name for line in lines for name in re.findall(r"[A-Z]\w+", re.sub(r"\{.*?\}\}?", "", line))}
    assert {"MatMulIntegerToFloat", "QAttention", "If", "QuantizeLinear"} <= listed
    program = snippet(f"# {source.name} in onnxruntime's own format", "python", str(tmp_path / "README.md"))
    assert "love" in run_python(program, tmp_path)[0]


def test_another_answer_is_found(artifact, capsys):
    source = open_source(artifact, None)
    session = Graph(source.file).session

    def other(names, feeds):
        outputs = list(session.run(names, feeds))
        if len(outputs[0]) > 1:
            outputs[1] = np.nextafter(outputs[1], np.float32(1))
        return outputs

    with pytest.raises(GateError, match=r"found another probabilities of .* in a batch of 32"):
        gate.answers(source, other, "ort")
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_token_types_are_an_input_that_changes_nothing(artifact, tmp_path):
    source = open_source(artifact, None)
    search.fill(source, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = {value.name: (value.type, value.shape) for value in session.get_inputs()}
    assert inputs == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), ("tensor(int64)", ["batch", "sequence"])
    )
    program = snippet(f"# {source.name} with token types", "python", str(tmp_path / "README.md"))
    assert "love" in run_python(program, tmp_path)[0]


def test_every_format_of_an_artifact_with_an_output_a_label(tiny_build, tmp_path):
    for name, module, variant in (("qdq", qdq, None), ("webgpu", webgpu, "fp32"), ("search", search, None)):
        folder = tmp_path / name
        folder.mkdir()
        source = open_source(tiny_build.dist, variant)
        module.fill(source, folder)
        session = onnxruntime.InferenceSession(folder / module.GRAPH_FILE)
        given = feeds_of(folder)
        if name == "search":
            given["token_type_ids"] = given["input_ids"]
        names = [value.name for value in session.get_outputs()]
        assert names == [tensor.name for tensor in source.outputs]
        expected = Graph(source.file).session.run(names, feeds_of(folder))
        np.testing.assert_allclose(session.run(names, given), expected, rtol=0, atol=0.02)


def test_webgpus_graphs_are_where_transformers_js_looks(tiny_build, tmp_path):
    webgpu.fill(open_source(tiny_build.dist, "fp32"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {
        "config.json",
        "tokenizer.json",
        "onnx",
        "README.md",
    }
    kinds = Counter(one.data_type for one in onnx.load(tmp_path / "onnx/model_fp16.onnx").graph.initializer)
    assert kinds[onnx.TensorProto.FLOAT16] > kinds[onnx.TensorProto.FLOAT] > 0
    for name in ("model.onnx", "model_fp16.onnx"):
        assert not {kind for _, kind in operators(tmp_path / "onnx" / name)} & {"NonZero", "TopK", "GatherND"}


def test_float32_for_engines_of_standard_operators(tiny_build, tmp_path):
    qdq.fill(open_source(tiny_build.dist, "fp32"), tmp_path)
    assert not {name for _, name in operators(tmp_path / "model.onnx")} & {"DequantizeLinear", "NonZero"}


@pytest.mark.parametrize(
    ("module", "variant", "said"),
    [
        (webgpu, "int8", r"model_quantized\.onnx: variant: found 'int8'; expected fp32"),
        (qdq, "guarded", r"model_guarded\.onnx: variant: found 'guarded'; expected int8 or fp32"),
    ],
)
def test_a_variant_that_a_format_does_not_know(artifact, tmp_path, module, variant, said):
    with pytest.raises(ArtifactError, match=said):
        module.fill(open_source(artifact, variant), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_float16_needs_a_number_to_be_held_to(artifact, tmp_path):
    with pytest.raises(GateError, match=r"manifest\.json: variants: found no tolerance for fp16"):
        gate.decisions(open_source(artifact, "fp32"), tmp_path, "fp16", Tolerance(None, None))


def test_what_onnxruntimes_tool_does_not_take_is_one_line(artifact, tmp_path, monkeypatch):
    monkeypatch.setattr(ort, "_TOOL", "onnxruntime.tools.no_such_tool")
    with pytest.raises(
        ArtifactError, match=r"model_quantized\.onnx: onnxruntime\.tools\.no_such_tool: .*No module"
    ):
        ort.fill(open_source(artifact, None), tmp_path)
    assert list(tmp_path.iterdir()) == []
