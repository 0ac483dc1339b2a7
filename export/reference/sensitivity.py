"""Measure how much the logits depend on what leaves each linear layer, for the search of a quantization.

A small error e of a layer's output changes the logits by J e, and their squares by eᵀ (JᵀJ) e. The mean of
JᵀJ over tokens is the second moment of the gradients of randomly weighted sums of the logits: the output's
half of a Kronecker-factored curvature (K-FAC, arXiv 1503.05671; for rounding arXiv 2505.22988).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from core import runtime
from core.build.facts import EncoderInfo
from core.build.sensitivity import LINEARS, array_names
from export.encoder import torch_encoder
from export.encoder.kinds import Kind
from export.head.published_head import Head

_TEXTS, _TOKENS, _BATCH_SIZE = 1000, 128, 32
# They hold nearly all of a hidden state's, and most of what comes before an activation function.
_DIRECTIONS = 256


def _modules(bert: PreTrainedModel, kind: Kind, layers: int) -> dict[str, torch.nn.Module]:
    """Return the linear layers by the names that the search has for them."""
    parts = (*kind.square, kind.up, kind.down)
    return {
        f"layer_{number}_{linear}": bert.get_submodule(f"{kind.layer.format(number)}.{part}")
        for number in range(layers)
        for linear, part in zip(LINEARS, parts, strict=True)
    }


def _directions(moment_nn: NDArray[np.float64]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Return a second moment's largest directions `[r, n]`, and what they leave of its diagonal `[n]`."""
    unit = moment_nn / max(float(np.trace(moment_nn)) / len(moment_nn), 1e-30)
    values, vectors = np.linalg.eigh(unit)
    directions_rn = (vectors * np.sqrt(np.maximum(values, 0))).T[: -_DIRECTIONS - 1 : -1].astype(np.float16)
    rest_n = np.diag(unit) - np.square(directions_rn.astype(np.float64)).sum(axis=0)
    return directions_rn, np.maximum(rest_n, 0).astype(np.float32)


def measure(
    bert: PreTrainedModel,
    kind: Kind,
    info: EncoderInfo,
    head: Head,
    ids: Sequence[Sequence[int]],
    dense: torch.nn.Sequential | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Run some of the texts forward and back.

    Args:
        bert: the encoder; its parameters are left without gradients.
        head: where it is not linear, all that it reads counts alike.
        ids: token ids of real texts.
        dense: the layers before the normalization, where the checkpoint has some.

    Returns:
        For each linear layer `directions` float16 `[r, n]` and `rest` float32 `[n]`, under the names of
        `core.build.sensitivity`: the second moment is about `directionsᵀ directions + diag(rest)`, its
        diagonal 1 on average.
    """
    for parameter in bert.parameters():
        parameter.requires_grad_(False)
    words = bert.get_input_embeddings().weight
    words.requires_grad_(True)
    gradients: dict[str, torch.Tensor] = {}
    handles = []
    for name, module in _modules(bert, kind, info.used_layers).items():

        def keep(_: torch.nn.Module, __: object, out: torch.Tensor, name: str = name) -> None:
            hook = partial(gradients.__setitem__, name)
            out.register_hook(hook)  # type: ignore[no-untyped-call]

        handles.append(module.register_forward_hook(keep))
    weight = None if head.weight_hl is None else torch.from_numpy(head.weight_hl)
    generator = torch.Generator().manual_seed(0)
    rows = [list(row[:_TOKENS]) for row in ids[:: max(1, len(ids) // _TEXTS)]]
    order = runtime.by_length([len(row) for row in rows])
    moments: dict[str, torch.Tensor] = {}
    for start in range(0, len(order), _BATCH_SIZE):
        batch = [rows[index] for index in order[start : start + _BATCH_SIZE]]
        input_ids, mask = map(torch.from_numpy, runtime.pad(batch))
        hidden = torch_encoder.hidden_states(bert, input_ids, mask, info.feature_layers)
        read = torch_encoder.pool(hidden, mask, info, dense)
        logits = read if weight is None else read @ weight
        drawn = torch.randn(logits.shape, generator=generator)
        gradients.clear()
        (logits * drawn).sum().backward(inputs=[words])  # type: ignore[no-untyped-call]
        words.grad = None
        for name, gradient in gradients.items():
            kept_tn = gradient[mask.bool()].double()
            moments[name] = moments.get(name, torch.zeros(())) + kept_tn.T @ kept_tn
    for handle in handles:
        handle.remove()
    words.requires_grad_(False)
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, moment in moments.items():
        arrays |= zip(array_names(name), _directions(moment.numpy()), strict=True)
    return arrays
