"""Load the encoder in torch, embed token ids with it, and export it to ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from transformers import MODEL_MAPPING, AutoConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from core import runtime
from core.build.facts import EncoderInfo
from core.contract import (
    ATTENTION_MASK,
    BATCH_AXIS,
    INPUT_IDS,
    OPSET,
    SEQUENCE_AXIS,
    FeaturePooling,
)
from core.errors import CheckpointError
from core.untrusted import weights_file
from core.untrusted.regular_file import naming
from export.encoder import config_file

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


_DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8},
    "BOOL": torch.bool,
}


class _HiddenStates(torch.nn.Module):
    def __init__(self, bert: PreTrainedModel, layers: Sequence[int]) -> None:
        super().__init__()
        self.bert, self.layers = bert, layers

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(hidden_states(self.bert, input_ids, attention_mask, self.layers))


def _state(folder: Path) -> dict[str, torch.Tensor]:
    return {
        name: torch.frombuffer(tensor.data, dtype=_DTYPES[tensor.dtype]).reshape(tensor.shape)
        if len(tensor.data)
        else torch.empty(tensor.shape, dtype=_DTYPES[tensor.dtype])
        for name, tensor in weights_file.load(folder).items()
    }


def load(folder: Path) -> PreTrainedModel:
    """Load an encoder's checkpoint in float32 for inference, from safetensors, without remote code.

    Raises:
        CheckpointError: the weights don't fit the config, or some are missing, NaN or infinite; or Python
            runs without docstrings.
    """
    if sys.flags.optimize > 1:
        raise CheckpointError(
            f"{folder}: transformers needs docstrings, found python -OO, expected at most -O"
        )
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    loaded: Any
    stated = config_file.read(folder / config_file.CONFIG_FILE)
    # What else a config says is for training, or changes what is returned: a tuple, attentions.
    config = AutoConfig.for_model(stated.name, **stated.fields)
    kind: Any = MODEL_MAPPING[type(config)]
    problem = f"cannot be loaded as an encoder of the kind {stated.name}"
    with naming(folder, CheckpointError, problem, OSError, RuntimeError, ValueError):
        loaded = kind.from_pretrained(
            None,
            config=config,
            attn_implementation="sdpa",
            dtype=torch.float32,
            # Its own readers would open the files again, after they were hashed.
            state_dict=_state(folder),
            output_loading_info=True,
            **stated.kind.arguments,
        )
    bert: PreTrainedModel = loaded[0]
    # transformers fills what is missing with random weights and only logs it.
    missing = sorted(loaded[1]["missing_keys"])
    if missing:
        raise CheckpointError(f"{folder}: {len(missing)} weights missing, the first is {missing[0]}")
    for name, parameter in bert.named_parameters():
        wrong = parameter.numel() - int(torch.isfinite(parameter).sum())
        if wrong:
            found = f"found {wrong} of {parameter.numel():,} weights that are not finite numbers"
            raise CheckpointError(f"{folder / weights_file.names(folder)[0]}: {name}: {found}")
    bert.eval()  # type: ignore[no-untyped-call]
    return bert


def hidden_states(
    bert: PreTrainedModel, input_ids: torch.Tensor, mask: torch.Tensor, layers: Sequence[int]
) -> list[torch.Tensor]:
    """Return the hidden states `[b, s, h]` of some layers; the last one where none is named."""
    output = bert(input_ids, attention_mask=mask, output_hidden_states=bool(layers))
    return [output.hidden_states[layer] for layer in layers] if layers else [output.last_hidden_state]


def _pool(hidden_bsh: torch.Tensor, mask_bs: torch.Tensor, pooling: FeaturePooling) -> torch.Tensor:
    if pooling == "cls":
        return hidden_bsh[:, 0]
    mask = mask_bs.unsqueeze(-1).to(hidden_bsh.dtype)
    if pooling == "max":
        return hidden_bsh.masked_fill(mask == 0, float("-inf")).amax(1)
    return (hidden_bsh * mask).sum(1) / mask.sum(1).clamp(min=1e-9)


def pool(
    hidden: Sequence[torch.Tensor],
    mask_bs: torch.Tensor,
    info: EncoderInfo,
    dense: torch.nn.Sequential | None = None,
) -> torch.Tensor:
    """Pool hidden states `[b, s, h]`, as `hidden_states` gives them, to what the head reads `[b, f]`.

    The features where the recipe has some, else the sentence embedding as sentence-transformers has it;
    `dense` are the layers before the normalization, as `torch_dense.load` makes them.

    Raises:
        ValueError: the layers are not those of the encoder's facts.
    """
    widths = [layer.out_features for layer in dense or () if isinstance(layer, torch.nn.Linear)]
    if widths != [width for width, _ in info.dense]:
        raise ValueError(f"found Dense layers of widths {widths}, expected {info.dense}")
    if info.feature_layers:
        states = dict(zip(info.feature_layers, hidden, strict=True))
        return torch.cat([_pool(states[layer], mask_bs, how) for layer, how in info.feature_parts], dim=-1)
    pooled = _pool(hidden[0], mask_bs, info.pooling)
    if dense is not None:
        pooled = dense(pooled)
    return torch.nn.functional.normalize(pooled, dim=-1) if info.normalize else pooled


@torch.inference_mode()
def embed(
    bert: PreTrainedModel,
    info: EncoderInfo,
    ids: Sequence[Sequence[int]],
    batch_size: int,
    advance: Callable[[int], None] = lambda done: None,
    dense: torch.nn.Sequential | None = None,
) -> FloatArray:
    """Embed token ids, longest first in batches of like length.

    Returns:
        What the head reads, float32 `[texts, features]`, in the order of `ids`.
    """
    embeddings = np.empty((len(ids), info.features), np.float32)
    # Stable, so that the batches and with them the last bits are the same in every run.
    order = runtime.by_length([len(row) for row in ids], longest_first=True)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        input_ids, mask = map(torch.from_numpy, runtime.pad([ids[index] for index in rows]))
        hidden = hidden_states(bert, input_ids, mask, info.feature_layers)
        embeddings[rows] = pool(hidden, mask, info, dense).numpy()
        advance(len(rows))
    return embeddings


def export(bert: PreTrainedModel, info: EncoderInfo, path: Path) -> None:
    """Write the encoder as ONNX: `input_ids`, `attention_mask` int64 `[b, s]` → `last_hidden_state`.

    With features: → `hidden_state_N` of each layer that they read, and nothing above the last of these.

    Uses the exporter of torch.export (`dynamo=True`), opset 18, both axes dynamic, weights inside.
    """
    # Neither axis may be 0, 1 or the other's size, or torch.export takes it for a constant.
    sequence = min(7, info.positions)
    example = torch.ones((2, sequence), dtype=torch.int64)
    axes = {0: torch.export.Dim(BATCH_AXIS), 1: torch.export.Dim(SEQUENCE_AXIS, max=info.positions)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _HiddenStates(bert, info.feature_layers),
            # Two tensors: given one object twice, torch.export takes the inputs for each other.
            (example, example.clone()),
            dynamo=True,
            dynamic_shapes={INPUT_IDS: axes, ATTENTION_MASK: axes},
            input_names=[INPUT_IDS, ATTENTION_MASK],
            opset_version=OPSET,
            output_names=info.outputs,
            verbose=False,
        )
    assert program is not None  # with dynamo=True it always is one
    # The exporter notes on every node the lines of Python it came from, with their paths.
    ClearMetadataAndDocStringPass()(program.model)
    program.save(str(path), external_data=False)
