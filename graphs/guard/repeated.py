"""Find the texts that say the same again and again: int8 errs most there, and calibration saw none."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import ops
from graphs.edit.chain import Chain

# Each token so often, on average. Of 14,000 texts of GoEmotions, and of such joined to 512 tokens, none is
# beyond 3.2; one word 510 times is 170, and errs ten times as much as they do.
LIMIT = 4
_NO_TOKEN = -1


def is_repeated(ids: NDArray[np.integer]) -> bool:
    """Tell whether a text's tokens are more than `LIMIT` times as many as the different ones."""
    return len(ids) > LIMIT * len(np.unique(ids))


def repeated(chain: Chain) -> ir.Value:
    """Append `is_repeated` of each text's real tokens, from a graph's inputs; bool `[b]`."""
    ids, mask = (ops.input_named(chain.graph, name) for name in (INPUT_IDS, ATTENTION_MASK))
    axis, none = chain.integers("axis_tokens", [1]), chain.integers("no_token", _NO_TOKEN)
    real = chain.cast(mask, ir.DataType.BOOL, "real")
    tokens = chain.add("Where", [real, ids, none], "tokens")
    length = chain.add("Shape", [ids], "length", start=1, end=2)
    descending = chain.several("TopK", [tokens, length], "descending", 2, axis=1)[0]
    zero, one, last, end = (
        chain.integers(name, [value])
        for name, value in (("first", 0), ("second", 1), ("last", -1), ("end", np.iinfo(np.int64).max))
    )
    earlier = chain.add("Slice", [descending, zero, last, axis], "earlier")
    later = chain.add("Slice", [descending, one, end, axis], "later")
    # A token that differs from the one before it, but for what is no token: the first is not counted.
    differs = chain.add("Less", [later, earlier], "differs")
    new = chain.add("And", [differs, chain.add("Greater", [later, none], "is_token")], "new")
    different, count = (
        chain.add(
            "ReduceSum", [chain.cast(truths, ir.DataType.INT64, f"{name}_ones"), axis], name, keepdims=0
        )
        for name, truths in (("others", new), ("count", real))
    )
    factor = chain.integers("limit", LIMIT)
    most = chain.add("Add", [chain.add("Mul", [different, factor], "most_less_one"), factor], "most")
    return chain.add("Greater", [count, most], "repeated")
