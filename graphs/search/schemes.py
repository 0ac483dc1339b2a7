"""List the schemes of a plan with one int8 term everywhere: what each leaves out, and what that saves.

- ``full``: a scale for each channel after GELU, the worst channels there in float32, and channels whose
  weights are large in several summands.
- ``shared``: one scale for all channels after GELU, which saves a multiplication of them all; no summands.
- ``parts``: no channel in float32 either; large ones have overflow channels (`graphs.int8.overflow`).
- ``bare``: no overflow channels either; a normalization's output has one scale too, before gamma and beta.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.contract import QuantizationForm


@dataclass(frozen=True)
class Scheme:
    """One scheme; `gelu_share` is what the shared scale reaches, of the largest channel (None: a scale each).

    `cost` is the time of a run, of the full scheme's: measured on the embedded default, batches of 32, two
    threads. That of `bare` with one thread: with two it was as fast as `parts` there, at batch 1 1.08 times.
    """

    form: QuantizationForm
    gelu_share: float | None
    cost: float

    @property
    def name(self) -> str:
        """What the frontier calls it."""
        if self.gelu_share is None:
            return "one int8 term everywhere"
        return f"{self.form}, {self.gelu_share:g} of the largest channel after GELU"

    @property
    def float_channels(self) -> bool:
        """Whether the worst channels after GELU are multiplied in float32."""
        return self.form in ("full", "shared")


FULL = Scheme("full", None, 1.0)
# A large channel that is cut off disturbs less than a coarse scale of all others, up to a point.
_CHEAPER = (
    *(Scheme("bare", share, 0.94) for share in (0.9, 0.7)),
    *(Scheme("parts", share, 0.95) for share in (1.0, 0.9)),
    *(Scheme("shared", share, 0.96) for share in (0.8, 0.6)),
)


def cheaper(cheapest: QuantizationForm) -> tuple[Scheme, ...]:
    """Return the schemes that cost less than the full one, from `cheapest` on, in the order of cost."""
    forms = [scheme.form for scheme in (*_CHEAPER, FULL)]
    return _CHEAPER[forms.index(cheapest) :]
