"""Untrusted files are read in one place: nothing else opens JSON, TOML, ONNX, arrays or weights."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.support.places import FILES, relative

# How a file is read without limits → where that is right, and why.
RAW = {
    "json.loads": {
        "core/untrusted/json_file.py": "the reader",
        "requirements/audit.py": "what pip-audit prints",
        "requirements/install.py": "what requirements/plan.py prints",
        "bench/contenders/protocol.py": "lines of the benchmark's own processes",
        "bench/contenders/dynamic_int8.py": "what a process of its own prints",
        "bench/contenders/openvino_nncf.py": "what the benchmark's own process hands over",
        "bench/measure/profile.py": "what onnxruntime wrote of a graph that this build made",
        "bench/bulk/process.py": "what a process of its own prints",
        "score/output/segments.py": "the round trip of its own job",
        "graphs/tokenizer/alphabet.py": "what the tokenizer's library says of it",
        "verify/report/sbom.py": "what its library wrote",
    },
    "json.JSONDecoder": {"score/input/json_values.py": "a corpus, line by line"},
    "tomllib.loads": {
        "requirements/pin.py": "the project's own files",
        "core/untrusted/toml_file.py": "the reader",
    },
    "np.load": {},
    "onnx.load": {},
    "onnx.load_from_string": {
        "export/head/files.py": "bytes that onnx_file checked",
        "export/head/parsed.py": "bytes that onnx_file checked",
        "export/head/opset_service.py": "what files.load returned, in a limited process",
    },
    "ir.load": {
        "graphs/head/files.py": "behind onnx_file",
        "graphs/edit/files.py": "behind onnx_file",
    },
    "onnxruntime.InferenceSession": {
        "core/runtime.py": "for those below",
    },
    "runtime.open_session": {
        "core/untrusted/limited/graph_service.py": "in a process of limited memory and time",
        "graphs/int8/calibration.py": "a graph of this build's without an untrusted head inside",
        "bench/contenders/onnx_models.py": "graphs that this build made; opening them is timed",
        "bench/measure/cores.py": "graphs that this build made",
        "bench/measure/profile.py": "graphs that this build made",
        "deliver/ort.py": "what onnxruntime wrote of a graph that was tried",
    },
    "safe_open": {"core/untrusted/weights_file.py": "the reader"},
    "Tokenizer.from_str": {"core/untrusted/tokenizer_file.py": "the reader"},
    "zipfile.ZipFile": {
        "core/untrusted/npz_file.py": "the reader",
        "core/untrusted/zip_file.py": "what may be unpacked",
    },
    "skops_io.loads": {"export/head/skops_service.py": "behind zip_file, in a limited process"},
}
# Other names of the same, and what must nowhere be.
FORBIDDEN = {
    *("open_session", "ort.InferenceSession", "InferenceSession"),
    *("json.load", "tomllib.load", "np.loadtxt", "np.genfromtxt", "np.fromfile", "np.memmap", "np.lib.npyio"),
    *("onnx.load_model", "onnx.load_model_from_string", "onnx.ModelProto.FromString", "ir.serde.load"),
    *("Tokenizer.from_file", "Tokenizer.from_buffer", "Tokenizer.from_pretrained", "load_file", "torch.load"),
    "AutoModel.from_pretrained",
    *("pickle.load", "pickle.loads", "joblib.load", "yaml.load", "yaml.safe_load", "eval", "exec"),
    *("skops.io.load", "skops.io.loads", "skops_io.load", "sio.load", "sio.loads"),
    *("shutil.unpack_archive", "tarfile.open", "gzip.open", "marshal.loads", "shelve.open"),
}
PICKLES = {
    "pickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "yaml",
    "tarfile",
    "gzip",
}


def calls(path):
    """The dotted names of all that a file calls, as it spells them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def found():
    where = defaultdict(set)
    for path in FILES:
        for name in calls(path):
            where[name].add(relative(path))
    return where


@pytest.mark.parametrize("name", RAW)
def test_files_are_read_without_limits_only_where_that_is_right(name):
    assert found()[name] == set(RAW[name])


def test_what_is_nowhere_called():
    assert not {name: places for name, places in found().items() if name in FORBIDDEN}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_pickle_is_at_hand(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & PICKLES
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.split(".")[0] not in PICKLES
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "trust_remote_code"):
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False
