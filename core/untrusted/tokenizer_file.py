"""Reading a stranger's `tokenizer.json`: BERT's components alone, within the limits.

Other components can hold regular expressions that take forever, and fixed padding can ask for any memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from core.errors import ToolchainError
from core.untrusted import json_file, limits, regular_file

_COMPONENTS: dict[str, tuple[str | None, ...]] = {
    "normalizer": ("BertNormalizer", None),
    "pre_tokenizer": ("BertPreTokenizer",),
    "post_processor": ("TemplateProcessing", "BertProcessing", None),
    "decoder": ("WordPiece", None),
    "model": ("WordPiece",),
}
_PARTS = {*_COMPONENTS, "version", "truncation", "padding", "added_tokens"}
_ADDED_TOKENS, _TEMPLATE = 1_000, 64


class _RefusedError(ValueError):
    pass


def _number(place: str, found: Any, low: int, high: int) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise _RefusedError(f"{place}: found {str(found)[:40]}, expected a whole number from {low} to {high}")
    return found


def _object(place: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _RefusedError(f"{place}: found {type(found).__name__}, expected an object")
    return found


def _list(place: str, found: Any, longest: int) -> list[Any]:
    if not isinstance(found, list) or len(found) > longest:
        raise _RefusedError(f"{place}: expected a list of at most {longest}")
    return found


def _check_components(content: dict[str, Any]) -> None:
    unknown = sorted(set(content) - _PARTS)
    if unknown:
        raise _RefusedError(f"{unknown[0]}: unknown")
    for name, expected in _COMPONENTS.items():
        part = content.get(name)
        found = None if part is None else _object(name, part).get("type")
        if found not in expected:
            raise _RefusedError(f"{name}: found {found!r}, expected {' or '.join(map(str, expected))}")


def _check_model(model: dict[str, Any]) -> int:
    """Check the vocabulary; return the bound of its ids."""
    vocabulary = _object("model.vocab", model.get("vocab"))
    if len(vocabulary) > limits.VOCABULARY:
        raise _RefusedError(
            f"model.vocab: found {len(vocabulary):,} tokens, expected at most {limits.VOCABULARY:,}"
        )
    for token, number in vocabulary.items():
        _number(f"model.vocab: {token[:40]!r}", number, 0, limits.VOCABULARY - 1)
    if len(set(vocabulary.values())) != len(vocabulary):
        raise _RefusedError("model.vocab: two tokens have one id")
    if model.get("unk_token") not in vocabulary:
        raise _RefusedError(
            f"model.unk_token: found {model.get('unk_token')!r}, which is not in the vocabulary"
        )
    _number(
        "model.max_input_chars_per_word", model.get("max_input_chars_per_word"), 1, limits.WORD_CHARACTERS
    )
    return limits.VOCABULARY - 1


def _check_lengths(content: dict[str, Any]) -> None:
    truncation, padding = content.get("truncation"), content.get("padding")
    if truncation is not None:
        # Room for [CLS] and [SEP]: with less, the library counts below zero.
        longest = _number(
            "truncation.max_length", _object("truncation", truncation).get("max_length"), 2, limits.TOKENS
        )
        _number("truncation.stride", truncation.get("stride"), 0, max(longest - 3, 0))
    if padding is not None:
        strategy = _object("padding", padding).get("strategy")
        if strategy != "BatchLongest":
            fixed = _object("padding.strategy", strategy).get("Fixed")
            _number("padding.strategy.Fixed", fixed, 0, limits.TOKENS)
        multiple = padding.get("pad_to_multiple_of")
        if multiple is not None:
            _number("padding.pad_to_multiple_of", multiple, 1, limits.TOKENS)


def _check_specials(content: dict[str, Any], highest: int) -> None:
    for added in _list("added_tokens", content.get("added_tokens", []), _ADDED_TOKENS):
        _number("added_tokens: id", _object("added_tokens", added).get("id"), 0, highest)
        if not added.get("content"):
            raise _RefusedError("added_tokens: a token of no characters")
    processor = content.get("post_processor") or {}
    for name in ("single", "pair"):
        _list(f"post_processor.{name}", processor.get(name, []), _TEMPLATE)
    for name, special in _object(
        "post_processor.special_tokens", processor.get("special_tokens", {})
    ).items():
        place = f"post_processor.special_tokens: {name[:40]!r}"
        for number in _list(place, _object(place, special).get("ids"), _TEMPLATE):
            _number(place, number, 0, highest)
    for name in ("sep", "cls"):
        if name in processor:
            pair = _list(f"post_processor.{name}", processor[name], 2)
            _number(f"post_processor.{name}", pair[-1] if pair else None, 0, highest)


def load(path: Path, error: type[ToolchainError]) -> Tokenizer:
    """Read a tokenizer.

    Raises:
        error: missing, too large, not a tokenizer, or not of BERT's components.
    """
    data = regular_file.read(path, limits.JSON_BYTES, error)
    try:
        content = _object("the file", json_file.loads(data, path, error))
        _check_components(content)
        highest = _check_model(content["model"])
        _check_lengths(content)
        _check_specials(content, highest)
        return Tokenizer.from_str(data.decode("utf-8"))
    except (ToolchainError, KeyboardInterrupt, SystemExit):
        raise
    # The Rust side raises the bare Exception, and its panics not even that.
    except BaseException as cause:
        raise error(f"{path}: not a tokenizer: {cause}") from cause


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], path: Path, error: type[ToolchainError]
) -> list[list[int]]:
    """Return each text's token ids, special tokens included; `path` is where the tokenizer came from.

    Raises:
        error: it fails on them.
    """
    try:
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as cause:
        raise error(f"{path}: fails on {len(texts)} texts: {cause}") from cause
