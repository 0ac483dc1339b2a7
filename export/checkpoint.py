"""A checkpoint's own files: what it is, how it pools, how long its texts may be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from export.contract import (
    TOKENIZER_FILES,
    WEIGHTS_FILE,
    CheckpointError,
    EncoderInfo,
    Pooling,
)
from export.recipe import EncoderPart
from export.sources import Source

_MODULES_FILE = "modules.json"
_KNOWN_MODULES = {"Transformer", "Pooling", "Normalize"}
# Keys of 1_Pooling/config.json before and since sentence-transformers 6.
_LEGACY_POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of a checkpoint that holds one object.

    Raises:
        CheckpointError: it cannot be read, is not JSON, or holds something else.
    """
    found = _read_json(path)
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: found {type(found).__name__}, expected an object")
    return found


def _read_modules(path: Path) -> dict[str, str]:
    """Return the kind and folder of each module of `modules.json`."""
    found = _read_json(path)
    try:
        return {module["type"].rsplit(".", 1)[-1]: str(module["path"]) for module in found}
    except (TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: expected a list of modules with type and path") from error


@dataclass(frozen=True)
class OwnPooling:
    """What a checkpoint's sentence-transformers files say of pooling and normalization."""

    file: Path
    pooling: str
    normalize: bool


def read_own_pooling(folder: Path) -> OwnPooling | None:
    """Read `modules.json` and the pooling module's config; None where the checkpoint has none.

    Raises:
        CheckpointError: a module other than Transformer, Pooling and Normalize.
    """
    path = folder / _MODULES_FILE
    if not path.is_file():
        return None
    modules = _read_modules(path)
    unknown = sorted(set(modules) - _KNOWN_MODULES)
    if unknown or "Pooling" not in modules:
        raise CheckpointError(
            f"{path}: found modules {sorted(modules)}, expected Transformer, Pooling and, if "
            "embeddings are normalized, Normalize"
        )
    file = folder / modules["Pooling"] / "config.json"
    config = read_object(file)
    stated = config.get("pooling_mode")
    if stated is None:
        modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
        stated = "+".join(_LEGACY_POOLING.get(key, key) for key in sorted(modes))
    return OwnPooling(file, str(stated), "Normalize" in modules)


def _check_pooling(folder: Path, pooling: Pooling, normalize: bool) -> None:
    own = read_own_pooling(folder)
    if own is None:
        return
    if own.pooling != pooling:
        raise CheckpointError(
            f"encoder.pooling: the recipe says {pooling!r}, but the checkpoint's {own.file} says "
            f"{own.pooling!r}"
        )
    if own.normalize != normalize:
        stated = "has" if own.normalize else "has no"
        raise CheckpointError(
            f"encoder.normalize: the recipe says {str(normalize).lower()}, but the checkpoint's "
            f"{folder / _MODULES_FILE} {stated} Normalize module"
        )


def _check_weights(source: Source) -> None:
    path = source.folder / WEIGHTS_FILE
    if not path.is_file() and (source.folder / "pytorch_model.bin").is_file():
        raise CheckpointError(
            f"{source.spec}: has only pytorch_model.bin, a pickle, which is never loaded; convert it "
            "where you trust it: BertModel.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER, safe_serialization=True)"
        )
    try:
        with safe_open(source.file(WEIGHTS_FILE), framework="np") as weights:
            weights.keys()
    except SafetensorError as error:
        raise CheckpointError(f"{path}: truncated or not safetensors: {error}") from error


def _check_config(path: Path, config: dict[str, Any]) -> None:
    supported = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "is_decoder": False,
    }
    defaults = {"position_embedding_type": "absolute", "is_decoder": False}
    for key, expected in supported.items():
        found = config.get(key, defaults.get(key))
        if found != expected:
            raise CheckpointError(f"{path}: {key}: found {found!r}, expected {expected!r}")


def _size(path: Path, config: dict[str, Any], key: str) -> int:
    found = config.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise CheckpointError(f"{path}: {key}: found {found!r}, expected a positive whole number")
    return found


def _own_limit(folder: Path, positions: int) -> int:
    """Return the checkpoint's own limit of tokens, from where sentence-transformers keeps it."""
    # Since release 6 in the tokenizer's config; a tokenizer without a limit states an absurd one.
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        path = folder / name
        stated = read_object(path).get(key) if path.is_file() else None
        if stated is None:
            continue
        if not isinstance(stated, int | float) or isinstance(stated, bool) or stated < 1:
            raise CheckpointError(f"{path}: {key}: found {stated!r}, expected a positive whole number")
        return int(min(stated, positions))
    return positions


def _max_length(source: Source, stated: int | None, positions: int) -> int:
    if stated is None:
        return _own_limit(source.folder, positions)
    if stated > positions:
        raise CheckpointError(
            f"encoder.max_length: the recipe says {stated}, but {source.spec} has {positions} positions"
        )
    return stated


def read(source: Source, part: EncoderPart) -> EncoderInfo:
    """Check a checkpoint against the recipe, without loading its weights.

    Raises:
        SourceError: a file is missing, or its hash is not the recipe's.
        CheckpointError: damaged or unsupported, or it contradicts the recipe.
    """
    _check_weights(source)
    path = source.file("config.json")
    config = read_object(path)
    _check_config(path, config)
    _check_pooling(source.folder, part.pooling, part.normalize)
    positions = _size(path, config, "max_position_embeddings")
    hashed = ("config.json", _MODULES_FILE, WEIGHTS_FILE, *TOKENIZER_FILES)
    return EncoderInfo(
        source=source.origin,
        revision=source.revision,
        sha256=source.hashes(hashed, part.sha256),
        layers=_size(path, config, "num_hidden_layers"),
        heads=_size(path, config, "num_attention_heads"),
        hidden=_size(path, config, "hidden_size"),
        positions=positions,
        vocabulary=_size(path, config, "vocab_size"),
        pooling=part.pooling,
        normalize=part.normalize,
        max_length=_max_length(source, part.max_length, positions),
    )
