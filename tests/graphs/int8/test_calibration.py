"""Calibration against torch's hidden states, and the files and graphs that it refuses."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
import torch

from core.errors import ArtifactError, GraphError
from graphs.int8 import calibration
from tests.support.quantization import packed_with_head, random_ids


def test_calibration_against_torchs_hidden_states(mean):
    ids = random_ids(mean, 30)
    observed = calibration.calibrate(packed_with_head(mean), ids)
    seen = {"layer_1_qkv": [], "layer_1_down": []}

    def keep(_module, _inputs, output):
        seen["layer_1_qkv"].append(output[0] if isinstance(output, tuple) else output)

    first, second = mean.bert.encoder.layer
    first.register_forward_hook(
        lambda m, i, o: seen["layer_1_qkv"].append(o[0] if isinstance(o, tuple) else o)
    )
    second.intermediate.register_forward_hook(lambda m, i, o: seen["layer_1_down"].append(o))
    with torch.inference_mode():
        for row in ids:
            mean.bert(torch.tensor(row[None].astype(np.int64)))
    for hooks in (first._forward_hooks, second.intermediate._forward_hooks):
        hooks.clear()
    for name, arrays in seen.items():
        expected = np.concatenate([array.reshape(-1, array.shape[-1]).numpy() for array in arrays])
        limits = observed[name].range
        np.testing.assert_allclose(limits.mean_k, expected.mean(0), atol=1e-4)
        np.testing.assert_allclose(observed[name].square_k, (expected**2).mean(0), rtol=1e-3)
        assert (limits.low_k >= expected.min(0) - 1e-4).all()
        assert (limits.high_k <= expected.max(0) + 1e-4).all()
        # A cut must be worth it: nearly everything is inside.
        inside = (expected >= limits.low_k - 1e-4) & (expected <= limits.high_k + 1e-4)
        assert inside.mean() > 0.97
    np.testing.assert_allclose(observed["layer_1_down"].range.high_k, expected.max(0), atol=1e-4)


def test_calibration_files_that_are_damaged(tmp_path):
    path = tmp_path / "calibration.npz"
    with pytest.raises(ArtifactError, match=r"calibration\.npz: cannot be read"):
        calibration.read(path)
    path.write_bytes(b"no")
    with pytest.raises(ArtifactError, match=r"calibration\.npz: cannot be read"):
        calibration.read(path)


def test_activations_refuse_an_unpacked_graph(mean):
    with pytest.raises(GraphError, match="`pack` and `unfuse` must come before"):
        calibration.calibrate(ir.from_proto(ir.to_proto(mean.model())), random_ids(mean, 3))
