"""State what the files for transformers and its like must say, given manifest and tokenizer.

`config.json`, `tokenizer_config.json` and `special_tokens_map.json` are read by others: no key of them may
name code or another file, and none may make another tokenizer of the same `tokenizer.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer

from core.build.facts import EncoderInfo

# A name, the value that a file has for it, and the value that others have.
Claim = tuple[str, object, object]

# By the kind of encoder, its own names for what the manifest has.
_BERT = {
    "hidden_size": "hidden",
    "num_attention_heads": "heads",
    "num_hidden_layers": "layers",
    "vocab_size": "vocabulary",
}
_DISTILBERT = {"dim": "hidden", "n_heads": "heads", "n_layers": "layers", "vocab_size": "vocabulary"}
_SIZES = {"bert": _BERT, "distilbert": _DISTILBERT, "roberta": _BERT}
_ARCHITECTURES = {"bert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta"}
# All other keys that an artifact's config.json has.
_CONFIG_KEYS = {
    *("activation", "architectures", "attention_probs_dropout_prob", "hidden_act", "hidden_dim"),
    *("hidden_dropout_prob", "id2label", "initializer_range", "intermediate_size", "label2id"),
    *("layer_norm_eps", "max_position_embeddings", "model_type", "pad_token_id", "position_embedding_type"),
    *("problem_type", "type_vocab_size"),
}
_CLASSES = {
    *("BertTokenizer", "DistilBertTokenizer", "RobertaTokenizer", "PreTrainedTokenizer"),
    "TokenizersBackend",
}
# Code, other files, and where a text is cut.
_FIXED: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(("auto_map", "tokenizer_file", "vocab_file", "merges_file", "chat_template"), (None,)),
    "fast_tokenizer_files": (None, []),
    "padding_side": (None, "right"),
    "truncation_side": (None, "right"),
    "split_special_tokens": (None, False),
}


def of_config(
    config: dict[str, Any], encoder: EncoderInfo, labels: list[str], problem_type: str
) -> Iterator[Claim]:
    """Yield what `config.json` must say."""
    kind = config.get("model_type")
    kind = kind if isinstance(kind, str) and kind in _SIZES else "bert"
    yield "model_type", config.get("model_type"), kind
    yield "architectures", config.get("architectures"), [f"{_ARCHITECTURES[kind]}ForSequenceClassification"]
    yield "id2label", config.get("id2label"), {str(index): label for index, label in enumerate(labels)}
    yield "label2id", config.get("label2id"), {label: index for index, label in enumerate(labels)}
    yield "problem_type", config.get("problem_type"), problem_type
    for key, name in _SIZES[kind].items():
        yield key, config.get(key), getattr(encoder, name)
    rows = encoder.positions if encoder.padding_id is None else encoder.positions + 1 + encoder.padding_id
    yield "max_position_embeddings", config.get("max_position_embeddings"), rows
    yield "unknown keys", sorted(set(config) - _CONFIG_KEYS - set(_SIZES[kind])), []


def _content(token: Any) -> object:
    return token.get("content") if isinstance(token, dict) else token


def _normalization(settings: dict[str, Any], normalizer: Any) -> Iterator[Claim]:
    """Yield how BERT's tokenizer cleans a text, by the names of `tokenizer_config.json`."""
    own = {
        "do_lower_case": normalizer.lowercase,
        "strip_accents": normalizer.strip_accents,
        "tokenize_chinese_chars": normalizer.handle_chinese_chars,
    }
    # Accents go with the case where nothing is said of them.
    accents = [own["do_lower_case"] if own["strip_accents"] is None else own["strip_accents"]]
    for name, value in own.items():
        stated = settings.get(name)
        if stated is not None:
            yield name, stated, accents[0] if name == "strip_accents" else value


def of_tokenizer(
    settings: dict[str, Any], special: dict[str, Any], tokenizer: Tokenizer, max_length: int
) -> Iterator[Claim]:
    """Yield what `tokenizer_config.json` must say, and that `special_tokens_map.json` says the same."""
    yield "model_max_length", settings.get("model_max_length"), max_length
    named = str(settings.get("tokenizer_class", "BertTokenizer")).removesuffix("Fast")
    yield f"tokenizer_class {named}", named in _CLASSES, True
    for key, allowed in _FIXED.items():
        yield key, settings.get(key) in allowed, True
    if type(tokenizer.normalizer).__name__ == "BertNormalizer":
        yield from _normalization(settings, tokenizer.normalizer)
    vocabulary = tokenizer.get_vocab()
    for key, token in special.items():
        several = token if isinstance(token, list) else [token]
        for content in map(_content, several):
            yield f"special token {key} {json.dumps(content)} in the vocabulary", content in vocabulary, True
        if key in settings and settings[key] is not None:
            yield key, _content(settings[key]), _content(token)
