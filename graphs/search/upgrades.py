"""Measure what a better mode of one activation takes off the error, and count what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from rich.console import Console
from rich.progress import track

from core.build.plan import Mode, QuantizationPlan
from graphs.edit import ops
from graphs.int8 import activations, quantize
from graphs.search.evaluator import Evaluator

# Of an int8 product of the same shape, by the machine's peaks; a second term also rounds and adds.
COST: dict[Mode, float] = {"int8": 1.0, "int8x2": 2.2, "float": 4.0}
SENSITIVITY_TEXTS = 600
_BETTER: tuple[Mode, ...] = ("int8x2", "float")


@dataclass(frozen=True)
class Upgrade:
    """A better mode of one activation: what it takes off the squared logit error, and what it costs."""

    activation: str
    mode: Mode
    gain: float
    cost: float


def quantized(simplified: ir.Model, plan: QuantizationPlan) -> ir.Model:
    """Return the float graph quantized as a plan says; it stays as it is."""
    model = simplified.clone()
    quantize.quantize(model, plan)
    return model


def _shares(model: ir.Model) -> dict[str, float]:
    """Return each activation's share of all multiplications."""
    # A gather of rows is read for CLS tokens alone: next to nothing.
    counts = {
        activation.name: sum(
            ops.array(node, 1).size for node in activation.linears if node.inputs[0] is activation.value
        )
        for activation in activations.find(model)
    }
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def upgrades(
    simplified: ir.Model, base: QuantizationPlan, evaluator: Evaluator, base_error: float, console: Console
) -> list[Upgrade]:
    """Measure every better mode of every activation alone; return those that help, the cheapest first."""
    shares, measured = _shares(simplified), []
    count = min(SENSITIVITY_TEXTS, len(evaluator.ids))
    for name in track(base.activations, "  sensitivity", console=console, transient=True):
        for mode in _BETTER:
            evaluation = evaluator.evaluate(quantized(simplified, base.with_mode(name, mode)), count)
            gain = base_error**2 - evaluation.logit_error**2
            measured.append(Upgrade(name, mode, gain, shares[name] * (COST[mode] - 1)))
    helpful = [upgrade for upgrade in measured if upgrade.gain > 0]
    return sorted(helpful, key=lambda upgrade: -upgrade.gain / upgrade.cost)
