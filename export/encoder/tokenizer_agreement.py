"""Hold `tokenizer.json` to what transformers makes of a folder: the same ids for texts of every kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from core.build.facts import EncoderInfo
from core.contract import TOKENIZER_FILES
from core.disk.files import write_json
from core.errors import CheckpointError, SourceError
from core.untrusted import json_file, limits, regular_file, tokenizer_file, vocabulary_file
from core.untrusted.regular_file import naming
from export.encoder import checkpoint, config_file, sentence_files
from export.sources.resolve import Source

_CONFIG = "tokenizer_config.json"
# With or without "Fast". What each makes of the files is compared with tokenizer.json; none runs other code.
_CLASS = "tokenizer_class"
_CLASSES = (
    *("BertTokenizer", "DistilBertTokenizer", "RobertaTokenizer"),
    *("PreTrainedTokenizer", "TokenizersBackend"),
)
# What transformers reads of a tokenizer besides.
_FILES = (*TOKENIZER_FILES, "added_tokens.json", "vocab.json", "merges.txt")
# Key → the values that are supported; left out, it is the first. Text is cut at its end, and a text's
# positions do not depend on what is beside it in a batch.
_FIXED: dict[str, tuple[object, ...]] = {
    "padding_side": ("right", None),
    "truncation_side": ("right", None),
    "split_special_tokens": (False, None),
    # Code, or other files than those that are hashed.
    "auto_map": (None,),
    "tokenizer_file": (None,),
    "vocab_file": (None,),
    "merges_file": (None,),
    "fast_tokenizer_files": (None, []),
}
_MENDED = "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER), where you trust it, writes {}"

# Whole blocks of Unicode, and a few of what is large and alike.
_BLOCKS = (
    *((0x01, 0x1200), (0x1E00, 0x2C00), (0x3000, 0x3400), (0xA640, 0xA800), (0xAC00, 0xAC40)),
    *((0x4E00, 0x4E40), (0xF900, 0xF940), (0xFB00, 0xFE70), (0xFF00, 0x10000), (0x1D400, 0x1D440)),
    *((0x1F300, 0x1F700), (0x20000, 0x20010), (0xE0000, 0xE0080)),
)
_CHARACTERS_OF_A_TEXT = 32


def _characters() -> Iterator[str]:
    characters = [chr(code) for low, high in _BLOCKS for code in range(low, high)]
    for start in range(0, len(characters), _CHARACTERS_OF_A_TEXT):
        part = characters[start : start + _CHARACTERS_OF_A_TEXT]
        yield "".join(f"a{character}B {character}" for character in part)


def probes(tokens: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return texts that tell tokenizers apart.

    Args:
        tokens: special and added tokens, each typed in several ways.
        words: of the vocabulary, each with another beginning, another case, and an accent.
    """
    listed = ["", " ", "The Dog and I", "ÀÉÎÕÜ naïve Façade", "Don't stop: 3,000.50$ (e-mail)", "the " * 1000]
    listed += [letter * length for letter in "aZ" for length in (99, 100, 101, 200, 201)]
    listed += ["  two  spaces\tand\nlines \r\n ", "日本語テキスト 한국어", "ﬁ ½ Ⅷ №", "İstanbul ΣΑΣ ẞ"]
    for token in tokens:
        listed += [token, f"a{token}b", f"a {token} b {token.upper()} {token.lower()}", f"{token} {token}"]
    for start in range(0, len(words), 100):
        part = words[start : start + 100]
        listed += [" ".join(part), " ".join(f"x{word.upper()}e\u0301" for word in part)]
    return [*listed, *_characters()]


