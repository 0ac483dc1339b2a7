"""The original pair as a contender: the torch encoder, then the published head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.contenders.protocol import Model, TokenIds
from core import decisions
from core.build.facts import EncoderInfo, HeadInfo
from core.contract import WEIGHTS_FILE
from core.runtime import pad
from export.encoder import checkpoint, torch_dense, torch_encoder
from export.head import files, published_head
from export.sources.resolve import Source, Sources


class Pair:
    """The encoder and the head of a recipe, opened from their sources."""

    def __init__(
        self, encoder: Source, head: Source, info: EncoderInfo, head_info: HeadInfo, threads: int = 0
    ) -> None:
        """Open both; `threads`, of the head's session, 0 leaves to onnxruntime.

        Raises:
            CheckpointError: the weights don't fit the config.
            SourceError: a file is missing.
            HeadError: onnxruntime does not load the head.
        """
        path = files.find(head)
        transformer = checkpoint.transformer(encoder)
        self.folder, self.info, self.head = transformer.folder, info, head_info
        self.files = (transformer.file(WEIGHTS_FILE), path)
        self._dense = torch_dense.load(checkpoint.dense_modules(encoder))
        self.bert = torch_encoder.load(self.folder)
        self._classify = published_head.open_original(
            head, head_info.labels, head_info.problem_type, info.features, threads
        )

    def run(
        self, input_ids: torch.Tensor, mask: torch.Tensor
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the probabilities of no and of yes, each `[b, l]`, for int64 `[b, s]`."""
        hidden = torch_encoder.hidden_states(self.bert, input_ids, mask, self.info.feature_layers)
        return self._classify(torch_encoder.pool(hidden, mask, self.info, self._dense).numpy())


def sources(recipe_folder: Path, build: Path) -> tuple[Source, Source, EncoderInfo, HeadInfo]:
    """Return the sources of a recipe's encoder and head, checked, and what the build knows of both.

    Raises:
        ToolchainError: the recipe, a source of it or `head.json` cannot be read or does not fit.
    """
    both = Sources(recipe_folder)
    info = checkpoint.open_encoder(both)
    return both.encoder, both.head, info, HeadInfo.read(build / "head.json")


def load(encoder: Source, head: Source, info: EncoderInfo, head_info: HeadInfo, threads: int) -> Model:
    """Open the pair on `threads` threads; a batch is padded to its longest text, as for the others.

    Raises:
        ToolchainError: as `Pair`.
    """
    torch.set_num_threads(threads)
    pair = Pair(encoder, head, info, head_info, threads)
    thresholds = decisions.threshold_vector(head_info.thresholds, head_info.labels)

    @torch.inference_mode()
    def run(ids: TokenIds) -> NDArray[np.float64]:
        _, probabilities = pair.run(*map(torch.from_numpy, pad(ids)))
        # The decisions are part of everybody's work.
        decisions.decide(probabilities, thresholds, head_info.problem_type)
        return probabilities

    return Model(run, pair.files, {"torch": torch.__version__})
