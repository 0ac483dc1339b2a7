"""Compare what the reader of ONNX files makes of a model with what onnx and onnxruntime make of it.

`disagreement(content, scratch)` takes any bytes. What the reader refuses is no business of the others. What
it accepts must run nothing but the operators it knows, in no more nodes than it counted, and must be one
model, whether onnxruntime is given a path or bytes. All that runs, runs in a fork of limited memory and
time: its end is a refusal, as that of `core.untrusted.limited` is to a user.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxruntime

from core.errors import ArtifactError, ToolchainError
from core.untrusted import onnx_file
from core.untrusted.limited import allowance
from core.untrusted.limited.kernel import Limits
from core.untrusted.wire import functions, operators, opsets
from core.untrusted.wire.inspection import Inspection, walk

_AXES = (1, 3)
_ELEMENTS = 1 << 25
# What onnxruntime puts in the place of an operator that it has no kernel for, and between types of floats.
_EXPANSIONS = frozenset({"Cast"})
_KNOWN = frozenset[str]().union(*operators.GRAPH.values()) | _EXPANSIONS
# Where the fork died, that is for the tests to say: protobuf's library and onnx's checker run with no limits
# of their own in the process of a build.
_UNLIMITED = ("parse", "check")


def _nodes(graph: onnx.GraphProto) -> int:
    """Count the nodes of a graph and of all inside it."""
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    inside = [attribute.g for attribute in attributes if attribute.HasField("g")]
    inside += [one for attribute in attributes for one in attribute.graphs]
    return len(graph.node) + sum(map(_nodes, inside))


def counted(content: bytes) -> int:
    """Return how many nodes the reader counts in a model that it accepts."""
    model = onnx_file.check_bytes(content, "model", operators.GRAPH, ArtifactError)
    inspection = Inspection(operators.GRAPH, opsets.versions_of(model["opset_import"]))
    functions.check(model["functions"], inspection)
    walk(model["graph"], None, inspection)
    return inspection.nodes


def _options(profile: Path) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    return options


def _ran(session: Any) -> list[str]:
    """End a session's profile; return the operators that ran."""
    path = Path(session.end_profiling())
    events = json.loads(path.read_text("utf-8", "replace"))
    path.unlink()
    return sorted({event["args"]["op_name"] for event in events if event["cat"] == "Node"})


_TYPES = {"float16": "float16", "float": "float32", "double": "float64", "int64": "int64", "int32": "int32"}


def _zeros(session: Any) -> dict[str, np.ndarray]:
    zeros = {}
    for value in session.get_inputs():
        kind = value.type.removeprefix("tensor(").removesuffix(")")
        if kind not in _TYPES:
            raise ValueError(f"input {value.name} is a {value.type}")
        shape = [
            stated if isinstance(stated, int) and stated > 0 else _AXES[min(axis, 1)]
            for axis, stated in enumerate(value.shape)
        ]
        if np.prod(shape, dtype=float) > _ELEMENTS:
            raise ValueError(f"input {value.name} has shape {shape}")
        zeros[value.name] = np.zeros(shape, _TYPES[kind])
    return zeros


def _answers(session: Any) -> list[Any]:
    zeros = _zeros(session)
    ones = {name: np.ones_like(value) for name, value in zeros.items()}
    return [answer for feeds in (zeros, ones) for answer in session.run(None, feeds)]


def _facts(content: bytes, path: Path) -> Iterator[tuple[str, Any]]:
    """Ask the others; each fact comes as soon as it is known, for the process may die of the next."""
    yield "parse", None
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's exceptions depend on its backend
        yield "refused", f"protobuf: {error}"
        return
    yield "check", None
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        yield "checker", str(error)
    if model.functions:
        yield "inline", None
        with suppress(Exception):
            yield "inlined", _nodes(onnx.inliner.inline_local_functions(model).graph)
    answers = []
    for given in (str(path), content):
        yield "load", None
        try:
            session = onnxruntime.InferenceSession(given, _options(path), providers=["CPUExecutionProvider"])
        except Exception as error:
            yield "refused", f"onnxruntime: {error}"
            continue
        yield "run", None
        try:
            answers.append(repr(_answers(session)))
            yield "ran", None
        except Exception as error:
            yield "fails", str(error)
        yield "operators", _ran(session)
    if len(set(answers)) > 1:
        yield "different", [answer[:100] for answer in answers]


def _child(content: bytes, path: Path, end: int) -> None:
    allowed = allowance.opening(len(content))
    Limits().allow(allowed.memory, allowed.seconds)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with os.fdopen(end, "w", buffering=1, encoding="utf-8", errors="backslashreplace") as out:
        for fact in _facts(content, path):
            out.write(json.dumps(fact) + "\n")


def facts(content: bytes, scratch: Path) -> tuple[list[tuple[str, Any]], int]:
    """Return what onnx and onnxruntime say of a model, in a fork of this process, and how that ended."""
    path = scratch / "model.onnx"
    path.write_bytes(content)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reader)
            _child(content, path, writer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        found = [tuple(json.loads(line)) for line in file if line.endswith("\n")]
    return found, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def judge(nodes: int, found: list[tuple[str, Any]], code: int) -> str | None:
    """Return what onnx or onnxruntime did that the reader, which counted `nodes`, does not allow."""
    for name, value in found:
        if name == "operators" and not _KNOWN.issuperset(value):
            return f"ran {', '.join(sorted(set(value) - _KNOWN))}, which is not accepted"
        if name == "inlined" and value > nodes:
            return f"{value} nodes after inlining, counted {nodes}"
        if name == "different":
            return f"a path and its bytes are different models: {value}"
    stages = [name for name, _ in found]
    if code != 0 and (stages or ["parse"])[-1] in _UNLIMITED:
        return f"ended with {signal.Signals(-code).name if code < 0 else code} in {(stages or ['start'])[-1]}"
    if ("checker" in stages and "ran" in stages) and "refused" not in stages:
        return f"onnxruntime runs what onnx.checker refuses: {dict(found)['checker']}"
    if "refused" in stages and "ran" in stages:
        return f"a path or its bytes alone are refused: {dict(found)['refused']}"
    return None


def disagreement(content: bytes, scratch: Path) -> str | None:
    """Return what the reader accepts in a model and the others make something else of; None of nothing.

    Args:
        content: any bytes.
        scratch: a folder for files of this call.
    """
    try:
        nodes = counted(content)
    except ToolchainError:
        return None
    except BaseException as error:
        return f"the reader raises {type(error).__name__}: {error}"
    return judge(nodes, *facts(content, scratch))
