"""Check a checkpoint's own files against the recipe (kind, pooling, length of texts); open its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from core.build.facts import EncoderInfo
from core.contract import TOKENIZER_FILES, WEIGHTS_FILE, FeaturePooling, Pooling
from core.errors import CheckpointError
from core.recipe import EncoderTable, FeaturesTable
from core.untrusted import json_file, limits, tokenizer_file, weights_file
from core.untrusted.regular_file import FIELD_ERRORS, naming
from export.sources.resolve import Source, Sources

_MODULES_FILE = "modules.json"
_ADAPTER_FILE = "adapter_config.json"
_LIMIT_FILE = "sentence_bert_config.json"
_HASHED = ("config.json", _MODULES_FILE, WEIGHTS_FILE, *TOKENIZER_FILES)
# All that a build may read of a checkpoint.
FILES = (*_HASHED, _ADAPTER_FILE, _LIMIT_FILE, "1_Pooling/config.json")
_KNOWN_MODULES = {"Transformer", "Pooling", "Normalize"}
_SIZES = {
    "hidden_size": limits.HIDDEN,
    "intermediate_size": 8 * limits.HIDDEN,
    "max_position_embeddings": limits.TOKENS,
    "num_attention_heads": limits.HIDDEN,
    "num_hidden_layers": limits.LAYERS,
    "type_vocab_size": limits.TOKENS,
    "vocab_size": limits.VOCABULARY,
}
# Keys of 1_Pooling/config.json before and since sentence-transformers 6.
_LEGACY_POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}


class OwnPooling(NamedTuple):
    """Pooling and normalization as a checkpoint's sentence-transformers files state them."""

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
    with naming(path, CheckpointError, "expected a list of modules with type and path", *FIELD_ERRORS):
        listed = json_file.read(path, CheckpointError)
        modules = {module["type"].rsplit(".", 1)[-1]: str(module["path"]) for module in listed}
    if "Pooling" not in modules or not set(modules) <= _KNOWN_MODULES:
        expected = "Transformer, Pooling and, if embeddings are normalized, Normalize"
        raise CheckpointError(f"{path}: found modules {sorted(modules)}, expected {expected}")
    inside = modules["Pooling"]
    if Path(inside).is_absolute() or ".." in Path(inside).parts:
        raise CheckpointError(f"{path}: Pooling: found path {inside!r}, expected one in its folder")
    file = folder / inside / "config.json"
    config = json_file.read_object(file, CheckpointError)
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
        stated = f"but the checkpoint's {own.file} says {own.pooling!r}"
        raise CheckpointError(f"encoder.pooling: the recipe says {pooling!r}, {stated}")
    if own.normalize != normalize:
        has = "has" if own.normalize else "has no"
        stated = f"but the checkpoint's {folder / _MODULES_FILE} {has} Normalize module"
        raise CheckpointError(f"encoder.normalize: the recipe says {str(normalize).lower()}, {stated}")


def _check_weights(source: Source, sizes: dict[str, int]) -> None:
    path = source.folder / WEIGHTS_FILE
    if not path.is_file() and (source.folder / "pytorch_model.bin").is_file():
        raise CheckpointError(
            f"{source.spec}: has only pytorch_model.bin, a pickle, which is never loaded; convert it "
            "where you trust it: BertModel.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER, safe_serialization=True)"
        )
    # transformers would load the base model that it names, wherever that is.
    adapter = source.folder / _ADAPTER_FILE
    if adapter.exists():
        raise CheckpointError(f"{adapter}: an adapter, which is not supported; merge it into its base model")
    weights_file.check(source.file(WEIGHTS_FILE), sizes)


