"""The original pair as a contender of the benchmark: the torch encoder, then the published head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bench.contenders.protocol import Contender, TokenIds
from core.build.facts import EncoderInfo, HeadInfo
from core.contract import HEAD_FILE, WEIGHTS_FILE
from export.encoder import torch_encoder
from export.head import files as head_files
from export.head import original
from export.sources.resolve import Source


def load(
    encoder_source: Source, head_source: Source, info: EncoderInfo, head: HeadInfo, threads: int
) -> Contender:
    """Open both parts on `threads` threads; a batch is padded to its longest text, as for the others.

    Raises:
        CheckpointError: the weights don't fit the config.
        SourceError: a file is missing.
        HeadError: onnxruntime does not load the head.
    """
    torch.set_num_threads(threads)
    bert = torch_encoder.load(encoder_source.folder)
    path = head_source.file(HEAD_FILE)
    outputs = head.labels if head.output is None else [head.output]
    classify = original.OriginalHead(str(path), head_files.load(path), head.layout, outputs, threads)
    limits = np.array([head.thresholds[label] for label in head.labels])

    @torch.inference_mode()
    def run(ids: TokenIds) -> NDArray[np.float64]:
        longest = max(len(row) for row in ids)
        input_ids = torch.zeros((len(ids), longest), dtype=torch.int64)
        mask = torch.zeros_like(input_ids)
        for row, tokens in enumerate(ids):
            input_ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        hidden = torch_encoder.hidden_states(bert, input_ids, mask, info.feature_layers)
        probabilities = classify(torch_encoder.pool(hidden, mask, info).numpy())[1]
        # The decisions are part of everybody's work.
        np.greater_equal(probabilities, limits)
        return probabilities

    files = (encoder_source.file(WEIGHTS_FILE), path)
    return Contender(run, files, {"torch": torch.__version__})
