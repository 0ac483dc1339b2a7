"""The table of an artifact's variants: size, F1, texts with other labels, speed, and when to take which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.contract import SINGLE_LABEL
from verify import readable

_PREFERRED = "int8"
EXACT = "fp32"
# When to take a variant; of one that is not here, its quantization says what it is.
_TAKE = {
    "fp32": "the original up to rounding, in float32",
    "int8": "small and fast; tokenizer.json beside it makes its token ids",
    "guarded": "fp32's labels for all but a few texts: int8, and near to a decision float32; largest file",
}


@dataclass(frozen=True)
class Row:
    """A graph of an artifact; `figure` is macro-F1 or accuracy, `changed` a share of texts.

    What is not known is None.
    """

    name: str
    file: str
    size: int
    figure: float | None
    changed: float | None
    texts_per_second: float | None
    take: str


@dataclass(frozen=True)
class Overview:
    """All graphs of an artifact, the one to begin with first, and on what the figures were measured.

    `evaluation` is the first row's that has one; `since_fp32` says that `changed` counts, of its texts, those
    with other labels than from `fp32`, else those of the reference than from the original: of `texts`.
    """

    rows: list[Row]
    evaluation: dict[str, Any] | None
    figure_name: str
    since_fp32: bool
    texts: int
    speed: dict[str, Any] | None

    @property
    def has_figures(self) -> bool:
        """Whether any graph was evaluated."""
        return any(row.figure is not None for row in self.rows)

    @property
    def changed_name(self) -> str:
        """The title of the column of texts with other labels."""
        return f"other labels, of {readable.count(self.texts)} texts"

    def changed(self, row: Row) -> str:
        """Return how many texts get other labels."""
        return readable.counted(row.changed, self.texts)


def best(variants: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the variant to take first."""
    return next((variant for variant in variants if variant["name"] == _PREFERRED), variants[0])


def of(described: dict[str, Any]) -> Overview:
    """Return the overview of an artifact, given what its manifest says."""
    single = described["head"]["problem_type"] == SINGLE_LABEL
    evaluations = {row["variant"]: row for row in described["evaluations"]}
    # Manifests of before speed was kept do not mention it.
    speed = described.get("speed")
    speeds = speed["variants"] if speed else {}
    first = best(described["variants"])
    variants = [first, *(variant for variant in described["variants"] if variant is not first)]
    listed = [variant["name"] for variant in variants]
    others = [evaluations.get(name, {}).get("flips_from_fp32") for name in listed if name != EXACT]
    since_fp32 = EXACT in listed and bool(others) and None not in others
    rows = []
    for variant in variants:
        name = variant["name"]
        found = evaluations.get(name)
        changed = variant["parity"]["flip_rate"]
        if since_fp32:
            changed = None if name == EXACT else evaluations[name]["flips_from_fp32"]
        figure = None if found is None else found["accuracy"] if single else found["macro"]["f1"]
        rate = speeds.get(name, {}).get("texts_per_second")
        take = _TAKE.get(name, variant["quantization"])
        rows.append(Row(name, variant["file"], variant["size"], figure, changed, rate, take))
    evaluation = next((evaluations[name] for name in listed if name in evaluations), None)
    if described.get("text"):
        text, like = described["text"], next(r for r in rows if r.name == described["text"]["variant"])
        take = f"{like.name} with its tokenizer inside: a text goes in, labels come out"
        rows.insert(0, Row("text in", text["file"], text["size"], like.figure, like.changed, None, take))
        evaluation = evaluations.get(like.name, evaluation)
    figure_name = "accuracy" if single else "macro-F1"
    texts = evaluation["texts"] if since_fp32 and evaluation else first["parity"]["texts"]
    return Overview(rows, evaluation, figure_name, since_fp32, texts, speed)
