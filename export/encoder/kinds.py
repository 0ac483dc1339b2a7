"""The kinds of encoder that are supported, and all in which they differ: a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What is a kind's own: names in its files, and how its tokens get their positions.

    `sizes` are the names that `config.json` has for what BERT's calls `hidden_size`, …; of one that it has
    not, such as DistilBERT's token types, there is no table either.
    """

    architecture: str  # of an artifact's config.json
    sizes: dict[str, str]
    activation: str


_BERT_SIZES = {
    name: name
    for name in (
        *("hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads"),
        *("num_hidden_layers", "type_vocab_size", "vocab_size"),
    )
}
KINDS = {
    "bert": Kind(
        architecture="BertForSequenceClassification",
        sizes=_BERT_SIZES,
        activation="hidden_act",
    ),
}