def _check_config(path: Path, config: dict[str, Any]) -> None:
    defaults: dict[str, object] = {"position_embedding_type": "absolute", "is_decoder": False}
    supported = {"model_type": "bert", "hidden_act": "gelu", **defaults}
    for key, expected in supported.items():
        stated = config.get(key, defaults.get(key))
        if stated != expected:
            raise CheckpointError(f"{path}: {key}: found {stated!r}, expected {expected!r}")
    if "quantization_config" in config:
        raise CheckpointError(f"{path}: quantization_config: a quantized checkpoint is not supported")


def _size(path: Path, config: dict[str, Any], key: str, limit: int) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limit:
        expected = f"expected a positive whole number, at most {limit:,}"
        raise CheckpointError(f"{path}: {key}: found {value!r}, {expected}")
    return value


def _max_length(source: Source, stated: int | None, positions: int) -> int:
    """Return the recipe's limit of tokens, or the checkpoint's own, where sentence-transformers keeps it."""
    if stated is not None and stated > positions:
        actual = f"but {source.spec} has {positions} positions"
        raise CheckpointError(f"encoder.max_length: the recipe says {stated}, {actual}")
    if stated is not None:
        return stated
    # Since release 6 in the tokenizer's config; a tokenizer without a limit states an absurd one.
    for name, key in ((_LIMIT_FILE, "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        path = source.folder / name
        own = json_file.read_object(path, CheckpointError).get(key) if path.is_file() else None
        if own is None:
            continue
        if not isinstance(own, int | float) or isinstance(own, bool) or own < 1:
            raise CheckpointError(f"{path}: {key}: found {own!r}, expected a positive whole number")
        return int(min(own, positions))
    return positions


def _feature_parts(layers: int, features: Sequence[FeaturesTable]) -> list[tuple[int, FeaturePooling]]:
    pairs = [pair for table in features for pair in table.parts]
    highest = max((layer for layer, _ in pairs), default=0)
    if highest > layers:
        actual = f"but the encoder has {layers} layers"
        raise CheckpointError(f"features.layers: the recipe says {highest}, {actual}")
    return pairs


def read(source: Source, stated: EncoderTable, features: Sequence[FeaturesTable] = ()) -> EncoderInfo:
    """Check a checkpoint against what the recipe states of it, without loading its weights.

    Raises:
        SourceError: a file is missing, or its hash is not the recipe's.
        CheckpointError: damaged or unsupported, or it contradicts the recipe.
    """
    path = source.file("config.json")
    config = json_file.read_object(path, CheckpointError)
    _check_config(path, config)
    _check_pooling(source.folder, stated.pooling, stated.normalize)
    # BertConfig's own default, where older checkpoints leave it out.
    config.setdefault("type_vocab_size", 2)
    sizes = {key: _size(path, config, key, limit) for key, limit in _SIZES.items()}
    _check_weights(source, sizes)
    positions, layers = sizes["max_position_embeddings"], sizes["num_hidden_layers"]
    return EncoderInfo(
        source=source.origin,
        revision=source.revision,
        sha256=source.hashes(_HASHED, stated.sha256),
        layers=layers,
        heads=sizes["num_attention_heads"],
        hidden=sizes["hidden_size"],
        positions=positions,
        vocabulary=sizes["vocab_size"],
        pooling=stated.pooling,
        normalize=stated.normalize,
        max_length=_max_length(source, stated.max_length, positions),
        feature_parts=_feature_parts(layers, features),
    )


def open_encoder(sources: Sources) -> EncoderInfo:
    """Check a recipe's encoder against it.

    Raises:
        SourceError: the encoder cannot be reached, or a hash is not the recipe's.
        CheckpointError: it is damaged, unsupported, or contradicts the recipe.
    """
    return read(sources.encoder, sources.recipe.encoder, sources.recipe.features)


def load_tokenizer(path: Path, max_length: int) -> Tokenizer:
    """Read `tokenizer.json` and make it truncate at `max_length` tokens and never pad.

    Raises:
        CheckpointError: not a tokenizer.
    """
    return tokenizer_file.load(path, CheckpointError, max_length)


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token ids, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
