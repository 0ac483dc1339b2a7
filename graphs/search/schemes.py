"""The forms of a plan with one int8 term everywhere: what each leaves out, and what that saves.

- ``full``: a step for each channel after GELU, the worst channels there in float32, and channels whose
  weights are large in several summands.
- ``shared``: one step for all channels after GELU, which saves a multiplication of them all; no summands.
- ``parts``: no channel in float32 either; large ones are sums of clipped parts (`graphs.int8.overflow`).
- ``bare``: no parts either; a normalization's output has one step as well, before gamma and beta.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.contract import QuantizationForm


@dataclass(frozen=True)
class Form:
    """One form; `gelu_share` is what the shared step reaches, of the largest channel (None: a step each).

    `cost` is the time of a run, of the full form's: measured on the embedded default, batches of 32, two
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

    @property
    def parts(self) -> bool:
        """Whether large channels after GELU are sums of clipped parts."""
        return self.form == "parts"

    @property
    def normalized(self) -> bool:
        """Whether a normalization's output is rounded before gamma and beta."""
        return self.form == "bare"

    @property
    def splits(self) -> bool:
        """Whether channels with large weights are multiplied in summands."""
        return self.form == "full"


FULL = Form("full", None, 1.0)
# A large channel that is cut off disturbs less than a coarse step of all others, up to a point.
_BARE = tuple(Form("bare", share, 0.94) for share in (0.9, 0.7))
_PARTS = tuple(Form("parts", share, 0.95) for share in (1.0, 0.9))
_SHARED = tuple(Form("shared", share, 0.96) for share in (0.8, 0.6))
_FROM: dict[QuantizationForm, tuple[Form, ...]] = {
    "bare": _BARE + _PARTS + _SHARED,
    "parts": _PARTS + _SHARED,
    "shared": _SHARED,
    "full": (),
}


def cheaper(cheapest: QuantizationForm) -> tuple[Form, ...]:
    """Return the forms that cost less than the full one, from `cheapest` on, in the order of cost."""
    return _FROM[cheapest]
