"""What runs on an emulated processor, a file of its own: `inside.py IN.npz OUT.npz GRAPH…`.

IN holds `input_ids` and `lengths`, which are texts, or the inputs of small graphs by their names. OUT is, of
one graph on texts, the probabilities `[n, l]` of each text `alone` and in `batches` of 4 with padding; of
small graphs their first output by the file's name; and always the `features` that numpy found.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# As core/telemetry.py, which cannot be imported here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from numpy._core._multiarray_umath import __cpu_features__ as features

BATCH = 4


def _open(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _probabilities(session: onnxruntime.InferenceSession, rows: list[np.ndarray]) -> np.ndarray:
    """Return the probabilities `[b, l]` of a batch, of either contract."""
    input_ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(input_ids)
    for index, row in enumerate(rows):
        input_ids[index, : len(row)], mask[index, : len(row)] = row, 1
    names = [output.name for output in session.get_outputs()]
    feeds = {"input_ids": input_ids, "attention_mask": mask}
    if "probabilities" in names:
        return session.run(["probabilities"], feeds)[0]
    return np.stack([pair[:, 1] for pair in session.run(names, feeds)], axis=1)


def _answers(path: Path, ids: list[np.ndarray]) -> dict[str, np.ndarray]:
    session = _open(path)
    starts = range(0, len(ids), BATCH)
    return {
        "alone": np.concatenate([_probabilities(session, [row]) for row in ids]),
        "batches": np.concatenate([_probabilities(session, ids[at : at + BATCH]) for at in starts]),
    }


def main(source: Path, target: Path, *graphs: Path) -> None:
    """Run the graphs on what is in `source`; write `target`."""
    with np.load(source) as file:
        given = dict(file)
    if "lengths" in given:
        ids = np.split(given["input_ids"], np.cumsum(given["lengths"])[:-1])
        found = _answers(graphs[0], ids)
    else:
        sessions = {graph.stem: _open(graph) for graph in graphs}
        asked = {name: [value.name for value in session.get_inputs()] for name, session in sessions.items()}
        found = {
            name: session.run(None, {key: given[key] for key in asked[name]})[0]
            for name, session in sessions.items()
        }
    np.savez(target, features=[name for name, has in features.items() if has], **found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
