"""Judge a candidate as the int8 half of the variant `guarded`: its margins, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import onnx_ir as ir

from core.build import plan as plan_file
from core.build.plan import QuantizationPlan
from core.errors import GraphError
from graphs.int8 import quantize
from graphs.search import frontier, margin
from graphs.search.evaluator import Evaluator
from graphs.search.frontier import Guard, Point
from graphs.search.margin import Margins

# The time in which the float branch answers a text, of int8's: float32 took 2.5 times as long as int8 on the
# embedded default.
FLOAT_COST = 2.5


class Guarded:
    """The candidates as halves of `guarded`, within its budget, by name."""

    def __init__(self, evaluator: Evaluator, gate: Evaluator, budget: float) -> None:
        """Choose margins on the texts of `evaluator`; inside is what is within `budget` on `gate`'s."""
        self._evaluator, self._gate, self.budget = evaluator, gate, budget
        self._margins: dict[str, Margins] = {}

    def see(self, name: str, simplified: ir.Model, plan: QuantizationPlan, cost: float) -> Guard:
        """Choose a candidate's margins; `cost` is that of its int8."""
        half = simplified.clone()
        quantize.with_float_words(half, plan)
        found = margin.choose(self._evaluator.distances(half), self.budget)
        self._margins[name] = found
        gated = self._gate.distances(half).flip_rate(found.margins)
        inside = gated <= self.budget
        modelled = cost + found.asked * FLOAT_COST
        return Guard(found.scale, found.asked, found.expected, found.bound, gated, modelled, 0.0, inside)

    def chosen(
        self, points: list[Point], plans: Mapping[str, QuantizationPlan], source: str
    ) -> QuantizationPlan:
        """Return the plan of the fastest pair of int8 form and margins, with them and a record of them.

        Raises:
            GraphError: no pair is within the budget.
        """
        best = frontier.fastest(points)
        if best is None or best.guard is None:
            raise GraphError(
                f"variants.guarded: found no margins within {self.budget:g} flips on the reference"
            )
        found = {"half": best.name, "modelled_cost": best.guard.cost}
        return self._with(plans[best.name], best.name, found, source)

    def _with(self, plan: QuantizationPlan, name: str, more: dict[str, Any], source: str) -> QuantizationPlan:
        found = self._margins[name]
        stated = {
            plan_file.GUARD_STATED: found.statement(self.budget, source),
            plan_file.GUARD_FOUND: {"max_flip_rate": self.budget, **more, **found.record},
        }
        return replace(plan, margins=found.margins, record={**plan.record, **stated})

    def of_plan(self, simplified: ir.Model, plan: QuantizationPlan, source: str) -> QuantizationPlan:
        """Return a finished plan with margins, and a record of them.

        Raises:
            GraphError: too many texts of the reference flip.
        """
        guard = self.see("", simplified, plan, 0.0)
        if not guard.inside:
            found = f"found {guard.reference_flip_rate:g} flips on the reference, expected {self.budget:g}"
            raise GraphError(f"variants.guarded: {found} at most")
        return self._with(plan, "", {}, source)
