"""An encoder exported from random weights, and the torch original beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import torch
from transformers import BertModel

from export import checkpoint, encoder, sources
from export.contract import EncoderInfo, HeadInfo
from export.recipe import EncoderPart
from graphs import embeddings, fuse, mask, pool
from graphs.head import LinearHead
from tests.factories import Shape, write_checkpoint


@dataclass(frozen=True)
class Exported:
    """A checkpoint in `folder`, its torch model, and the path of its ONNX export."""

    folder: Path
    bert: BertModel
    info: EncoderInfo
    path: Path

    def model(self) -> ir.Model:
        return ir.from_proto(ir.to_proto(ir.load(self.path)))

    def original(self, ids, attention_mask) -> np.ndarray:
        """Torch's sentence embedding, pooled in the plain words of the definition."""
        with torch.inference_mode():
            hidden = self.bert(
                torch.tensor(ids), attention_mask=torch.tensor(attention_mask)
            ).last_hidden_state.numpy()
        if self.info.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            rows = zip(hidden, attention_mask, strict=True)
            pooled = np.stack([row[kept == 1].mean(axis=0) for row, kept in rows])
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True) if self.info.normalize else pooled


def exported(folder: Path, shape: Shape, pooling: str, *, normalize: bool = True) -> Exported:
    write_checkpoint(folder, shape, pooling, normalize=normalize)
    source = sources.Source(f"path:{folder}", folder)
    info = checkpoint.read(source, EncoderPart(source=source.spec, pooling=pooling, normalize=normalize))
    bert = encoder.load(folder)
    path = folder / "encoder.onnx"
    encoder.export(bert, info, path)
    return Exported(folder, bert, info, path)


def pooled(made: Exported) -> ir.Model:
    """The graph after every rewrite before the merge."""
    model = made.model()
    fuse.fuse(model)
    mask.mask(model)
    embeddings.embeddings(model)
    pool.pool(model, made.info.pooling, made.info.normalize)
    return model


def run(model: ir.Model, ids, attention_mask, names=None) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    return session.run(names, {"input_ids": ids, "attention_mask": attention_mask})


def linear_head(labels: list[str], hidden: int, order: list[str] | None = None) -> LinearHead:
    random = np.random.default_rng(5)
    info = HeadInfo(
        source="test",
        revision=None,
        sha256={"model.onnx": "0" * 64},
        kind="linear",
        reason="made so",
        layout="named",
        output=None,
        labels=labels,
        output_order=order or labels,
        thresholds={label: 0.3 + 0.1 * index for index, label in enumerate(labels)},
        fold_error=0.0,
    )
    weight = random.standard_normal((hidden, len(labels))).astype(np.float32) * 3
    return LinearHead(info, weight, random.standard_normal(len(labels)).astype(np.float32))
