"""Read the files that sentence-transformers adds to a checkpoint: its modules, their settings, prompts."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from core.errors import CheckpointError
from core.untrusted import json_file
from core.untrusted.regular_file import FIELD_ERRORS, naming
from export.encoder import dense
from export.encoder.dense import DenseModule
from export.encoder.module_settings import SENTENCES, check_sentences, refuse_unknown

MODULES_FILE = "modules.json"
PROMPTS_FILE = "config_sentence_transformers.json"
# In the order in which sentence-transformers looks for them.
LIMIT_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_TYPE = re.compile(r"sentence_transformers\.(?:\w+\.)*(Transformer|Pooling|Dense|Normalize)")
_ORDER = re.compile(r"Transformer Pooling( Dense)*( Normalize)?")
_EXPECTED_MODULES = (
    "sentence-transformers' Transformer, Pooling, any Dense and, if embeddings are normalized, Normalize"
)
# Of the pooling's config before sentence-transformers 6, in the order in which it joins several.
_LEGACY_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# No prompt is ever there to be left out of a pooling; the width is the encoder's own.
_POOLING_KEYS = {
    *("pooling_mode", "include_prompt", "embedding_dimension", "word_embedding_dimension"),
    *_LEGACY_POOLING,
}
# Key → the values with which it is the same as left out.
_TEXT_MODALITY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
_TRANSFORMER: dict[str, tuple[object, ...]] = {
    "transformer_task": ("feature-extraction",),
    "modality_config": (_TEXT_MODALITY,),
    "module_output_name": ("token_embeddings",),
    "processing_kwargs": (None, {}),
    "unpad_inputs": (None, True, False),
    "tokenizer_name_or_path": (None,),
    **dict.fromkeys(("query_length", "document_length", "query_expansion"), (None,)),
    **dict.fromkeys(("model_args", "tokenizer_args", "config_args"), (None, {})),
    **dict.fromkeys(("model_kwargs", "processor_kwargs", "config_kwargs"), (None, {})),
}
_LIMIT_KEYS = {"max_seq_length", "do_lower_case", *_TRANSFORMER}
# Neither similarity nor versions change an embedding.
_PROMPT_KEYS = {
    *("__version__", "model_type", "requirements", "similarity_fn_name", "score_functions"),
    *("prompts", "default_prompt_name", "truncate_dim"),
}


class OwnPooling(NamedTuple):
    """Pooling and normalization as a checkpoint's sentence-transformers files state them."""

    file: Path
    pooling: str
    normalize: bool


class SentenceFiles(NamedTuple):
    """What sentence-transformers' files say of a checkpoint; `inside` is the encoder's folder, "" as a rule.

    `max_length` is the limit of tokens that they state; `files` are all that a build reads of them.
    """

    inside: str
    pooling: OwnPooling | None
    max_length: int | None
    dense: list[DenseModule]
    files: list[str]


def _modules(path: Path) -> list[tuple[str, str]]:
    """Return each module's class and folder, in their order."""
    with naming(path, CheckpointError, "expected a list of modules with type and path", *FIELD_ERRORS):
        listed = json_file.read(path, CheckpointError)
        found = [(str(module["type"]), str(module["path"])) for module in listed]
        names = [str(module["name"]) for module in listed]
        settings = [module.get("kwargs") for module in listed]
    matches = [_TYPE.fullmatch(kind) for kind, _ in found]
    classes = [match[1] if match else kind for match, (kind, _) in zip(matches, found, strict=True)]
    if not _ORDER.fullmatch(" ".join(classes)) or not all(matches):
        raise CheckpointError(f"{path}: found modules {classes}, expected {_EXPECTED_MODULES}")
    if len(set(names)) != len(names):
        raise CheckpointError(f"{path}: name: found {names}, expected a name of its own for each module")
    if any(settings):
        raise CheckpointError(f"{path}: kwargs: found {next(filter(None, settings))!r}, expected none")
    for kind, (_, inside) in zip(classes, found, strict=True):
        parts = PurePosixPath(inside).parts
        if inside.startswith("/") or "\\" in inside or ".." in parts:
            raise CheckpointError(f"{path}: {kind}: found path {inside!r}, expected one in its folder")
    return [(kind, inside) for kind, (_, inside) in zip(classes, found, strict=True)]


def _pooling_mode(file: Path) -> str:
    config = json_file.read_object(file, CheckpointError)
    refuse_unknown(file, config, _POOLING_KEYS)
    stated = config.get("pooling_mode")
    if stated is None:
        # Where none is chosen, sentence-transformers takes the mean.
        stated = [mode for key, mode in _LEGACY_POOLING.items() if config.get(key)] or "mean"
    return "+".join(map(str, stated)) if isinstance(stated, list) else str(stated)


