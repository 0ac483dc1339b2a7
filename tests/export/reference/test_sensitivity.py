"""The sensitivity that is measured is that of torch's own gradients, label by label and text by text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core import runtime
from core.build import sensitivity as names
from export.encoder import torch_encoder
from export.encoder.kinds import KINDS
from export.reference import sensitivity
from tests.support.factories import Shape
from tests.support.graphs import Exported, exported, linear_head

LABELS = ["joy", "anger", "neutral"]
TEXTS = 600


@pytest.fixture(scope="module")
def mean(tmp_path_factory) -> Exported:
    return exported(tmp_path_factory.mktemp("mean"), Shape(layers=2, heads=3), "mean")


def ids_of(made: Exported) -> list[list[int]]:
    random = np.random.default_rng(0)
    lengths = random.integers(2, made.info.positions + 1, TEXTS)
    return [random.integers(1, made.info.vocabulary, length).tolist() for length in lengths]


def exact(made: Exported, head, ids, part: str) -> np.ndarray:
    """The mean over tokens of JᵀJ, by a gradient a label, each text alone; its diagonal 1 on average."""
    module, kept = made.bert.get_submodule(part), []
    handle = module.register_forward_hook(lambda _, __, out: kept.append(out))
    words = made.bert.get_input_embeddings().weight
    words.requires_grad_(True)
    total = 0.0
    for row in ids:
        kept.clear()
        input_ids, mask = map(torch.from_numpy, runtime.pad([row]))
        hidden = torch_encoder.hidden_states(made.bert, input_ids, mask, made.info.feature_layers)
        logits = torch_encoder.pool(hidden, mask, made.info)[0] @ torch.from_numpy(head.weight_hl)
        for logit in logits:
            (gradient,) = torch.autograd.grad(logit, kept[0], retain_graph=True)
            total = total + gradient[0].double().T @ gradient[0].double()
    handle.remove()
    words.requires_grad_(False)
    moment = total.numpy()
    return moment / np.trace(moment) * len(moment)


@pytest.mark.parametrize(
    ("linear", "part"),
    [("value", "attention.self.value"), ("up", "intermediate.dense"), ("down", "output.dense")],
)
def test_it_is_the_second_moment_of_the_gradients(mean, linear, part):
    head, ids = linear_head(LABELS, mean.info.features), ids_of(mean)
    arrays = sensitivity.measure(mean.bert, KINDS["bert"], mean.info, head, ids)
    # Nothing is left behind in the encoder.
    assert not any(parameter.requires_grad for parameter in mean.bert.parameters())
    layers = range(mean.info.layers)
    assert set(names.linears(arrays)) == {f"layer_{n}_{each}" for n in layers for each in names.LINEARS}
    found = names.read(arrays, f"layer_0_{linear}").moment_nn
    expected = exact(mean, head, ids[::4], f"encoder.layer.0.{part}")
    assert np.diag(found).mean() == pytest.approx(1, abs=1e-2)
    # Found 0.09 to 0.11: of drawn weights of the labels, and other texts. All columns alike are 0.94 off.
    assert np.linalg.norm(found - expected) < 0.3 * np.linalg.norm(expected)
