"""Read an untrusted `tokenizer.json`: BERT's components or RoBERTa's alone, within the limits.

Other components can hold regular expressions that take forever, and fixed padding can ask for any memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from core.errors import ToolchainError
from core.untrusted import json_file, limits, regular_file
from core.untrusted.regular_file import RefusedError

_Components = dict[str, tuple[str | None, ...]]
# By the model: BERT's, and RoBERTa's.
_FAMILIES: dict[str, _Components] = {
    "WordPiece": {
        "normalizer": ("BertNormalizer", None),
        "pre_tokenizer": ("BertPreTokenizer",),
        "post_processor": ("TemplateProcessing", "BertProcessing", None),
        "decoder": ("WordPiece", None),
    },
    "BPE": {
        "normalizer": (None,),
        "pre_tokenizer": ("ByteLevel",),
        "post_processor": ("RobertaProcessing", "TemplateProcessing", None),
        "decoder": ("ByteLevel", None),
    },
}
_KEYS = {*_FAMILIES["BPE"], "model", "version", "truncation", "padding", "added_tokens"}
# Of a BPE: what makes it random, or other than byte-level.
_BPE: dict[str, tuple[object, ...]] = {"dropout": (None, 0), "byte_fallback": (None, False)}
_BPE |= dict.fromkeys(("continuing_subword_prefix", "end_of_word_suffix"), (None, ""))
_ADDED_TOKENS, _TEMPLATE = 1_000, 64
_HIGHEST_ID = limits.VOCABULARY - 1


def _number(place: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RefusedError(f"{place}: found {str(value)[:40]}, expected a whole number from {low} to {high}")
    return value


def _object(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(f"{place}: found {type(value).__name__}, expected an object")
    return value


def _list(place: str, value: Any, longest: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > longest:
        raise RefusedError(f"{place}: expected a list of at most {longest}")
    return value


def _kind(content: dict[str, Any], name: str) -> str | None:
    component = content.get(name)
    kind = None if component is None else _object(name, component).get("type")
    if kind is not None and not isinstance(kind, str):
        raise RefusedError(f"{name}: found {str(kind)[:40]}, expected a name")
    return kind


def _check_components(content: dict[str, Any]) -> None:
    unknown = sorted(set(content) - _KEYS)
    if unknown:
        raise RefusedError(f"{unknown[0]}: unknown")
    model = _kind(content, "model")
    if model not in _FAMILIES:
        raise RefusedError(f"model: found {model!r}, expected {' or '.join(_FAMILIES)}")
    for name, expected in _FAMILIES[model].items():
        kind = _kind(content, name)
        if kind not in expected:
            raise RefusedError(f"{name}: found {kind!r}, expected {' or '.join(map(str, expected))}")


def _check_bpe(model: dict[str, Any]) -> None:
    for name, allowed in _BPE.items():
        if model.get(name) not in allowed:
            raise RefusedError(f"model.{name}: found {str(model[name])[:40]!r}, expected {allowed[0]!r}")
    # Each is a pair, or both with a space between them; the library holds them to the vocabulary.
    _list("model.merges", model.get("merges"), limits.VOCABULARY)


def _check_vocabulary(model: dict[str, Any]) -> None:
    vocabulary = _object("model.vocab", model.get("vocab"))
    if len(vocabulary) > limits.VOCABULARY:
        expected = f"expected at most {limits.VOCABULARY:,}"
        raise RefusedError(f"model.vocab: found {len(vocabulary):,} tokens, {expected}")
    for token, number in vocabulary.items():
        _number(f"model.vocab: {token[:40]!r}", number, 0, _HIGHEST_ID)
    if len(set(vocabulary.values())) != len(vocabulary):
        raise RefusedError("model.vocab: two tokens have one id")
    unknown, is_bpe = model.get("unk_token"), model["type"] == "BPE"
    if unknown not in vocabulary and not (is_bpe and unknown is None):
        raise RefusedError(f"model.unk_token: found {unknown!r}, which is not in the vocabulary")
    if is_bpe:
        _check_bpe(model)
        return
    longest = model.get("max_input_chars_per_word")
    _number("model.max_input_chars_per_word", longest, 1, limits.WORD_CHARACTERS)


def _check_lengths(content: dict[str, Any]) -> None:
    truncation, padding = content.get("truncation"), content.get("padding")
    if truncation is not None:
        max_length = _object("truncation", truncation).get("max_length")
        # Room for [CLS] and [SEP]: with less, the library counts below zero.
        longest = _number("truncation.max_length", max_length, 2, limits.TOKENS)
        _number("truncation.stride", truncation.get("stride"), 0, max(longest - 3, 0))
    if padding is not None:
        strategy = _object("padding", padding).get("strategy")
        if strategy != "BatchLongest":
            fixed = _object("padding.strategy", strategy).get("Fixed")
            _number("padding.strategy.Fixed", fixed, 0, limits.TOKENS)
        multiple = padding.get("pad_to_multiple_of")
        if multiple is not None:
            _number("padding.pad_to_multiple_of", multiple, 1, limits.TOKENS)


def _check_special_tokens(content: dict[str, Any]) -> None:
    for added in _list("added_tokens", content.get("added_tokens", []), _ADDED_TOKENS):
        _number("added_tokens: id", _object("added_tokens", added).get("id"), 0, _HIGHEST_ID)
        if not added.get("content"):
            raise RefusedError("added_tokens: a token of no characters")
    processor = content.get("post_processor") or {}
    for name in ("single", "pair"):
        _list(f"post_processor.{name}", processor.get(name, []), _TEMPLATE)
    key = "post_processor.special_tokens"
    for name, token in _object(key, processor.get("special_tokens", {})).items():
        place = f"{key}: {name[:40]!r}"
        for number in _list(place, _object(place, token).get("ids"), _TEMPLATE):
            _number(place, number, 0, _HIGHEST_ID)
    for name in ("sep", "cls"):
        if name in processor:
            pair = _list(f"post_processor.{name}", processor[name], 2)
            _number(f"post_processor.{name}", pair[-1] if pair else None, 0, _HIGHEST_ID)


def load(path: Path, error: type[ToolchainError], max_length: int | None = None) -> Tokenizer:
    """Read a tokenizer.

    Args:
        max_length: where given, it truncates at so many tokens and never pads, whatever the file says:
            published tokenizers carry the padding and truncation of whoever saved them last.

    Raises:
        error: missing, too large, not a tokenizer, or not of BERT's or RoBERTa's components.
    """
    data = regular_file.read(path, limits.JSON_BYTES, error)
    # The Rust side raises the bare Exception, and its panics not even that.
    with regular_file.naming(path, error, "not a tokenizer", BaseException):
        content = _object("the file", json_file.loads(data, path, error))
        _check_components(content)
        _check_vocabulary(content["model"])
        _check_lengths(content)
        _check_special_tokens(content)
        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    if max_length is not None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
    return tokenizer


def is_wordpiece(tokenizer: Tokenizer) -> bool:
    """Tell whether it is BERT's: `vocab.txt` is all of its vocabulary, and a graph can do what it does."""
    return type(tokenizer.model).__name__ == "WordPiece"


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], path: Path, error: type[ToolchainError]
) -> list[list[int]]:
    """Return each text's token ids, special tokens included; `path` is where the tokenizer came from.

    Raises:
        error: it fails on them.
    """
    with regular_file.naming(path, error, f"fails on {len(texts)} texts", BaseException):
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
