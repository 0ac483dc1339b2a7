"""Write the files of an artifact that are not graphs: config, tokenizer, thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.build.facts import EncoderInfo, HeadInfo
from core.contract import THRESHOLDS_FILE
from core.disk.files import write_json, write_text
from core.errors import CheckpointError
from core.untrusted import json_file
from export.encoder import checkpoint
from export.sources.resolve import Source

_ARCHITECTURE = "BertForSequenceClassification"
_ENCODER_FIELDS = (
    "attention_probs_dropout_prob hidden_act hidden_dropout_prob hidden_size initializer_range "
    "intermediate_size layer_norm_eps max_position_embeddings model_type num_attention_heads "
    "num_hidden_layers pad_token_id position_embedding_type type_vocab_size vocab_size"
).split()
_SPECIAL_TOKENS = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def _special_tokens(source: Source, tokenizer_config: dict[str, Any]) -> dict[str, Any]:
    path = source.folder / "special_tokens_map.json"
    if path.is_file():
        return json_file.read_object(path, CheckpointError)
    return {key: tokenizer_config[key] for key in _SPECIAL_TOKENS if key in tokenizer_config}


def write(source: Source, info: EncoderInfo, head: HeadInfo, folder: Path) -> None:
    """Write `config.json`, the tokenizer's files and `thresholds.json` to `folder`.

    `tokenizer.json` truncates at the recipe's `max_length` and never pads, whatever it did before.

    Raises:
        SourceError, CheckpointError: a file of the checkpoint is missing or unusable.
    """
    path = source.file("tokenizer.json")
    tokenizer = checkpoint.load_tokenizer(path, info.max_length)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    highest = vocabulary[-1][1]
    if highest >= info.vocabulary:
        expected = f"at most the encoder's {info.vocabulary - 1}"
        raise CheckpointError(f"{path}: found token {highest}, expected {expected}")
    tokenizer_config = json_file.read_object(source.file("tokenizer_config.json"), CheckpointError)
    encoder = json_file.read_object(source.file("config.json"), CheckpointError)
    config = {
        "architectures": [_ARCHITECTURE],
        **{key: encoder[key] for key in _ENCODER_FIELDS if key in encoder},
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
    write_text(folder / "vocab.txt", "".join(f"{token}\n" for token, _ in vocabulary))
    write_json(folder / THRESHOLDS_FILE, head.thresholds)
