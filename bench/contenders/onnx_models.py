"""The contenders that onnxruntime runs, and the bare matrix products.

`graph` runs a merged graph; `card` runs the encoder and the published head as two sessions with numpy between
them, as the head's model card does; `bare_products` takes a batch `[[i]]` for "run the i-th product".
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bench.contenders.protocol import Model, TokenIds
from core import decisions, runtime
from core.build import dense
from core.build.dense import DenseLayer
from core.build.facts import EncoderInfo, HeadInfo
from core.contract import PROBABILITIES, FeaturePooling
from core.runtime import feeds, pad

_VERSIONS = {"onnxruntime": onnxruntime.__version__}
_MIN_MASK = 1e-9


def _positive(names: list[str], outputs: list[NDArray[Any]], labels: list[str]) -> NDArray[np.float32]:
    """Return the probabilities of yes `[b, l]` of either contract, or of a published head."""
    if PROBABILITIES in names:
        return outputs[names.index(PROBABILITIES)]
    if set(labels) <= set(names):
        return np.stack([outputs[names.index(label)][:, 1] for label in labels], axis=1)
    answers = np.asarray(outputs[0])
    return answers[..., 1].T if answers.ndim == 3 else answers


def divide(ids: TokenIds, parts: int) -> list[TokenIds]:
    """Cut a batch, in its order, into at most so many of about as many tokens; none is empty."""
    ends = np.cumsum([len(text) for text in ids])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts) + 1
    places = [0, *cuts.tolist(), len(ids)]
    return [ids[start:end] for start, end in pairwise(places) if start < end]


def graph(build: Path, file: Path, threads: int, *, divided: bool = False) -> Model:
    """Open a merged graph of either contract; all its outputs are fetched.

    With `divided`, `threads` callers run parts of a batch in one session of one thread, in place of `threads`
    of a session that run all of it.
    """
    session = runtime.open_session(file, threads=1 if divided else threads)
    names = [value.name for value in session.get_outputs()]
    labels = HeadInfo.read(build / "head.json").labels

    def run(ids: TokenIds) -> NDArray[np.float32]:
        return _positive(names, session.run(None, feeds(*pad(ids))), labels)

    if not divided:
        return Model(run, [file], _VERSIONS)
    # It lives as long as the process.
    pool = ThreadPoolExecutor(threads)

    def run_parts(ids: TokenIds) -> NDArray[np.float32]:
        parts = divide(ids, threads)
        return np.concatenate(list(pool.map(run, parts))) if len(parts) > 1 else run(ids)

    return Model(run_parts, [file], _VERSIONS)


def _pool(
    hidden_bsh: NDArray[np.float32], mask: NDArray[np.int64], pooling: FeaturePooling
) -> NDArray[np.float32]:
    pooled: NDArray[np.float32]
    weight = mask[:, :, None].astype(np.float32)
    if pooling == "cls":
        pooled = hidden_bsh[:, 0]
    elif pooling == "max":
        pooled = np.where(weight > 0, hidden_bsh, np.float32(-np.inf)).max(axis=1)
    else:
        pooled = (hidden_bsh * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), np.float32(_MIN_MASK))
    return pooled


def _embedding(
    hidden: list[NDArray[np.float32]],
    mask: NDArray[np.int64],
    info: EncoderInfo,
    layers: Sequence[DenseLayer],
) -> NDArray[np.float32]:
    """Return what the head reads, `[b, features]`."""
    if info.feature_layers:
        states = dict(zip(info.feature_layers, hidden, strict=True))
        return np.concatenate([_pool(states[layer], mask, how) for layer, how in info.feature_parts], axis=1)
    embedding = _pool(hidden[0], mask, info.pooling)
    for layer in layers:
        embedding = embedding @ layer.weight_io + layer.bias_o
        embedding = np.tanh(embedding) if layer.activation == "tanh" else embedding
    if info.normalize:
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding


def card(build: Path, head_file: Path, threads: int) -> Model:
    """Open `encoder.onnx` and the published head; numpy pools, normalizes and compares."""
    encoder_file = build / "encoder.onnx"
    info, head_info = EncoderInfo.read(build / "encoder.json"), HeadInfo.read(build / "head.json")
    encoder, head = (runtime.open_session(file, threads=threads) for file in (encoder_file, head_file))
    head_input = head.get_inputs()[0].name
    names = [value.name for value in head.get_outputs()]
    thresholds = decisions.threshold_vector(head_info.thresholds, head_info.labels)
    layers = dense.read(build, info)

    def run(ids: TokenIds) -> NDArray[np.float32]:
        input_ids, mask = pad(ids)
        hidden = encoder.run(info.outputs, feeds(input_ids, mask))
        embedding = _embedding(hidden, mask, info, layers)
        probabilities = _positive(names, head.run(None, {head_input: embedding}), head_info.labels)
        # The decisions are part of everybody's work.
        decisions.decide(probabilities, thresholds, head_info.problem_type)
        return probabilities

    return Model(run, [encoder_file, head_file], _VERSIONS)


def bare_products(files: list[Path], threads: int) -> Model:
    """Open bare matrix products, each with random activations of its own shape and type."""
    random = np.random.default_rng(0)
    sessions = []
    for file in files:
        session = runtime.open_session(file, threads=threads)
        value = session.get_inputs()[0]
        integer = value.type == "tensor(uint8)"
        activations = random.integers(0, 256, value.shape).astype(np.uint8 if integer else np.float32)
        sessions.append((session, {value.name: activations}))

    def run(ids: TokenIds) -> NDArray[np.float32]:
        session, feeds = sessions[ids[0][0]]
        result: NDArray[np.float32] = session.run(None, feeds)[0]
        return result

    return Model(run, files, _VERSIONS)
