"""Check a checkpoint's own files against the recipe (kind, pooling, length of texts); open its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tokenizers import Tokenizer

from core.build.facts import EncoderInfo
from core.contract import TOKENIZER_FILES, WEIGHTS_FILE, FeaturePooling, Pooling
from core.errors import CheckpointError
from core.recipe import EncoderTable, FeaturesTable
from core.untrusted import json_file, tokenizer_file, weights_file
from export.encoder import config_file, dense, sentence_files
from export.encoder.config_file import Config
from export.encoder.dense import DenseModule
from export.encoder.sentence_files import MODULES_FILE, OwnPooling, SentenceFiles
from export.sources.resolve import Source, Sources

_ADAPTER_FILE = "adapter_config.json"
_ENCODER_FILES = (config_file.CONFIG_FILE, *TOKENIZER_FILES)
_TOKENIZER_CONFIG = "tokenizer_config.json"


def _inside(own: SentenceFiles, name: str) -> str:
    return str(PurePosixPath(own.inside, name))


def transformer(source: Source) -> Source:
    """Return the part of a source that transformers reads: all of it, or the folder in `modules.json`.

    Raises:
        CheckpointError: `modules.json` says what is not supported.
    """
    return _part(source, sentence_files.read(source.folder).inside)


def _part(source: Source, inside: str) -> Source:
    if inside in ("", "."):
        return source
    folder = source.folder / inside
    start = f"{PurePosixPath(inside)}/"
    digests = {name[len(start) :]: sha for name, sha in source.digests.items() if name.startswith(start)}
    return Source(source.spec, folder, source.revision, digests)


def dense_modules(source: Source) -> list[DenseModule]:
    """Return the checkpoint's Dense modules, in their order.

    Raises:
        CheckpointError: as `transformer`.
    """
    return sentence_files.read(source.folder).dense


def files(source: Source) -> list[str]:
    """Return all that a build may read of a checkpoint, there or not.

    Raises:
        CheckpointError: as `transformer`.
    """
    own = sentence_files.read(source.folder)
    weights = {WEIGHTS_FILE, weights_file.INDEX_FILE, *weights_file.names(source.folder / own.inside)}
    read = [*_ENCODER_FILES, _ADAPTER_FILE, *sorted(weights)]
    return [*own.files, *(_inside(own, name) for name in read)]


def _check_pooling(folder: Path, own: OwnPooling | None, pooling: Pooling, normalize: bool) -> None:
    if own is None:
        return
    if own.pooling != pooling:
        stated = f"but the checkpoint's {own.file} says {own.pooling!r}"
        raise CheckpointError(f"encoder.pooling: the recipe says {pooling!r}, {stated}")
    if own.normalize != normalize:
        has = "has" if own.normalize else "has no"
        stated = f"but the checkpoint's {folder / MODULES_FILE} {has} Normalize module"
        raise CheckpointError(f"encoder.normalize: the recipe says {str(normalize).lower()}, {stated}")


def _check_weights(source: Source, config: Config) -> None:
    found = weights_file.names(source.folder)
    pickle = source.folder / "pytorch_model.bin"
    if not (source.folder / found[0]).is_file() and pickle.is_file():
        raise CheckpointError(
            f"{source.spec}: has only pytorch_model.bin, a pickle, which is never loaded; convert it "
            "where you trust it: AutoModel.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER, safe_serialization=True)"
        )
    # transformers would load the base model that it names, wherever that is.
    adapter = source.folder / _ADAPTER_FILE
    if adapter.exists():
        raise CheckpointError(f"{adapter}: an adapter, which is not supported; merge it into its base model")
    for name in found:
        source.file(name)
    weights_file.check(source.folder, config.kind.shapes(config.sizes), config.kind.prefix)


def _own_limit(source: Source, own: SentenceFiles) -> int | None:
    """Return the checkpoint's own limit of tokens, where sentence-transformers keeps it."""
    if own.max_length is not None:
        return own.max_length
    # Since release 6 in the tokenizer's config; a tokenizer without a limit states an absurd one.
    path = source.folder / _TOKENIZER_CONFIG
    config = json_file.read_object(path, CheckpointError) if path.is_file() else {}
    for key in ("model_max_length", "max_len"):
        limit = config.get(key)
        if limit is None:
            continue
        if not isinstance(limit, int | float) or isinstance(limit, bool) or limit < 1:
            raise CheckpointError(f"{path}: {key}: found {limit!r}, expected a positive whole number")
        return int(limit)
    return None


def _max_length(source: Source, own: SentenceFiles, stated: int | None, positions: int) -> int:
    """Return the recipe's limit of tokens, or the checkpoint's own."""
    if stated is not None and stated > positions:
        actual = f"but {source.spec} has {positions} positions"
        raise CheckpointError(f"encoder.max_length: the recipe says {stated}, {actual}")
    return stated if stated is not None else min(_own_limit(source, own) or positions, positions)


def check_hidden_states(info: EncoderInfo) -> None:
    """Check that features, which read hidden states, leave out no module of the checkpoint.

    Raises:
        CheckpointError: it has a Dense module.
    """
    if info.dense:
        found = f"{info.source}: modules.json has a Dense module, which reads the sentence embedding"
        raise CheckpointError(f"features: expected none, since they read hidden states; {found}")


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
    own = sentence_files.read(source.folder)
    encoder = _part(source, own.inside)
    config = config_file.read(encoder.file(config_file.CONFIG_FILE))
    _check_pooling(source.folder, own.pooling, stated.pooling, stated.normalize)
    sizes = config.sizes
    sentence_files.check_prompts(source.folder, dense.check(own.dense, sizes["hidden_size"]))
    _check_weights(encoder, config)
    positions, layers = config.positions, sizes["num_hidden_layers"]
    read = (*_ENCODER_FILES, *weights_file.names(encoder.folder))
    hashed = [MODULES_FILE, *(_inside(own, name) for name in read)]
    hashed += [module.weights_name for module in own.dense]
    info = EncoderInfo(
        source=source.origin,
        revision=source.revision,
        sha256=source.hashes(hashed, stated.sha256),
        layers=layers,
        heads=sizes["num_attention_heads"],
        hidden=sizes["hidden_size"],
        positions=positions,
        vocabulary=sizes["vocab_size"],
        pooling=stated.pooling,
        normalize=stated.normalize,
        max_length=_max_length(encoder, own, stated.max_length, positions),
        feature_parts=_feature_parts(layers, features),
        token_types="type_vocab_size" in sizes,
        padding_id=config.padding_id if config.kind.counts_from_padding else None,
        dense=[(module.outputs, module.activation) for module in own.dense],
    )
    if features:
        check_hidden_states(info)
    return info


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
