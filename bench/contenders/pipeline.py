"""The original pair inside `transformers`' own text-classification pipeline, as a peer in bulk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    PreTrainedModel,
    TextClassificationPipeline,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from core.build.facts import EncoderInfo, HeadInfo
from core.contract import HEAD_FILE
from export.encoder import torch_encoder
from export.head import files, original
from export.sources.resolve import Source


class _Pair(PreTrainedModel):  # type: ignore[no-untyped-call]
    """The torch encoder, then the published head, with the logits that the pipeline asks for."""

    config_class = BertConfig

    def __init__(self, config: BertConfig, bert: Any, info: EncoderInfo, head: original.OriginalHead) -> None:
        super().__init__(config)
        self.bert, self._info, self._head = bert, info, head

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: object
    ) -> SequenceClassifierOutput:
        """Return logits float32 `[b, l]`."""
        hidden = torch_encoder.hidden_states(self.bert, input_ids, attention_mask, self._info.feature_layers)
        pooled = torch_encoder.pool(hidden, attention_mask, self._info).numpy()
        logits = original.logits(*self._head(pooled))
        return SequenceClassifierOutput(logits=torch.from_numpy(logits).float())


def load(
    encoder_source: Source, head_source: Source, info: EncoderInfo, head: HeadInfo
) -> Callable[[Sequence[str]], list[dict[str, float]]]:
    """Open `pipeline("text-classification", batch_size=32)` on the pair.

    Returns:
        Texts → for each, label → probability.

    Raises:
        CheckpointError: the weights don't fit the config.
        SourceError: a file is missing.
        HeadError: onnxruntime does not load the head.
    """
    path = head_source.file(HEAD_FILE)
    outputs = head.labels if head.output is None else [head.output]
    classify = original.OriginalHead(str(path), files.load(path), head.layout, outputs)
    config = BertConfig.from_pretrained(encoder_source.folder)
    config.id2label = dict(enumerate(head.labels))
    config.label2id = {label: index for index, label in enumerate(head.labels)}
    config.problem_type = "multi_label_classification"
    pair: Any = _Pair(config, torch_encoder.load(encoder_source.folder), info, classify)
    pair.eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder_source.folder, model_max_length=info.max_length)
    # What `pipeline("text-classification", …)` returns for a model that is at hand.
    open_pipeline: Any = TextClassificationPipeline
    run = open_pipeline(model=pair, tokenizer=tokenizer, batch_size=32, device="cpu")

    def classify_all(texts: Sequence[str]) -> list[dict[str, float]]:
        found = run(list(texts), top_k=None, function_to_apply="sigmoid", truncation=True)
        return [{one["label"]: one["score"] for one in row} for row in found]

    return classify_all


def seconds(
    run: Callable[[Sequence[str]], list[dict[str, float]]], thresholds: dict[str, float], texts: Sequence[str]
) -> float:
    """Return how long the pipeline takes to decide on `texts`, after a warm-up on a few of them."""
    run(texts[:64])
    start = time.perf_counter()
    for row in run(texts):
        # The decisions are part of everybody's work.
        [label for label, score in row.items() if score >= thresholds[label]]
    return time.perf_counter() - start
