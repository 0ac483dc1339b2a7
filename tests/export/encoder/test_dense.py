"""Dense modules after the pooling: whole builds against `SentenceTransformer.encode` and the head."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from core.artifact.graph import Graph
from core.build import dense as dense_file
from core.build.facts import EncoderInfo
from core.errors import ArtifactError, CheckpointError
from core.recipe import FeaturesTable
from export.__main__ import main as export
from export.encoder import checkpoint, torch_encoder
from export.head.writer import head_model
from graphs.__main__ import main as graphs
from tests.export.encoder.test_settings import embed
from tests.support.building import LABELS, SLOPPY
from tests.support.commands import assert_failed
from tests.support.factories import Shape, write_checkpoint, write_head, write_recipe
from tests.support.sources import edit_json, read_checkpoint, sentence_layout, source
from verify.__main__ import main as verify

IDENTITY, TANH = torch.nn.Identity, torch.nn.Tanh
LETTERS = np.random.default_rng(0)
TEXTS = [" ".join(LETTERS.choice(list("abcdefghijklm"), LETTERS.integers(1, 12))) for _ in range(120)]
FP32 = "[variants.fp32]\nmax_probability_error = 1e-5\n"


def write_encoder(folder: Path, pooling: str, layers, *, normalize: bool) -> Path:
    """Write a tiny BERT with Dense modules of (inputs, outputs, bias, activation) as they save them."""
    write_checkpoint(folder, Shape(layers=1), None)
    modules = ["Transformer", "Pooling", *["Dense"] * len(layers), *["Normalize"] * normalize]
    sentence_layout(folder, modules, {"embedding_dimension": 24, "pooling_mode": pooling})
    for index, (inputs, outputs, bias, activation) in enumerate(layers, 2):
        (folder / f"{index}_Dense").mkdir()
        Dense(inputs, outputs, bias=bias, activation_function=activation()).save(
            str(folder / f"{index}_Dense")
        )
    return folder


@dataclass(frozen=True)
class Made:
    """The originals' answers, and the artifact in `folder` with the ids of `TEXTS`."""

    folder: Path
    embeddings: np.ndarray
    positive: np.ndarray

    @property
    def dist(self) -> Path:
        return self.folder / "dist"

    @property
    def ids(self) -> list[list[int]]:
        tokenizer = Tokenizer.from_file(str(self.dist / "tokenizer.json"))
        return [encoding.ids for encoding in tokenizer.encode_batch(TEXTS)]

    def operators(self) -> list[str]:
        graph = onnx.load(self.dist / "onnx/model.onnx").graph
        return [node.name for node in graph.node if node.name.startswith("dense_")]


def fit_head(folder: Path, embeddings: np.ndarray) -> None:
    """Write a head that tells these embeddings apart, its labels in another order than the recipe's."""
    random, classifiers = np.random.default_rng(1), []
    for _ in LABELS:
        z = (embeddings - embeddings.mean(axis=0)) @ random.standard_normal(embeddings.shape[1])
        classifiers.append(LogisticRegression(C=10.0).fit(embeddings, z > 0))
    folder.mkdir()
    model = head_model(LABELS[::-1], classifiers)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    limits = {label: 0.4 + 0.05 * index for index, label in enumerate(LABELS)}
    (folder / "thresholds.json").write_text(json.dumps(limits))


def build(folder: Path, pooling: str, layers, *, normalize: bool, **more) -> Made:
    torch.manual_seed(0)
    write_encoder(folder / "encoder", pooling, layers, normalize=normalize)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        found = SentenceTransformer(str(folder / "encoder"), device="cpu").encode(TEXTS)
    fit_head(folder / "head", found)
    own = write_recipe(
        *(folder / "own", LABELS, "path:../encoder", "path:../head"),
        pooling=pooling,
        normalize=normalize,
        **more,
    )
    for main, command in ((export, "build"), (graphs, "build"), (verify, "gate")):
        assert main([command, str(own), str(folder / "build")]) == 0
    assert verify(["release", str(own), str(folder / "build"), str(folder / "dist")]) == 0
    head = onnxruntime.InferenceSession(folder / "head/model.onnx")
    answers = head.run(LABELS, {head.get_inputs()[0].name: found})
    return Made(folder, found, np.stack([answer[:, 1] for answer in answers], axis=1))


