"""The original pair inside `transformers`' own text-classification pipeline, to compare bulk scoring with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AutoTokenizer, BertConfig, PreTrainedModel, TextClassificationPipeline
from transformers.modeling_outputs import SequenceClassifierOutput

from bench.contenders.torch_pair import Pair
from core.decisions import log_odds


class _PipelineModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """The pair, with the logits that the pipeline asks for."""

    config_class = BertConfig

    def __init__(self, config: BertConfig, pair: Pair) -> None:
        super().__init__(config)
        self.bert, self._pair = pair.bert, pair

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: object
    ) -> SequenceClassifierOutput:
        """Return logits float32 `[b, l]`."""
        logits = log_odds(*self._pair.run(input_ids, attention_mask))
        return SequenceClassifierOutput(logits=torch.from_numpy(logits).float())


def load(pair: Pair) -> Callable[[Sequence[str]], list[dict[str, float]]]:
    """Open `pipeline("text-classification", batch_size=32)` on the pair.

    Returns:
        Texts → for each, label → probability.
    """
    labels = pair.head.labels
    config = BertConfig.from_pretrained(pair.folder)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = "multi_label_classification"
    model: Any = _PipelineModel(config, pair)
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(pair.folder, model_max_length=pair.info.max_length)
    # What `pipeline("text-classification", …)` returns for a model that is at hand.
    open_pipeline: Any = TextClassificationPipeline
    run = open_pipeline(model=model, tokenizer=tokenizer, batch_size=32, device="cpu")

    def classify(texts: Sequence[str]) -> list[dict[str, float]]:
        rows = run(list(texts), top_k=None, function_to_apply="sigmoid", truncation=True)
        return [{score["label"]: score["score"] for score in row} for row in rows]

    return classify


def seconds(pair: Pair, texts: Sequence[str]) -> float:
    """Return how long the pipeline takes to decide on `texts`, after a warm-up on a few of them."""
    run = load(pair)
    run(texts[:64])
    start = time.perf_counter()
    for row in run(texts):
        # The decisions are part of everybody's work.
        [label for label, score in row.items() if score >= pair.head.thresholds[label]]
    return time.perf_counter() - start
