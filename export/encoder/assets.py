"""Write the files of an artifact that are not graphs: config, tokenizer, thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.build.facts import EncoderInfo, HeadInfo
from core.contract import THRESHOLDS_FILE
from core.disk.files import write_json, write_text
from core.errors import CheckpointError
from core.untrusted import json_file, tokenizer_file, vocabulary_file
from core.untrusted.vocabulary_file import VOCABULARY_FILE
from export.encoder import checkpoint, config_file
from export.sources.resolve import Source

# Numbers of a checkpoint's config that say how it was trained; kept where they are there.
_TRAINING = ("attention_probs_dropout_prob", "hidden_dropout_prob", "initializer_range")
_SPECIAL_TOKENS = tuple(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))


def _special_tokens(source: Source, tokenizer_config: dict[str, Any]) -> dict[str, Any]:
    path = source.folder / "special_tokens_map.json"
    if path.is_file():
        return json_file.read_object(path, CheckpointError)
    return {key: tokenizer_config[key] for key in _SPECIAL_TOKENS if key in tokenizer_config}


def _encoder_fields(path: Path) -> dict[str, Any]:
    stated, encoder = json_file.read_object(path, CheckpointError), config_file.read(path)
    kept = {key: stated[key] for key in _TRAINING if isinstance(stated.get(key), int | float)}
    if "position_embedding_type" in stated:
        kept["position_embedding_type"] = "absolute"
    fields = {**kept, **encoder.fields, "model_type": encoder.name}
    return {"architectures": [encoder.kind.architecture], **dict(sorted(fields.items()))}


def write(source: Source, info: EncoderInfo, head: HeadInfo, folder: Path) -> None:
    """Write `config.json`, the tokenizer's files and `thresholds.json` to `folder`; `source` is an encoder's.

    `tokenizer.json` truncates at the recipe's `max_length` and never pads, whatever it did before.

    Raises:
        SourceError, CheckpointError: a file of the checkpoint is missing or unusable.
    """
    path = source.file("tokenizer.json")
    tokenizer = checkpoint.load_tokenizer(path, info.max_length)
    highest = max(tokenizer.get_vocab().values())
    if highest >= info.vocabulary:
        expected = f"at most the encoder's {info.vocabulary - 1}"
        raise CheckpointError(f"{path}: found token {highest}, expected {expected}")
    tokenizer_config = json_file.read_object(source.file("tokenizer_config.json"), CheckpointError)
    config = {
        **_encoder_fields(source.file(config_file.CONFIG_FILE)),
        "id2label": {str(index): label for index, label in enumerate(head.labels)},
        "label2id": {label: index for index, label in enumerate(head.labels)},
        "problem_type": head.problem_type,
    }
    write_json(folder / "config.json", config)
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True) + "\n")
    tokenizer_config["model_max_length"] = info.max_length
    # The path on the machine where it was trained is of no use to a reader.
    tokenizer_config.pop("name_or_path", None)
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    write_json(folder / "special_tokens_map.json", _special_tokens(source, tokenizer_config))
    (folder / VOCABULARY_FILE).unlink(missing_ok=True)
    if tokenizer_file.is_wordpiece(tokenizer):
        write_text(folder / VOCABULARY_FILE, vocabulary_file.content(tokenizer, path, CheckpointError))
    write_json(folder / THRESHOLDS_FILE, head.thresholds)