def assert_equal(made: Made):
    graph = Graph(made.dist / "onnx/model.onnx")
    together, alone = (graph.run_batches(made.ids, size) for size in (16, 1))
    np.testing.assert_allclose(together.probabilities, made.positive, rtol=0, atol=1e-5)
    np.testing.assert_allclose(together.probabilities, alone.probabilities, rtol=0, atol=1e-6)
    thresholds = json.loads((made.dist / "thresholds.json").read_text())
    expected = made.positive >= np.array([thresholds[label] for label in LABELS], np.float32)
    np.testing.assert_array_equal(together.predictions, expected)
    np.testing.assert_array_equal(alone.predictions, expected)
    # Of each label, yes and no.
    assert ((expected.mean(axis=0) > 0.05) & (expected.mean(axis=0) < 0.95)).all()


@pytest.fixture(scope="module")
def normalized(tmp_path_factory):
    layers = [(24, 16, True, TANH), (16, 10, False, IDENTITY)]
    return build(
        *(tmp_path_factory.mktemp("normalized"), "mean", layers),
        normalize=True,
        extra="sentence_embedding = true",
        variants=SLOPPY,
    )


def test_two_with_normalization(normalized):
    assert_equal(normalized)
    assert normalized.operators() == ["dense_0", "dense_0_tanh", "dense_1"]


def test_the_sentence_embedding_has_the_last_ones_width(normalized):
    for name in ("model.onnx", "model_quantized.onnx"):
        session = onnxruntime.InferenceSession(normalized.dist / "onnx" / name)
        shape = next(each.shape for each in session.get_outputs() if each.name == "sentence_embedding")
        assert shape == ["batch", 10]
    tokens = np.zeros((len(TEXTS), max(map(len, normalized.ids))), np.int64)
    mask = np.zeros_like(tokens)
    for row, ids in enumerate(normalized.ids):
        tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
    session = onnxruntime.InferenceSession(normalized.dist / "onnx/model.onnx")
    (found,) = session.run(["sentence_embedding"], {"input_ids": tokens, "attention_mask": mask})
    np.testing.assert_allclose(found, normalized.embeddings, atol=1e-5)


def test_int8_is_near_and_does_not_depend_on_the_batch(normalized):
    graph = Graph(normalized.dist / "onnx/model_quantized.onnx")
    together, alone = (graph.run_batches(normalized.ids, size).probabilities for size in (16, 1))
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
    assert np.abs(together - normalized.positive).mean() < 0.05


def test_the_artifact_can_be_proven(normalized, in_process):
    assert verify(["artifact", str(normalized.dist)]) == 0


def test_hashes_of_all_weights_are_kept(normalized):
    manifest = json.loads((normalized.dist / "manifest.json").read_text())["encoder"]
    assert manifest["dense"] == [[16, "tanh"], [10, "identity"]]
    for name in ("model.safetensors", "2_Dense/model.safetensors", "3_Dense/model.safetensors"):
        content = (normalized.folder / "encoder" / name).read_bytes()
        assert manifest["sha256"][name] == hashlib.sha256(content).hexdigest()


def test_identity_without_normalization_is_in_the_head(tmp_path):
    made = build(tmp_path, "cls", [(24, 10, True, IDENTITY)], normalize=False, variants=FP32)
    assert_equal(made)
    assert made.operators() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "normalize", "nodes"),
    [(TANH, False, ["dense_0", "dense_0_tanh"]), (IDENTITY, True, ["dense_0"])],
)
def test_other_layouts(tmp_path, activation, normalize, nodes):
    made = build(tmp_path, "cls", [(24, 32, True, activation)], normalize=normalize, variants=FP32)
    assert_equal(made)
    assert made.operators() == nodes


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense") / "tiny"
    return write_encoder(folder, "mean", [(24, 10, True, TANH)], normalize=True)


@pytest.fixture
def dense(made_once, tmp_path):
    return Path(shutil.copytree(made_once, tmp_path / "tiny"))


def test_reads_a_checkpoint(dense):
    info = read_checkpoint(dense)
    assert (info.hidden, info.embedding, info.features, info.dense) == (24, 10, 10, [(10, "tanh")])
    assert "2_Dense/model.safetensors" in info.sha256
    files = checkpoint.files(source(dense))
    assert {"2_Dense/config.json", "2_Dense/model.safetensors"} <= set(files)
    info.write(dense / "encoder.json")
    assert EncoderInfo.read(dense / "encoder.json") == info


