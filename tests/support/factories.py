"""Small encoders and heads with random weights, made the way the real ones are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing, RobertaProcessing
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from export.head.writer import head_model

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"), "the", "!", "."]


@dataclass(frozen=True)
class Shape:
    """The size of a BERT, as its config has it."""

    layers: int = 2
    heads: int = 3
    hidden: int = 24
    intermediate: int = 40
    positions: int = 64


def _tokenizer(words: list[str]) -> Tokenizer:
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As published ones do, it carries the padding of whoever saved it.
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(16)
    return tokenizer


def _bpe() -> Tokenizer:
    """Make a byte-level BPE as RoBERTa has it, its special tokens first."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("a", "b")]
    words = [*special, *letters, *("".join(pair) for pair in merged)]
    tokenizer = Tokenizer(BPE({word: index for index, word in enumerate(words)}, merged))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    return tokenizer


def _model(kind: str, shape: Shape, vocabulary: int) -> PreTrainedModel:
    """Make an encoder with random weights, of a kind as transformers calls it."""
    sizes = {
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "hidden_dim" if kind == "distilbert" else "intermediate_size": shape.intermediate,
    }
    # RoBERTa's positions begin after the padding token's id.
    positions = shape.positions + (2 if kind == "roberta" else 0)
    if kind == "roberta":
        sizes["type_vocab_size"] = 1
    sizes |= {"max_position_embeddings": positions, "vocab_size": vocabulary}
    if kind == "distilbert":
        return DistilBertModel(DistilBertConfig(initializer_range=0.1, **sizes)).eval()
    config, model = {"bert": (BertConfig, BertModel), "roberta": (RobertaConfig, RobertaModel)}[kind]
    return model(config(initializer_range=0.1, **sizes), add_pooling_layer=False).eval()


def write_checkpoint(
    folder: Path,
    shape: Shape,
    pooling: str | None,
    *,
    normalize: bool = True,
    seed: int = 0,
    kind: str = "bert",
) -> PreTrainedModel:
    """Write an encoder with random weights as sentence-transformers lays it out; return it."""
    torch.manual_seed(seed)
    tokenizer = _bpe() if kind == "roberta" else _tokenizer(WORDS)
    bert = _model(kind, shape, tokenizer.get_vocab_size())
    with torch.no_grad():
        for name, parameter in bert.named_parameters():
            # Norms and biases start at 1 and 0, which would hide a mix-up.
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * (0.2 if "LayerNorm" in name else 0.1))
    bert.save_pretrained(folder)
    if kind == "roberta":
        names = dict.fromkeys(("bos_token", "cls_token"), "<s>") | dict.fromkeys(
            ("eos_token", "sep_token"), "</s>"
        )
        names |= {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
        names |= {"tokenizer_class": "RobertaTokenizer"}
    else:
        # As published ones have it; transformers adds them in any case.
        tokenizer.add_special_tokens(SPECIAL)
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in [*SPECIAL, *WORDS]), "utf-8")
        keys = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
        names = dict(zip(keys, SPECIAL, strict=True))
    tokenizer.save(str(folder / "tokenizer.json"))
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / file).write_text(json.dumps(names), "utf-8")
    if pooling is not None:
        modules = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
        listed = [
            {
                "idx": index,
                "name": str(index),
                "path": f"{index}_{name}" if index else "",
                "type": f"sentence_transformers.models.{name}",
            }
            for index, name in enumerate(modules)
        ]
        (folder / "modules.json").write_text(json.dumps(listed), "utf-8")
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({f"pooling_mode_{pooling}_token" + ("s" if pooling == "mean" else ""): True}), "utf-8"
        )
    return bert


def fitted(labels: list[str], hidden: int, seed: int = 0) -> list[LogisticRegression]:
    """Fit one classifier a label on random embeddings of norm 1."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((160, hidden))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    classifiers = []
    for _ in labels:
        y = x @ random.standard_normal(hidden) + 0.1 * random.standard_normal(len(x)) > 0
        classifiers.append(LogisticRegression(C=10.0).fit(x, y))
    return classifiers


def write_head(
    folder: Path,
    labels: list[str],
    hidden: int,
    *,
    shuffled: bool = False,
    lowest: float = 0.3,
    seed: int = 0,
):
    """Write a head in the published format; return its classifiers in label order."""
    classifiers = fitted(labels, hidden, seed=seed)
    order = list(range(len(labels)))
    if shuffled:
        order = order[::-1]
    folder.mkdir(parents=True, exist_ok=True)
    model = head_model([labels[i] for i in order], [classifiers[i] for i in order])
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    limits = {label: round(lowest + 0.01 * i, 2) for i, label in enumerate(labels)}
    (folder / "thresholds.json").write_text(
        json.dumps({labels[i]: limits[labels[i]] for i in order}), "utf-8"
    )
    return classifiers


def write_recipe(
    folder: Path,
    labels: list[str],
    encoder: str,
    head: str,
    *,
    contract: str = "stacked",
    pooling: str = "cls",
    normalize: bool = True,
    extra: str = "",
    variants: str = "[variants.fp32]\nmax_probability_error = 1e-5\n",
) -> Path:
    """Write a `recipe.toml`; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(
        f'name = "{folder.name}"\ncontract = "{contract}"\n{extra}\n'
        f'[encoder]\nsource = "{encoder}"\npooling = "{pooling}"\nnormalize = {str(normalize).lower()}\n'
        f'[head]\nsource = "{head}"\n[labels]\nnames = {json.dumps(labels)}\n{variants}',
        "utf-8",
    )
    return folder


def random_tokens(
    batch: int, sequence: int, vocabulary: int, *, holes: bool = False, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return random `input_ids` and `attention_mask`, int64 `[b, s]`, with a token in every row."""
    random = np.random.default_rng(seed)
    ids = random.integers(0, vocabulary, (batch, sequence))
    if holes:
        mask = (random.random((batch, sequence)) > 0.4).astype(np.int64)
    else:
        lengths = random.integers(1, sequence + 1, batch)
        mask = (np.arange(sequence) < lengths[:, None]).astype(np.int64)
    mask[:, 0] = 1
    return ids, mask
