"""Make torch's own modules of sentence-transformers' Dense modules, for the reference."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from export.encoder.dense import DenseModule


def load(modules: Sequence[DenseModule]) -> torch.nn.Sequential:
    """Return `torch.nn.Linear` and `torch.nn.Tanh` in the modules' order; none where there are none.

    Raises:
        CheckpointError: as `DenseModule.arrays`.
    """
    made = torch.nn.Sequential()
    for module in modules:
        linear = torch.nn.Linear(module.inputs, module.outputs, bias=module.bias)
        names = {name.removeprefix("linear."): array for name, array in module.arrays().items()}
        linear.load_state_dict({name: torch.from_numpy(array) for name, array in names.items()})
        made.append(linear)
        if module.activation == "tanh":
            made.append(torch.nn.Tanh())
    return made.eval()