def read_own_pooling(folder: Path) -> OwnPooling | None:
    """Read `modules.json` and its modules' configs; None where the checkpoint has none.

    Raises:
        CheckpointError: modules other than `_EXPECTED_MODULES`, or a setting that is unknown.
    """
    path = folder / MODULES_FILE
    if not path.is_file():
        return None
    modules = dict(_modules(path))
    file = folder / modules["Pooling"] / "config.json"
    normalization = folder / modules["Normalize"] / "config.json" if "Normalize" in modules else None
    if normalization is not None and modules["Normalize"] and normalization.is_file():
        config = json_file.read_object(normalization, CheckpointError)
        refuse_unknown(normalization, config, set(SENTENCES))
        check_sentences(normalization, config)
    return OwnPooling(file, _pooling_mode(file), normalization is not None)


def _check_prompts(path: Path, embedding: int) -> None:
    if not path.is_file():
        return
    config = json_file.read_object(path, CheckpointError)
    refuse_unknown(path, config, _PROMPT_KEYS)
    name, prompts = config.get("default_prompt_name"), config.get("prompts") or {}
    if not isinstance(prompts, dict):
        raise CheckpointError(f"{path}: prompts: found {prompts!r}, expected an object")
    if name is not None:
        # The two that sentence-transformers knows in any case are empty.
        prompt = {"query": "", "document": "", **prompts}.get(str(name))
        if prompt is None and name not in prompts and name not in ("query", "document"):
            raise CheckpointError(
                f"{path}: default_prompt_name: found {name!r}, which is none of its prompts"
            )
        if prompt:
            reason = f"{prompt!r} before every text, which no artifact does; not supported"
            raise CheckpointError(f"{path}: default_prompt_name: {name!r} puts {reason}")
    width = config.get("truncate_dim")
    if width is not None and (not isinstance(width, int) or isinstance(width, bool) or width < embedding):
        reason = "embeddings cut short are not supported"
        raise CheckpointError(f"{path}: truncate_dim: found {width!r} of {embedding}; {reason}")


def _check_transformer(path: Path, config: dict[str, Any]) -> None:
    refuse_unknown(path, config, _LIMIT_KEYS)
    for key, allowed in _TRANSFORMER.items():
        if key in config and config[key] not in allowed:
            raise CheckpointError(f"{path}: {key}: found {config[key]!r}, expected {allowed[0]!r}")


def read(folder: Path) -> SentenceFiles:
    """Read all of sentence-transformers' files but the prompts.

    Raises:
        CheckpointError: one is damaged, or says what is not supported.
    """
    pooling = read_own_pooling(folder)
    modules = _modules(folder / MODULES_FILE) if pooling is not None else []
    inside = modules[0][1] if modules else ""
    dense_modules = [dense.read(folder, path) for kind, path in modules if kind == "Dense"]
    files = [MODULES_FILE, PROMPTS_FILE, *(str(PurePosixPath(inside, name)) for name in LIMIT_FILES)]
    files += [str(PurePosixPath(path, "config.json")) for _, path in modules[1:]]
    files += [module.weights_name for module in dense_modules]
    file, config = _limits(folder / inside)
    most = config.get("max_seq_length")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise CheckpointError(f"{file}: max_seq_length: found {most!r}, expected a positive whole number")
    return SentenceFiles(inside, pooling, most, dense_modules, files)


def _limits(folder: Path) -> tuple[Path | None, dict[str, Any]]:
    """Read the first of `LIMIT_FILES` that is in an encoder's folder."""
    file = next((folder / name for name in LIMIT_FILES if (folder / name).is_file()), None)
    if file is None:
        return None, {}
    config = json_file.read_object(file, CheckpointError)
    _check_transformer(file, config)
    return file, config


def check_lower_case(folder: Path, tokenizer: Tokenizer) -> None:
    """Check that a tokenizer lower-cases where the files in an encoder's folder ask for it.

    sentence-transformers lower-cases texts first; where the tokenizer does so itself, that changes nothing.

    Raises:
        CheckpointError: it keeps cases.
    """
    file, config = _limits(folder)
    stated = config.get("do_lower_case", False)
    if not isinstance(stated, bool):
        raise CheckpointError(f"{file}: do_lower_case: found {stated!r}, expected true or false")
    if stated and not getattr(tokenizer.normalizer, "lowercase", False):
        raise CheckpointError(f"{file}: do_lower_case: found true, where tokenizer.json keeps cases")


def check_prompts(folder: Path, embedding: int) -> None:
    """Check `config_sentence_transformers.json`: no prompt before every text, no embedding cut short.

    `embedding` is its width.

    Raises:
        CheckpointError: it is damaged, or says so.
    """
    _check_prompts(folder / PROMPTS_FILE, embedding)
