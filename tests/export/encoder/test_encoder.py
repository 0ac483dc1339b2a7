"""The encoder: loading, pooling, embedding and its ONNX export, against torch and sentence-transformers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import BertModel

from core.errors import CheckpointError
from export.encoder import checkpoint, torch_encoder
from tests.support.factories import Shape, random_tokens, write_checkpoint
from tests.support.sources import edit_json, edit_weights, read_checkpoint

TEXTS = [
    "",
    "ok",
    "What a lovely day!",
    "I can't believe they did that; how annoying…",
    "Café, naïve, façade — ÜBER 日本語 🤣",
    "thanks " * 40,
    "one two three four five " * 80,
    "Sorry for your loss.",
]


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """One layer, but 512 positions: torch's model, and the path of its export."""
    folder = tmp_path_factory.mktemp("long")
    write_checkpoint(folder, Shape(layers=1, hidden=24, heads=2, positions=512), "cls")
    path = folder / "encoder.onnx"
    torch_encoder.export(torch_encoder.load(folder), read_checkpoint(folder, "cls"), path)
    return BertModel.from_pretrained(folder, add_pooling_layer=False).eval(), path


def test_the_exports_names_types_and_axes(long):
    model = onnx.load(long[1])
    onnx.checker.check_model(model, full_check=True)
    found = {
        value.name: (
            value.type.tensor_type.elem_type,
            [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        for value in [*model.graph.input, *model.graph.output]
    }
    integers = (onnx.TensorProto.INT64, ["batch", "sequence"])
    assert found == {
        "input_ids": integers,
        "attention_mask": integers,
        "last_hidden_state": (onnx.TensorProto.FLOAT, ["batch", "sequence", 24]),
    }
    assert {item.domain: item.version for item in model.opset_import} == {"": 18}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [path.name for path in long[1].parent.glob("*.onnx*")] == ["encoder.onnx"]
    content = long[1].read_bytes()
    assert b"site-packages" not in content
    assert str(long[1].parent).encode() not in content


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (1, 7), (7, 1), (2, 2), (2, 512)])
def test_the_export_equals_torch(long, shape):
    bert, path = long
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ids, mask = random_tokens(*shape, 60, holes=True)
    found = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    with torch.inference_mode():
        expected = bert(torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state.numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)
    if not mask.all():
        # The mask is heard: without it the answer is another.
        without = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(mask)})[0]
        assert abs(without - found).max() > 1e-3


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("normalize", [True, False])
def test_pooling_equals_sentence_transformers(tiny, offline, pooling, normalize):
    modules = [
        Transformer(str(tiny)),
        Pooling(24, pooling_mode=pooling),
        *([Normalize()] if normalize else []),
    ]
    original = SentenceTransformer(modules=modules, device="cpu")
    (tiny / "modules.json").unlink()
    info = read_checkpoint(tiny, pooling, normalize=normalize)
    texts = ["the a b c", "the", "", "abc! xyz.", "z z z z z z z z z z"]
    ids = checkpoint.encode(checkpoint.load_tokenizer(tiny / "tokenizer.json", 64), texts)
    found = torch_encoder.embed(torch_encoder.load(tiny), info, ids, batch_size=3)
    expected = original.encode(texts)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert normalize == bool(np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6))


def test_embed_equals_sentence_transformers_on_minilm(minilm, offline):
    info = read_checkpoint(minilm)
    ids = checkpoint.encode(checkpoint.load_tokenizer(minilm / "tokenizer.json", info.max_length), TEXTS)
    assert max(map(len, ids)) == 256
    done = []
    found = torch_encoder.embed(torch_encoder.load(minilm), info, ids, 3, done.append)
    assert found.dtype == np.float32
    assert done == [3, 3, 2]
    expected = SentenceTransformer(str(minilm), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The texts are told apart, so their order is proven too.
    assert abs(found[:, None] - found[None]).max(-1)[np.triu_indices(8, 1)].min() > 1e-2


def test_loads_float32_in_inference_mode(tiny):
    bert = torch_encoder.load(tiny)
    assert not bert.training
    assert {parameter.dtype for parameter in bert.parameters()} == {torch.float32}


def test_loads_a_checkpoint_with_a_heads_prefix(tiny):
    original = load_file(tiny / "model.safetensors")
    edit_weights(tiny, prefix="bert.")
    weights = {name: tensor.numpy() for name, tensor in torch_encoder.load(tiny).state_dict().items()}
    for name, array in original.items():
        np.testing.assert_array_equal(weights[name], array)


def test_missing_weights_are_not_made_up(tiny):
    edit_weights(tiny, drop="encoder.layer.0.attention.self.key.bias")
    with pytest.raises(
        CheckpointError, match=r"1 weights missing, .*encoder\.layer\.0\.attention\.self\.key\.bias"
    ):
        torch_encoder.load(tiny)


@pytest.mark.parametrize("change", [{"hidden_size": 48}, {"vocab_size": 50}, {"intermediate_size": 41}])
def test_weights_of_another_shape_than_the_configs(tiny, change):
    edit_json(tiny / "config.json", **change)
    with pytest.raises(CheckpointError, match="cannot be loaded as an encoder of the kind bert"):
        torch_encoder.load(tiny)
