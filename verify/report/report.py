"""`report.html`: what was built from what, and how it was verified, on one page without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from core.build.plan import GUARD_FOUND, GUARD_STATED
from core.contract import SINGLE_LABEL
from core.errors import ArtifactError
from verify import readable
from verify.escape import shortened, visible
from verify.parity import changes, parity
from verify.report import inputs, names, overview, plots
from verify.report.words import lead, notes, other_labels, others, reference

REPORT_FILE = "report.html"
# Characters of a text.
_SHOWN = 100


def _printable(value: Any) -> Any:
    """Return what a template prints, without what HTML forbids; SVG is of our own making."""
    return visible(value) if type(value) is str else value


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("verify.report", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_printable,
    )
    environment.globals["runs"] = _runs
    readers = "count decimal error percent rate score signed size small spread threshold".split()
    environment.filters |= {name: getattr(readable, name) for name in readers}
    environment.filters |= {"beginning": beginning, "origin": _origin, "bound": names.bound}
    return environment


def _flips(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row a label: its flips in each variant."""
    rows = []
    for label, threshold in described["head"]["thresholds"].items():
        counts = [variant["parity"]["flips"][label] for variant in described["variants"]]
        rows.append({"label": label, "threshold": threshold, "counts": counts, "flipped": any(counts)})
    return rows


def _runs(benchmark: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield title and rows of each number of threads and batch size."""
    for threads in benchmark["plan"]["threads"]:
        for batch in benchmark["plan"]["sizes"]:
            rows = [r for r in benchmark["measurements"] if (r["threads"], r["batch"]) == (threads, batch)]
            yield f"Batch {batch}, {readable.threads(threads)}", rows


def beginning(row: dict[str, Any]) -> str:
    """Return the beginning of a text that changed, with its length where it is longer."""
    # Manifests of before there was a length hold the whole text.
    return shortened(row["text"], _SHOWN, row.get("characters"))


def _largest(variant: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row a text: those that read like sentences first, then by how far a probability moved.

    `other` is the label in which the text's labels differ, or None; of such a text that is not among the
    largest changes, its row is of that label. `alike` counts further texts that are the same to the
    tokenizer. A text with other labels is left out last.
    """

    def text(row: dict[str, Any]) -> Any:
        return row.get("place", row["text"])

    def change(row: dict[str, Any]) -> float:
        return float(abs(row["probability"] - row["reference"]))

    parity = variant["parity"]
    other = {text(row): row["label"] for row in reversed(parity["worst_flips"])}
    rows: dict[Any, dict[str, Any]] = {}
    same: dict[Any, dict[str, Any]] = {}
    for row in (*parity["worst"], *parity["worst_flips"]):
        if text(row) in rows:
            continue
        rows[text(row)] = row
        # Both answers the same to the bit: the same token ids.
        first = same.setdefault((row["label"], row["probability"], row["reference"]), {**row, "alike": -1})
        first["alike"] += 1
        first.setdefault("other", other.get(text(row)))
    listed = []
    for natural, most in changes.MOST.items():
        kind = [row for row in same.values() if row.get("natural", True) == natural]
        kept = sorted(kind, key=lambda row: (row["other"] is None, -change(row)))[:most]
        listed += sorted(kept, key=change, reverse=True)
    return listed


def _plan(quantization: dict[str, Any] | None) -> list[tuple[str, list[str]]]:
    """Return what is known of a quantization plan, as names and lines of plain text."""

    def said(value: Any) -> str:
        if type(value) is float:
            return readable.error(value)
        return readable.count(value) if type(value) is int else readable.grouped(str(value))

    found = dict(quantization or {})
    if found.get("guarded_plan_sha256") == found.get("plan_sha256"):
        found.pop("guarded_plan_sha256", None)
    # Above in words; a bound of a rate beside one of texts would be a second one.
    found.pop(GUARD_STATED, None)
    guarded = found.get(GUARD_FOUND)
    if isinstance(guarded, dict):
        found[GUARD_FOUND] = {part: each for part, each in guarded.items() if part != "bound"}
    return [
        (
            name.replace("_", " "),
            [f"{part.replace('_', ' ')}: {said(each)}" for part, each in value.items()]
            if isinstance(value, dict)
            else [said(value)],
        )
        for name, value in found.items()
        if value not in ({}, None)
    ]


def _origin(part: dict[str, Any], recipe: str) -> str:
    """Return where an encoder or a head is from, as plain text."""
    return names.origin(part["source"], part["revision"], recipe, str)


def _values(described: dict[str, Any], files: dict[str, Any], build: Path) -> dict[str, Any]:
    variants, head = described["variants"], described["head"]
    hashes = {row["name"]: files[row["file"]]["sha256"] for row in variants}
    facts = head["labels"], head["thresholds"], head["problem_type"]
    evaluation = inputs.evaluation(build, hashes, head["labels"])
    table, card = overview.of(described), described["recipe"].get("card") or {}
    single = head["problem_type"] == SINGLE_LABEL
    own = (described["recipe"].get("head") or {}).get("source") == head["source"]
    return {
        **described,
        "title": card.get("title") or described["name"],
        "what": lead.what(described, card),
        "start": notes.start(table, described),
        "points": lead.points(described, card, table),
        "overview": table,
        "unfolded": (table.evaluation or {}).get("variant", table.rows[0].name),
        "notes": notes.notes(table, described),
        "texts": reference.called(described),
        "kind": reference.kind(described),
        "counts_as": other_labels.definition(single),
        "other_labels": other_labels.rows(described),
        "beside": others.rows(described, table, card.get("thresholds") if own else None),
        "others": others,
        "plan": _plan(described["quantization"]),
        "largest": {row["name"]: _largest(row) for row in variants if row["quantization"] != "none"},
        "limited": any(row["tolerance"]["max_probability_error"] is not None for row in variants),
        "silent": any(head["thresholds"].values()),
        "verdicts": {row["name"]: not parity.violations(*parity.row_of(row)) for row in variants},
        "files": files,
        "single_label": single,
        "flips": _flips(described),
        "evaluation": evaluation,
        "plots": plots.per_label(evaluation, *facts) if evaluation else [],
        "benchmark": inputs.benchmark(build, {row["name"]: row["size"] for row in variants}),
    }


def render(described: dict[str, Any], files: dict[str, Any], build: Path) -> str:
    """Return the page.

    Args:
        described: the content of the manifest, but for its files.
        files: name → ``{sha256, size}`` of the artifact's other files.
        build: the build's folder; the evaluation and the benchmark are read from it where they are.

    Raises:
        ArtifactError: the evaluation or the benchmark is there, but damaged or of another layout.
    """
    try:
        return _environment().get_template("report.html.j2").render(_values(described, files, build))
    except (KeyError, TypeError, UndefinedError) as error:
        raise ArtifactError(
            f"{build}: its evaluation or benchmark is of another version ({error}); run `make evaluate` and "
            "`make bench`, or remove them"
        ) from error
