"""Every file of a release, changed by one who writes all hashes again: what finds it, and what cannot be.

Without a signature, a forger may write a whole artifact of another model. What the proof promises is that the
files of one artifact say the same, each as its readers read it.
"""

from __future__ import annotations

import io
import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from core.contract import VARIANT_FILES
from tests.support.forge import edited, linked_copy, mend, reseal, rewrite
from verify import __main__ as command

FP32, INT8, TEXT = "onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_text.onnx"


def graph(name, change):
    def spoil(folder):
        model = onnx.load(folder / name)
        change(model)
        rewrite(folder / name, model.SerializeToString())

    return spoil


def stated(key, change):
    """Change an entry of a graph's metadata."""

    def spoil(model):
        (entry,) = [entry for entry in model.metadata_props if entry.key == key]
        entry.value = change(entry.value)

    return spoil


def constants(model):
    """All initializers, those of branches and of functions' nodes too."""
    graphs = [model.graph]
    while graphs:
        found = graphs.pop()
        yield from found.initializer
        graphs += [a.g for node in found.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]


def other_weights(model):
    for tensor in constants(model):
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2:
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(-values[::-1].copy(), tensor.name))


def unsafe_pair(model):
    """Change two bytes of a weight."""
    (tensor,) = [tensor for tensor in constants(model) if tensor.name == "layer_0_up_weight_s8"]
    values = numpy_helper.to_array(tensor).copy()
    values[6:8, 5] = -128, -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def arrays(change):
    def spoil(folder):
        with np.load(folder / "reference.npz") as file:
            content = dict(file)
        change(content)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **content)
        rewrite(folder / "reference.npz", buffer.getvalue())

    return spoil


def text(value):
    return np.frombuffer(value.encode(), np.uint8)


def reversed_json(value):
    return json.dumps(json.loads(value)[::-1])


def another_threshold(value):
    thresholds = json.loads(value)
    return json.dumps({**thresholds, "joy": 1 - thresholds["joy"] / 2})


def swapped(content):
    tokens = content["model"]["vocab"]
    tokens["a"], tokens["b"] = tokens["b"], tokens["a"]


def vocabulary(change):
    return lambda folder: rewrite(folder / "vocab.txt", change((folder / "vocab.txt").read_bytes()))


def without_the_text_graph(bill):
    bill["components"] = [part for part in bill["components"] if part["name"] != TEXT]


def looser(manifest):
    manifest["variants"][0]["tolerance"].update(max_probability_error=0.5)


