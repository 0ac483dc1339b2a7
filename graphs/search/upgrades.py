"""What a better mode at one site takes off the error, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir
from rich.console import Console
from rich.progress import track

from core.build.plan import Mode, Plan
from graphs.edit import ops
from graphs.int8 import activations, quantize
from graphs.search.evaluator import Judge

# Of an int8 product of the same shape, by the machine's peaks; a second term also rounds and adds.
COST: dict[Mode, float] = {"int8": 1.0, "int8x2": 2.2, "float": 4.0}
SENSITIVITY_TEXTS = 600

Load = Callable[[], ir.Model]


@dataclass(frozen=True)
class Upgrade:
    """A better mode at one site: what it takes off the squared logit error, and what it costs."""

    site: str
    mode: Mode
    gain: float
    cost: float


def quantized(load: Load, chosen: Plan) -> ir.Model:
    """Return the float graph that `load` reads, quantized as a plan says."""
    model = load()
    quantize.quantize(model, chosen)
    return model


def _products(model: ir.Model) -> dict[str, float]:
    """Return each site's share of all multiplications."""
    counts = {}
    for site in activations.find(model):
        # A gather of rows is read for CLS tokens alone: next to nothing.
        weights = [node.inputs[1] for node in site.linears if node.inputs[0] is site.value]
        counts[site.name] = sum(ops.array_of(value).size for value in weights if value is not None)
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def upgrades(load: Load, base: Plan, judge: Judge, base_error: float, console: Console) -> list[Upgrade]:
    """Measure every better mode of every site alone; return those that help, the cheapest gain first."""
    shares, found = _products(load()), []
    count = min(SENSITIVITY_TEXTS, len(judge.ids))
    modes: tuple[Mode, ...] = ("int8x2", "float")
    for name in track(base.sites, "  sensitivity", console=console, transient=True):
        for mode in modes:
            judged = judge.judge(quantized(load, base.with_mode(name, mode)), count)
            gain = base_error**2 - judged.logit_error**2
            found.append(Upgrade(name, mode, gain, shares[name] * (COST[mode] - 1)))
    return sorted((one for one in found if one.gain > 0), key=lambda one: -one.gain / one.cost)
