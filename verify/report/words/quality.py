"""Say in words how good an evaluation is: what is right, which labels are weak, and which say little."""

from __future__ import annotations

from typing import Any

from verify import readable

# A label of fewer texts has an F1 that says little.
FEW = 30
# At most so many labels are named of a kind; of more, their number.
_BEST, _NAMED = 3, 8


def right(found: dict[str, Any], mark: str = "") -> str | None:
    """Return how often labels are right, as a clause; figures between two `mark`s.

    None of an evaluation of before labels were counted together.
    """
    texts = f"the {readable.count(found['texts'])} {found['split']} texts of {found['data']}"

    def share(value: float) -> str:
        return f"{mark}{readable.percent(value)}{mark}"

    if "accuracy" in found:
        said = f"it gives the right label to {share(found['accuracy'])} of {texts}"
        if found["answered"] < 1:
            answered, among = readable.percent(found["answered"]), share(found["accuracy_answered"])
            said += f"; it answers {answered} of them, and of these {among} rightly"
        return said
    if "micro" not in found:
        return None
    precision, recall = share(found["micro"]["precision"]), share(found["micro"]["recall"])
    return (
        f"of the labels that it gives to {texts}, {precision} are right, and of the right ones it finds "
        f"{recall}; right is what the data say"
    )


def _listed(rows: list[dict[str, Any]]) -> str:
    return readable.series([f"{row['label']} ({readable.score(row['f1'])})" for row in rows])


def best_and_weakest(found: dict[str, Any]) -> str | None:
    """Name the labels of the highest and the lowest F1, of those with texts enough; None of few labels."""
    known = sorted((row for row in found["labels"] if row["support"] >= FEW), key=lambda row: -row["f1"])
    named = min(_BEST, len(known) // 3)
    if not named:
        return None
    return f"By F1 best at {_listed(known[:named])}, weakest at {_listed(known[: -named - 1 : -1])}."


def too_few(found: dict[str, Any]) -> str | None:
    """Name the labels of which there are too few texts to say; None where there are none."""
    few = sorted((row for row in found["labels"] if row["support"] < FEW), key=lambda row: row["support"])
    if not few:
        return None
    named = [f"{row['label']} ({row['support']})" for row in few]
    who = readable.series(named) if len(few) <= _NAMED else f"{len(few)} labels"
    have, its = ("has", "its") if len(few) == 1 else ("have", "their")
    return f"{who} {have} fewer than {FEW} {found['split']} texts: {its} F1 says little."


def _fewer(row: dict[str, Any]) -> float:
    """Return by how much a label's F1 falls with one text fewer that is rightly found."""
    hits = round(row["recall"] * row["support"])
    # F1 is twice the hits, by all that are given and all that are true.
    return float(row["f1"] - 2 * (hits - 1) / (2 * hits / row["f1"] - 1))


def no_difference(evaluations: list[dict[str, Any]]) -> str | None:
    """Say that the variants' macro-F1 differ by less than one text of a rare label does, if so."""
    figures = sorted(found["macro"]["f1"] for found in evaluations if "accuracy" not in found)
    shown = list(dict.fromkeys(map(readable.score, figures)))
    hit = [row for found in evaluations[:1] for row in found["labels"] if 0 < row["f1"] <= 1]
    if len(shown) < 2 or not hit:
        return None
    rarest = min(hit, key=lambda row: row["support"])
    moved = _fewer(rarest) / len(evaluations[0]["labels"])
    if figures[-1] - figures[0] > moved:
        return None
    return (
        f"{shown[0]} and {shown[-1]} are no difference: missing one more of the "
        f"{readable.count(rarest['support'])} texts of {rarest['label']} moves it by {readable.error(moved)}."
    )
