"""Read a checkpoint's `config.json`: a key is honoured, or is known to change no embedding, or is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import CheckpointError
from core.untrusted import json_file, limits
from export.encoder.kinds import KINDS, Kind

CONFIG_FILE = "config.json"
_LIMITS = {
    "hidden_size": limits.HIDDEN,
    "intermediate_size": 8 * limits.HIDDEN,
    "max_position_embeddings": limits.TOKENS,
    "num_attention_heads": limits.HIDDEN,
    "num_hidden_layers": limits.LAYERS,
    "type_vocab_size": limits.TOKENS,
    "vocab_size": limits.VOCABULARY,
}
# Key → the one value with which it is supported, which is also what it is where a file leaves it out.
_FIXED: dict[str, object] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
}
# Refused whatever they say, unless that is nothing, and why.
_REFUSED = {
    "quantization_config": "a quantized checkpoint is not supported",
    "auto_map": "a model with code of its own is not supported",
    "transformers_weights": "weights of another name are not supported; the file is model.safetensors",
    "pruned_heads": "a checkpoint without some of its heads is not supported",
    "per_layer_config": "layers of different settings are not supported",
}
# They say how a model is trained, how its answers are returned, what other heads do, what generates text,
# how it was saved, or how its tokenizer is named, which is compared with `tokenizer.json`: none changes an
# embedding. `dtype` neither: all is computed in float32.
_HARMLESS = frozenset(
    """
    architectures attention_dropout attention_probs_dropout_prob bos_token_id classifier_dropout
    cls_token_id dropout eos_token_id finetuning_task gradient_checkpointing hidden_dropout_prob id2label
    initializer_range initializer_factor label2id language languages mask_token_id max_length min_length
    model_max_length name_or_path num_labels _num_labels num_classes problem_type qa_dropout sep_token_id
    seq_classif_dropout tokenizer_class transformers_version _name_or_path _commit_hash

    _attn_implementation _attn_implementation_autoset attn_implementation chunk_size_feed_forward dtype
    output_attentions output_hidden_states output_past return_dict tie_encoder_decoder tie_word_embeddings
    tie_weights_ torch_dtype torchscript use_bfloat16 use_cache use_return_dict fp16 use_flash_attn

    directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head
    pooler_type sbert_ce_default_activation_function sentence_transformers summary_activation
    summary_first_dropout summary_last_dropout summary_proj_to_labels summary_type summary_use_proj
    cross_attention_hidden_size sinusoidal_pos_embds

    bad_words_ids begin_suppress_tokens decoder_start_token_id diversity_penalty do_sample early_stopping
    encoder_no_repeat_ngram_size exponential_decay_length_penalty forced_bos_token_id forced_eos_token_id
    length_penalty no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_scores prefix
    remove_invalid_values repetition_penalty return_dict_in_generate suppress_tokens task_specific_params
    temperature tf_legacy_loss top_k top_p typical_p
    """.split()
)


@dataclass(frozen=True)
class Config:
    """What `config.json` says of an encoder: `sizes` by BERT's names, all `fields` that matter by its own."""

    name: str
    kind: Kind
    sizes: dict[str, int]
    fields: dict[str, Any]

    @property
    def padding_id(self) -> int | None:
        """The padding token, where one is stated."""
        padding: int | None = self.fields["pad_token_id"]
        return padding

    @property
    def positions(self) -> int:
        """The most tokens of a text."""
        rows = self.sizes["max_position_embeddings"]
        return rows - 1 - (self.padding_id or 0) if self.kind.counts_from_padding else rows


def _size(path: Path, config: dict[str, Any], key: str, limit: int) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limit:
        expected = f"expected a positive whole number, at most {limit:,}"
        raise CheckpointError(f"{path}: {key}: found {value!r}, {expected}")
    return value


def _fields(path: Path, config: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Return the fields that are honoured besides sizes."""
    fixed = {kind.activation: "gelu", **_FIXED}
    for key, expected in fixed.items():
        stated = config.get(key, _FIXED.get(key))
        if stated != expected or type(stated) is not type(expected):
            raise CheckpointError(f"{path}: {key}: found {stated!r}, expected {expected!r}")
    for key, reason in _REFUSED.items():
        if config.get(key):
            raise CheckpointError(f"{path}: {key}: {reason}")
    own = {"model_type", "pad_token_id", kind.epsilon, *kind.sizes.values()}
    unknown = sorted(set(config) - own - set(fixed) - set(_REFUSED) - _HARMLESS)
    if unknown:
        reason = "unknown, and it could change embeddings; take it out of a copy if it does not"
        raise CheckpointError(f"{path}: {unknown[0]}: {reason}")
    return {kind.activation: "gelu"}


def _epsilon(path: Path, key: str, config: dict[str, Any]) -> float:
    epsilon = config.get(key, 1e-12)
    number = isinstance(epsilon, int | float) and not isinstance(epsilon, bool)
    if not number or not 0 < epsilon < math.inf:
        raise CheckpointError(f"{path}: {key}: found {epsilon!r}, expected a positive number")
    return float(epsilon)


def _padding(path: Path, config: dict[str, Any], kind: Kind, vocabulary: int) -> int | None:
    padding = config.get("pad_token_id", kind.padding_id)
    if padding is None and not kind.counts_from_padding:
        return None
    if not isinstance(padding, int) or isinstance(padding, bool) or not 0 <= padding < vocabulary:
        expected = f"expected a token of the {vocabulary:,}"
        raise CheckpointError(f"{path}: pad_token_id: found {padding!r}, {expected}")
    return padding


def read(path: Path) -> Config:
    """Read `config.json`.

    Raises:
        CheckpointError: damaged, of a kind that is not supported, or a key of it is not.
    """
    config = json_file.read_object(path, CheckpointError)
    name = config.get("model_type")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise CheckpointError(f"{path}: model_type: found {name!r}, expected {' or '.join(map(repr, KINDS))}")
    fields = _fields(path, config, kind)
    if "type_vocab_size" in kind.sizes:
        # BertConfig's own default, where older checkpoints leave it out.
        config.setdefault("type_vocab_size", 2)
    sizes = {size: _size(path, config, key, _LIMITS[size]) for size, key in kind.sizes.items()}
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        hidden, heads = (kind.sizes[size] for size in ("hidden_size", "num_attention_heads"))
        stated = (
            f"found {sizes['num_attention_heads']}, expected a divisor of {hidden}, {sizes['hidden_size']}"
        )
        raise CheckpointError(f"{path}: {heads}: {stated}")
    fields |= {kind.sizes[size]: value for size, value in sizes.items()}
    if kind.epsilon is not None:
        fields |= {kind.epsilon: _epsilon(path, kind.epsilon, config)}
    fields |= {"pad_token_id": _padding(path, config, kind, sizes["vocab_size"])}
    made = Config(str(name), kind, sizes, fields)
    if made.positions < 1:
        expected = f"expected more than the padding's {made.padding_id} and one"
        raise CheckpointError(f"{path}: max_position_embeddings: {expected}")
    return made
