"""A build that is finished at once: two graphs that sum word weights, and a data set of made-up texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer

from core import recipe as recipes
from core.artifact.metadata import Metadata
from core.build.facts import EncoderInfo
from core.contract import MULTI_LABEL, ProblemType
from tests.support.factories import write_recipe
from verify.build import Build

LABELS = ["joy", "anger", "neutral"]
WORDS = ["[PAD]", *LABELS, *(f"w{index}" for index in range(20))]
THRESHOLDS = {"joy": 0.3, "anger": 0.4, "neutral": 0.5}
VARIANTS = "[variants.fp32]\nmax_probability_error = 1e-5\n[variants.int8]\nmax_flip_rate = 0.9\n"


def _deciding(problem_type: ProblemType) -> list[onnx.NodeProto]:
    """The nodes from `logits` to `predictions`."""
    reached = ["probabilities", "limits"]
    if problem_type == MULTI_LABEL:
        return [
            helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
            helper.make_node("GreaterOrEqual", reached, ["predictions"]),
        ]
    return [
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["winner"], axis=1),
        helper.make_node("Equal", ["winner", "numbers"], ["wins"]),
        helper.make_node("GreaterOrEqual", reached, ["reached"]),
        helper.make_node("And", ["wins", "reached"], ["predictions"]),
    ]


def graph(
    path: Path,
    weight_vl: np.ndarray,
    thresholds: dict[str, float] = THRESHOLDS,
    problem_type: ProblemType = MULTI_LABEL,
) -> None:
    """Write a graph whose logits are the sum of its tokens' rows of `weight_vl`, less 2."""
    limits = np.array(list(thresholds.values()), np.float32)
    constants = {
        "weight": weight_vl.astype(np.float32),
        "bias": np.float32(-2),
        "limits": limits,
        "one": np.array([1]),
        "two": np.array([2]),
        "numbers": np.arange(len(thresholds)),
    }
    nodes = [
        helper.make_node("Gather", ["weight", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "two"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["real"]),
        helper.make_node("ReduceSum", ["real", "one"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "bias"], ["logits"]),
        *_deciding(problem_type),
    ]
    ids, answers = ["batch", "sequence"], ["batch", len(thresholds)]
    made = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ids)
            for name in ("input_ids", "attention_mask")
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, answers),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, answers),
            helper.make_tensor_value_info("predictions", TensorProto.BOOL, answers),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    empty = dict.fromkeys(Metadata._fields, "")
    metadata = Metadata(
        **empty
        | {
            "labels": list(thresholds),
            "thresholds": thresholds,
            "problem_type": problem_type,
            "normalize": False,
            "features": [],
            "max_length": 64,
        }
    )
    helper.set_model_props(model, metadata.to_properties())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def weights(noise: float, seed: int = 0) -> np.ndarray:
    """Word weights `[words, labels]`: 3 for a label's own name, and noise."""
    random = np.random.default_rng(seed)
    found = random.normal(0, noise, (len(WORDS), len(LABELS)))
    found[1 : len(LABELS) + 1] += 3 * np.eye(len(LABELS))
    return found


def write_build(folder: Path, labels: list[str] = LABELS, data: str = "") -> Build:
    """Write a recipe and its finished build to `folder`."""
    recipe = write_recipe(folder / "tiny", labels, "path:encoder", "path:head", variants=VARIANTS + data)
    build = folder / "build"
    (build / "assets").mkdir(parents=True)
    tokenizer = Tokenizer(WordPiece({word: index for index, word in enumerate(WORDS)}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.save(str(build / "assets/tokenizer.json"))
    info = EncoderInfo("path:encoder", None, {}, 1, 1, 3, 64, len(WORDS), "mean", False, 64, [])
    info.write(build / "encoder.json")
    graph(build / "model.onnx", weights(0.4))
    graph(build / "model_quantized.onnx", np.round(weights(0.4) * 4) / 4)
    return Build(recipes.load(recipe), recipe, build)


DATA = '[data]\nname = "Own"\ndev = "../data/dev.csv"\ntest = "../data/test.csv"\n'


def write_data(folder: Path, texts: int = 160, seed: int = 0) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Write dev.csv and test.csv of made-up texts, which `DATA` names; return texts and labels by split."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for split in ("dev", "test"):
        listed, labels = [], []
        for _ in range(texts):
            given = [label for label in LABELS if random.random() < 0.3] or ["neutral"]
            shown = [label for label in LABELS if (label in given) == (random.random() < 0.8)]
            listed.append(" ".join([*shown, *random.choice(WORDS[len(LABELS) + 1 :], 4)]))
            labels.append(given)
        rows = [f"{text},{'|'.join(given)}\n" for text, given in zip(listed, labels, strict=True)]
        (folder / f"{split}.csv").write_text("text,labels\n" + "".join(rows), "utf-8")
        written[split] = listed, labels
    return written
