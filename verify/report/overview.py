"""The table of an artifact's variants: size, F1, changed decisions, speed, and when to take which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.contract import SINGLE_LABEL
from verify import readable

_PREFERRED = "int8"
_EXACT = "fp32"
_ORIGINAL = "the original pair (the encoder in PyTorch, the classifier as given)"
# When to take a variant; of one that is not here, its quantization says what it is.
_TAKE = {
    "fp32": "the exact reference: float32, the original up to rounding",
    "int8": "the one to begin with: small and fast",
    "guarded": "fp32's labels but for a few texts, faster than it; the largest file",
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
    """All graphs of an artifact, the first to take first, and on what the figures were measured.

    `evaluation` is the first row's that has one; `since_fp32` says that changed decisions are counted on
    its texts against `fp32`, else on the reference's against the original.
    """

    rows: list[Row]
    evaluation: dict[str, Any] | None
    figure_name: str
    since_fp32: bool
    speed: dict[str, Any] | None

    @property
    def has_figures(self) -> bool:
        """Whether any graph was evaluated."""
        return any(row.figure is not None for row in self.rows)


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
    names = [variant["name"] for variant in variants]
    others = [evaluations.get(name, {}).get("flips_from_fp32") for name in names if name != _EXACT]
    since_fp32 = _EXACT in names and bool(others) and None not in others
    rows = []
    for variant in variants:
        name = variant["name"]
        found = evaluations.get(name)
        changed = variant["parity"]["flip_rate"]
        if since_fp32:
            changed = None if name == _EXACT else evaluations[name]["flips_from_fp32"]
        figure = None if found is None else found["accuracy"] if single else found["macro"]["f1"]
        rate = speeds.get(name, {}).get("texts_per_second")
        take = _TAKE.get(name, variant["quantization"])
        rows.append(Row(name, variant["file"], variant["size"], figure, changed, rate, take))
    if described.get("text"):
        text, like = described["text"], next(r for r in rows if r.name == described["text"]["variant"])
        take = f"to send texts, without a tokenizer: the answers of {like.name}"
        rows.append(Row("text in", text["file"], text["size"], like.figure, like.changed, None, take))
    found = next((evaluations[name] for name in names if name in evaluations), None)
    figure_name = "accuracy" if single else "macro-F1"
    return Overview(rows, found, figure_name, since_fp32, speed)


def _changed(overview: Overview, described: dict[str, Any]) -> str:
    parity = {variant["name"]: variant["parity"] for variant in described["variants"]}
    texts = f"{readable.count(next(iter(parity.values()))['texts'])} {described['reference']}"
    if not overview.since_fp32:
        return f"Changed decisions: texts that get other labels than from {_ORIGINAL}, of {texts}."
    rate = parity[_EXACT]["flip_rate"]
    given = (
        f"other labels than {_ORIGINAL} to {readable.percent(rate)}"
        if rate
        else f"the labels of {_ORIGINAL} to all"
    )
    return (
        "Changed decisions: how many of the same texts get other labels than from fp32, which itself gives "
        f"{given} of {texts}."
    )


def notes(overview: Overview, described: dict[str, Any]) -> list[str]:
    """Return what the columns are and were measured on, as sentences of plain text."""
    sentences = []
    if found := overview.evaluation:
        mean = "" if "accuracy" in found else f", the mean of all {len(found['labels'])} labels,"
        sentences.append(
            f"{readable.sentence(overview.figure_name)}{mean} is at the packaged thresholds on "
            f"{found['data']}, {found['split']} split, {readable.count(found['texts'])} texts."
        )
        # Manifests of before it was kept do not have one.
        if words := (described["data"] or {}).get("baseline"):
            sentences.append(words)
    sentences.append(_changed(overview, described))
    if speed := overview.speed:
        first = overview.rows[0].name
        alone = (speed["variants"].get(first) or {}).get("latency_ms")
        one = f"for a text alone on {readable.threads(speed['one']['threads'])}"
        sentences.append(
            f"Speed: {speed['data']}, in batches of {speed['batch']}, {readable.threads(speed['threads'])}, "
            f"{speed['cpu']}{f'; {first} takes {readable.error(alone)} ms {one}' if alone else ''}."
        )
    return sentences
