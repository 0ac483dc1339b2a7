"""What runs in an environment of one onnxruntime, a file of its own: `inside.py IN.json OUT.npz GRAPH…`.

IN has `texts` and their token `ids`. OUT is, by a graph's number, the probabilities `[n, l]` of the texts
`alone` and in `batches` of 8 with padding; or `error`, where the graph is not opened or fails.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

# As core/telemetry.py, which cannot be imported here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime

BATCH = 8


def _feeds(session: onnxruntime.InferenceSession, texts: list[str], ids: list[list[int]]) -> dict:
    if [value.name for value in session.get_inputs()] == ["text"]:
        return {"text": np.array(texts, object)}
    input_ids = np.zeros((len(ids), max(map(len, ids))), np.int64)
    mask = np.zeros_like(input_ids)
    for index, row in enumerate(ids):
        input_ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return {"input_ids": input_ids, "attention_mask": mask}


def _answers(path: Path, texts: list[str], ids: list[list[int]], size: int) -> np.ndarray:
    """Return the probabilities `[n, l]` of the texts in batches, of either contract."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = []
    for start in range(0, len(texts), size):
        batch = slice(start, start + size)
        feeds = _feeds(session, texts[batch], ids[batch])
        if "probabilities" in names:
            found.append(session.run(["probabilities"], feeds)[0])
        else:
            found.append(np.stack([pair[:, 1] for pair in session.run(names, feeds)], axis=1))
    return np.concatenate(found)


def main(source: Path, target: Path, *graphs: Path) -> None:
    """Run the graphs on what is in `source`; write `target`."""
    given = json.loads(source.read_text("utf-8"))
    found = {"version": np.array(onnxruntime.__version__)}
    for number, graph in enumerate(graphs):
        try:
            for how, size in (("alone", 1), ("batches", BATCH)):
                found[f"{number} {how}"] = _answers(graph, given["texts"], given["ids"], size)
        # onnxruntime's errors share no base.
        except Exception as error:
            found[f"{number} error"] = np.array(str(error))
    np.savez(target, **found)


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    main(*map(Path, sys.argv[1:]))