def _open(folder: Path) -> Any:
    """Open a folder's tokenizer in transformers: from a copy of what belongs to it, and no code."""
    with tempfile.TemporaryDirectory() as copy:
        for file in _FILES:
            if (folder / file).is_file():
                content = regular_file.read(folder / file, limits.JSON_BYTES, CheckpointError)
                (Path(copy) / file).write_bytes(content)
        config = json_file.read_object(folder / config_file.CONFIG_FILE, CheckpointError)
        named = {key: config[key] for key in ("model_type", _CLASS) if config.get(key) is not None}
        write_json(Path(copy) / config_file.CONFIG_FILE, named)
        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        with naming(folder, CheckpointError, "transformers cannot open its tokenizer", Exception):
            return AutoTokenizer.from_pretrained(copy, local_files_only=True, trust_remote_code=False)


def _check_settings(folder: Path) -> None:
    path = folder / _CONFIG
    config = json_file.read_object(path, CheckpointError)
    for key, allowed in _FIXED.items():
        if key in config and config[key] not in allowed:
            raise CheckpointError(f"{path}: {key}: found {config[key]!r}, expected {allowed[0]!r}")
    for file in (path, folder / config_file.CONFIG_FILE):
        stated = json_file.read_object(file, CheckpointError).get(_CLASS)
        if stated is not None and (
            not isinstance(stated, str) or stated.removesuffix("Fast") not in _CLASSES
        ):
            raise CheckpointError(f"{file}: {_CLASS}: found {stated!r}, expected {' or '.join(_CLASSES)}")


def _shown(ids: list[int]) -> str:
    return f"{len(ids)} tokens {ids[:20]}"


def difference(folder: Path, tokenizer: Tokenizer, max_length: int) -> str | None:
    """Compare a tokenizer with what transformers makes of a folder; None where all probes get the same ids.

    Raises:
        CheckpointError: transformers cannot open it.
    """
    auto = _open(folder)
    vocabulary = tokenizer.get_vocab()
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    added |= {str(token) for token in auto.added_tokens_decoder.values()}
    words = sorted(vocabulary)[:: max(1, len(vocabulary) // 2000)]
    listed = probes(sorted(added), words)
    found = checkpoint.encode(tokenizer, listed)
    expected = auto(listed, truncation=True, max_length=max_length)["input_ids"]
    for text, ids, wanted in zip(listed, found, expected, strict=True):
        if ids != wanted:
            return f"{text[:40]!r} gets {_shown(ids)}, and {_shown(wanted)} in transformers"
    return None


def check(source: Source, info: EncoderInfo) -> None:
    """Check that a checkpoint's `tokenizer.json` and the files beside it say the same.

    Raises:
        SourceError: one is missing.
        CheckpointError: they differ, which is shown on a text; or a setting is not supported.
    """
    path = source.folder / "tokenizer.json"
    if not path.is_file() and any((source.folder / file).is_file() for file in _FILES):
        hint = _MENDED.format("it")
        raise SourceError(f"{source.spec}: has no tokenizer.json (looked in {source.folder}); {hint}")
    tokenizer = checkpoint.load_tokenizer(source.file("tokenizer.json"), info.max_length)
    if tokenizer_file.is_wordpiece(tokenizer):
        vocabulary_file.content(tokenizer, path, CheckpointError)
    config = source.file(_CONFIG)
    _check_settings(source.folder)
    sentence_files.check_lower_case(source.folder, tokenizer)
    if (differs := difference(source.folder, tokenizer, info.max_length)) is not None:
        hint = _MENDED.format("files that agree")
        raise CheckpointError(f"{config}: contradicts tokenizer.json: {differs}; {hint}")


def check_artifact(folder: Path, info: EncoderInfo) -> None:
    """Check that the tokenizer's files of an artifact say the same.

    Raises:
        CheckpointError: they differ, which is shown on a text.
    """
    path = folder / "tokenizer.json"
    tokenizer = checkpoint.load_tokenizer(path, info.max_length)
    if (differs := difference(folder, tokenizer, info.max_length)) is not None:
        raise CheckpointError(f"{path}: transformers reads the artifact's files otherwise: {differs}")