def test_tanh_where_the_activation_is_left_out(dense):
    edit_json(dense / "2_Dense/config.json", activation_function=None)
    assert read_checkpoint(dense).dense == [(10, "tanh")]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "activation_function",
            "torch.nn.modules.activation.ReLU",
            "found 'torch.nn.modules.activation.ReLU'",
        ),
        ("activation_function", ["x"], r"found \['x'\]"),
        ("in_features", 23, "found 23, expected 24"),
        ("out_features", 0, "found 0, expected a positive"),
        ("out_features", "10", "found '10', expected a positive"),
        ("bias", 1, "found 1, expected true or false"),
        ("use_residual", True, "found True, expected False"),
        ("module_input_name", "token_embeddings", "found 'token_embeddings', expected 'sentence_embedding'"),
        ("module_output_name", "other", "found 'other', expected 'sentence_embedding'"),
        ("something_new", 1, "unknown"),
    ],
)
def test_a_setting_that_is_refused(dense, key, value, message):
    edit_json(dense / "2_Dense/config.json", **{key: value})
    with pytest.raises(CheckpointError, match=rf"2_Dense/config\.json: {key}: {message}"):
        read_checkpoint(dense)


@pytest.mark.parametrize("change", [{"out_features": 11}, {"bias": False}])
def test_weights_of_another_shape(dense, change):
    edit_json(dense / "2_Dense/config.json", **change)
    with pytest.raises(CheckpointError, match=r"2_Dense/model\.safetensors: found tensors .*, expected"):
        read_checkpoint(dense)


def test_only_a_pickle_is_refused_with_the_way_out(dense):
    (dense / "2_Dense/model.safetensors").rename(dense / "2_Dense/pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"2_Dense: has only pytorch_model\.bin, .*\.save\(FOLDER\)$"):
        read_checkpoint(dense)
    (dense / "2_Dense/pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match=r"2_Dense/model\.safetensors"):
        read_checkpoint(dense)


def test_a_weight_that_is_not_finite(dense, offline):
    path = dense / "2_Dense/model.safetensors"
    weights = load_file(path)
    weights["linear.bias"][3] = float("nan")
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"2_Dense/model\.safetensors: linear\.bias: found NaN"):
        checkpoint.dense_modules(source(dense))[0].arrays()


@pytest.mark.parametrize(("width", "refused"), [(10, False), (24, False), (9, True)])
def test_embeddings_cut_short_are_measured_at_the_last_width(dense, width, refused):
    (dense / "config_sentence_transformers.json").write_text(json.dumps({"truncate_dim": width}))
    if refused:
        with pytest.raises(CheckpointError, match="truncate_dim: found 9 of 10"):
            read_checkpoint(dense)
    else:
        assert read_checkpoint(dense).embedding == 10


def test_features_are_refused(dense, tmp_path, in_process):
    info = EncoderInfo(**{**vars(read_checkpoint(dense))})
    parts = [FeaturesTable(layers=[1], pooling=["mean"])]
    table = checkpoint.EncoderTable(source="path:x", pooling="mean", normalize=True)
    message = r"^features: expected none, since they read hidden states; path:tiny: modules\.json has a Dense"
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read(source(dense), table, parts)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.check_hidden_states(info)
    write_head(tmp_path / "head", LABELS, 48)
    features = "[[features]]\nlayers = [0, 1]\npooling = ['mean']\n"
    own = write_recipe(
        *(tmp_path / "own", LABELS, "path:../tiny", "path:../head"), pooling="mean", variants=FP32 + features
    )
    assert_failed(in_process(export, "build", own, tmp_path / "build"), "features: ", "Dense module")
    assert not (tmp_path / "build/encoder.onnx").exists()


def test_the_reference_never_leaves_one_out(dense):
    with pytest.raises(ValueError, match="found Dense layers of widths"):
        embed(dense)
    bert, info = torch_encoder.load(dense), read_checkpoint(dense)
    with pytest.raises(ValueError, match="found Dense layers of widths"):
        torch_encoder.embed(bert, info, [[2, 3]], batch_size=1)


def test_a_build_file_of_other_layers(dense, tmp_path):
    info = read_checkpoint(dense)
    layer = dense_file.DenseLayer(np.zeros((24, 9), np.float32), np.zeros(9, np.float32), "tanh")
    dense_file.write(tmp_path, [layer])
    with pytest.raises(ArtifactError, match=r"dense\.npz: weight_0: found float32 \(24, 9\), expected"):
        dense_file.read(tmp_path, info)
    dense_file.write(tmp_path, [])
    with pytest.raises(ArtifactError, match=r"dense\.npz"):
        dense_file.read(tmp_path, info)
