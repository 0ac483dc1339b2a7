"""The kinds of encoder that are supported, and all in which they differ: a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]

_TABLES = {"word": "vocab_size", "position": "max_position_embeddings", "token_type": "type_vocab_size"}


@dataclass(frozen=True)
class Kind:
    """What is a kind's own: names in its files, and how its tokens get their positions.

    `sizes` are the names that `config.json` has for what BERT's calls `hidden_size`, …; of one that it has
    not, such as DistilBERT's token types, there is no table either.
    """

    architecture: str  # of an artifact's config.json
    prefix: str  # of its weights in a model that has a head
    sizes: dict[str, str]
    activation: str
    # Of its weights: a layer's name, its matrices of `hidden_size`, and the two of its feed-forward.
    layer: str
    square: tuple[str, ...]
    up: str
    down: str
    # Arguments of its class in transformers, besides the usual.
    arguments: dict[str, Any] = field(default_factory=dict)
    # The key of config.json, where the kind has one.
    epsilon: str | None = "layer_norm_eps"
    # Position ids begin after the padding token's id, and count the tokens that are not padding.
    counts_from_padding: bool = False
    padding_id: int = 0

    def shapes(self, sizes: dict[str, int]) -> Iterator[tuple[str, Shape]]:
        """Yield name and shape of the matrices that `sizes` determine."""
        hidden, inner = sizes["hidden_size"], sizes["intermediate_size"]
        for table, rows in _TABLES.items():
            if rows in sizes:
                yield f"embeddings.{table}_embeddings.weight", (sizes[rows], hidden)
        for layer in map(self.layer.format, range(sizes["num_hidden_layers"])):
            for matrix in self.square:
                yield f"{layer}.{matrix}.weight", (hidden, hidden)
            yield f"{layer}.{self.up}.weight", (inner, hidden)
            yield f"{layer}.{self.down}.weight", (hidden, inner)


def _like_bert(architecture: str, prefix: str, **more: Any) -> Kind:
    names = (
        *("hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads"),
        *("num_hidden_layers", "type_vocab_size", "vocab_size"),
    )
    attention = ("self.query", "self.key", "self.value", "output.dense")
    return Kind(
        architecture=architecture,
        prefix=prefix,
        sizes={name: name for name in names},
        activation="hidden_act",
        layer="encoder.layer.{}",
        square=tuple(f"attention.{name}" for name in attention),
        up="intermediate.dense",
        down="output.dense",
        arguments={"add_pooling_layer": False},
        **more,
    )


KINDS = {
    "bert": _like_bert("BertForSequenceClassification", "bert."),
    "distilbert": Kind(
        architecture="DistilBertForSequenceClassification",
        prefix="distilbert.",
        sizes={
            "hidden_size": "dim",
            "intermediate_size": "hidden_dim",
            "max_position_embeddings": "max_position_embeddings",
            "num_attention_heads": "n_heads",
            "num_hidden_layers": "n_layers",
            "vocab_size": "vocab_size",
        },
        activation="activation",
        layer="transformer.layer.{}",
        square=tuple(f"attention.{name}_lin" for name in ("q", "k", "v", "out")),
        up="ffn.lin1",
        down="ffn.lin2",
        epsilon=None,
    ),
    "roberta": _like_bert(
        "RobertaForSequenceClassification", "roberta.", counts_from_padding=True, padding_id=1
    ),
}
