"""Find the names of a head's labels, for a recipe that is yet to be written."""

from __future__ import annotations

import onnx

from core.contract import THRESHOLDS_FILE
from core.errors import CheckpointError, HeadError
from core.untrusted import json_file, limits, weights_file
from export.head import classes, files
from export.sources.resolve import Source


def _of_model(model: onnx.ModelProto) -> list[str]:
    listed = {classes.class_list(node) for node in model.graph.node}
    named = [names for names in listed if len(names) > 1 and all(isinstance(name, str) for name in names)]
    if len(named) == 1:
        return [str(name) for name in named[0]]
    shapes = [value.type.tensor_type.shape.dim for value in model.graph.output]
    pairs = len(shapes) > 1 and all(len(shape) == 2 and shape[1].dim_value == 2 for shape in shapes)
    return [value.name for value in model.graph.output] if pairs else []


def read(source: Source) -> list[str]:
    """Return the names that `thresholds.json` has, in its order, or else those in the head's own file.

    They are a proposal: `published_head.read` holds them against the head.

    Raises:
        SourceError: there is no head.
        HeadError: it is damaged, or nothing names the labels.
    """
    path, beside = files.find(source), source.folder / THRESHOLDS_FILE
    if beside.is_file():
        return list(json_file.read_object(beside, HeadError, limits.THRESHOLDS_BYTES))
    names: object = []
    if path.suffix == ".safetensors":
        try:
            _, metadata = weights_file.read_small(path, limits.HEAD_BYTES)
        except CheckpointError as error:
            raise HeadError(str(error)) from error
        names = json_file.loads(metadata.get("labels", "[]"), f"{path}: labels", HeadError)
    else:
        names = _of_model(files.load(path, [], None))
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        mend = f"write them into {beside}, label to threshold, in the order of the columns"
        raise HeadError(f"{path}: found no names of labels; {mend}")
    return names