# File → changes, and words of the line that refuses each; of pages, why none can be found.
FOUND = {
    FP32: [
        (graph(FP32, stated("labels", reversed_json)), "model.onnx: metadata labels"),
        (graph(FP32, stated("thresholds", another_threshold)), "model.onnx: metadata thresholds"),
        (graph(FP32, other_weights), "max_probability_error: found"),
    ],
    INT8: [
        (graph(INT8, stated("encoder_sha256", lambda v: "0" * 64)), "metadata encoder_sha256"),
        (graph(INT8, unsafe_pair), "layer_0_up_weight_s8: column 5, rows 6 and 7: found -128 and -1, expec"),
    ],
    TEXT: [
        (graph(TEXT, stated("labels", reversed_json)), "model_text.onnx: metadata labels"),
        (graph(TEXT, stated("thresholds", another_threshold)), "model_text.onnx: metadata thresholds"),
        (graph(TEXT, stated("problem_type", lambda v: "single_label_classification")), "problem_type"),
        (graph(TEXT, stated("max_length", lambda v: "9")), "model_text.onnx: metadata max_length"),
        (graph(TEXT, stated("encoder_sha256", lambda v: "0" * 64)), "model_text.onnx: metadata encoder_"),
        (graph(TEXT, stated("head_sha256", lambda v: "0" * 64)), "model_text.onnx: metadata head_sha256"),
        (graph(TEXT, lambda m: m.metadata_props.add(key="more", value="x")), "metadata more: found 'x'"),
        (graph(TEXT, other_weights), "model_text.onnx: found answers"),
    ],
    "config.json": [
        (edited("config.json", lambda c: c.update(id2label={"0": "a"})), "config.json: id2label"),
        (edited("config.json", lambda c: c.update(hidden_size=9)), "config.json: hidden_size"),
        (edited("config.json", lambda c: c.update(auto_map={"AutoModel": "x.Y"})), "unknown keys: found"),
        (edited("config.json", lambda c: c.update(architectures=["X"])), "config.json: architectures"),
    ],
    "thresholds.json": [(edited("thresholds.json", lambda t: t.update(joy=0.01)), "thresholds.json: ")],
    "tokenizer.json": [
        (edited("tokenizer.json", swapped), "vocab.txt: tokens"),
        (edited("tokenizer.json", lambda t: t["normalizer"].update(lowercase=False)), "token_ids"),
    ],
    "tokenizer_config.json": [
        (edited("tokenizer_config.json", lambda c: c.update(do_lower_case=False)), "json: do_lower_case"),
        (edited("tokenizer_config.json", lambda c: c.update(auto_map={})), "json: auto_map"),
        (edited("tokenizer_config.json", lambda c: c.update(tokenizer_class="X")), "tokenizer_class X"),
        (edited("tokenizer_config.json", lambda c: c.update(model_max_length=5)), "model_max_length"),
        (edited("tokenizer_config.json", lambda c: c.update(truncation_side="left")), "truncation_side"),
    ],
    "special_tokens_map.json": [
        (edited("special_tokens_map.json", lambda c: c.update(sep_token="none")), "special token sep_token"),
    ],
    "vocab.txt": [
        (vocabulary(lambda v: v.replace(b"\na\nb\n", b"\nb\na\n")), "vocab.txt: tokens"),
        (vocabulary(lambda v: v + b"more\n"), "vocab.txt: tokens"),
        (vocabulary(lambda v: v.replace(b"\na\n", b"\n\na\n")), "vocab.txt: tokens"),
    ],
    "reference.npz": [
        (arrays(lambda a: a.update(probabilities=1 - a["probabilities"])), "max_probability_error: found"),
        (arrays(lambda a: a.update(source=text("another"))), "manifest.json: reference"),
        (arrays(lambda a: a.update(thresholds=1 - a["thresholds"] / 2)), "thresholds: found"),
        (arrays(lambda a: a.update(input_ids=a["input_ids"] // 2)), "token_ids"),
    ],
    "sbom.cdx.json": [
        (edited("sbom.cdx.json", lambda s: s["metadata"]["component"].update(name="x")), "component.name"),
        (edited("sbom.cdx.json", lambda s: s["components"].append(s["components"][0])), "number of comp"),
        (edited("sbom.cdx.json", without_the_text_graph), f"sbom.cdx.json: components {TEXT}"),
    ],
    "manifest.json": [
        (lambda f: reseal(f, looser), "fp32: tolerance"),
        (lambda f: reseal(f, lambda m: m["head"]["thresholds"].update(joy=0.01)), "thresholds.json: "),
        (lambda f: reseal(f, lambda m: m["encoder"].update(max_length=9)), "truncation: found 64"),
        (lambda f: reseal(f, lambda m: m.update(text=None)), "manifest.json: "),
        (lambda f: reseal(f, lambda m: m["dependencies"].update(numpy="0")), "components numpy"),
        (lambda f: reseal(f, lambda m: m["variants"].pop()), "manifest.json: "),
        (lambda f: reseal(f, lambda m: m["variants"][1]["pairs"].update(examined=9)), "int8: pairs: found"),
        (lambda f: reseal(f, lambda m: m["variants"][1].update(pairs={})), "int8: pairs: found {}"),
        (lambda f: reseal(f, lambda m: m["variants"][0]["parity"].update(texts=5)), "fp32: parity.texts"),
    ],
}  # fmt: skip
# Texts for people. Nothing of them is read by a program of ours.
NOT_FOUND = {
    "README.md": (lambda f: rewrite(f / "README.md", b"---\nlicense: mit\n---\nAnother text\n")),
    "report.html": (lambda f: rewrite(f / "report.html", b"<p>Another page</p>")),
}
# These run graphs; of each kind one is quick enough for every day.
SLOW = {(FP32, 0), (FP32, 1), (INT8, 0), *((TEXT, number) for number in range(7)), ("reference.npz", 2)}
SLOW |= {("reference.npz", 3), ("tokenizer.json", 1), "report.html"}
CASES = [
    pytest.param(file, number, marks=[pytest.mark.slow] if (file, number) in SLOW else [])
    for file, changes in FOUND.items()
    for number in range(len(changes))
]


@pytest.fixture
def copy(tiny_build, tmp_path):
    return linked_copy(tiny_build.dist, tmp_path / "copy")


def test_these_are_all_files_of_a_release(tiny_build, artifact):
    # A guarded graph that is spoilt: `test_agreement.py`.
    for folder, more in ((tiny_build.dist, []), (artifact, [VARIANT_FILES["guarded"]])):
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert found == {*FOUND, *NOT_FOUND, *more}


@pytest.mark.parametrize(("file", "number"), CASES)
def test_a_changed_file_is_found_though_every_hash_is_right(copy, in_process, file, number):
    spoil, said = FOUND[file][number]
    spoil(copy)
    mend(copy)
    status, printed = in_process(command.main, "artifact", copy)
    assert (status, len(printed.err.splitlines())) == (1, 1), printed
    assert said in printed.err


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=[pytest.mark.slow] if file in SLOW else []) for file in NOT_FOUND]
)
def test_a_text_for_people_needs_a_signature(copy, in_process, file):
    NOT_FOUND[file](copy)
    status, printed = in_process(command.main, "artifact", copy, "--hashes-only")
    assert (status, len(printed.err.splitlines())) == (1, 1)
    assert f"{file}: found" in printed.err
    reseal(copy)
    assert in_process(command.main, "artifact", copy)[0] == 0


@pytest.mark.parametrize("change", [1, *[pytest.param(n, marks=pytest.mark.slow) for n in (0, 3, 7)]])
def test_parity_finds_what_a_text_graph_states_and_answers(copy, in_process, change):
    spoil, said = FOUND[TEXT][change]
    spoil(copy)
    status, printed = in_process(command.main, "parity", copy)
    assert (status, len(printed.err.splitlines())) == (1, 1)
    assert said in printed.err


@pytest.mark.parametrize(
    ("name", "said"),
    [("onnx/model_q4.onnx", "files: found onnx/model_q4.onnx, which"), ("modeling.py", "no file of an")],
)
def test_no_other_file_is_a_release_s(copy, in_process, name, said):
    (copy / name).write_bytes(b"x")
    reseal(copy)
    status, printed = in_process(command.main, "artifact", copy)
    assert (status, len(printed.err.splitlines())) == (1, 1)
    assert said in printed.err
