"""`report.html`: what was built from what, and how it was verified, on one page without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from core.artifact.manifest import Tolerance
from core.errors import ArtifactError
from verify.escape import shortened, visible
from verify.parity.parity import Parity, violations
from verify.report import inputs, metrics, plots
from verify.report.inputs import Evaluation

REPORT_FILE = "report.html"
_BASELINES = ("torch", "optimum")
_LONGEST_TEXT = 100


def _printable(value: Any) -> Any:
    """Return what a template prints, without what HTML forbids; SVG is of our own making."""
    return visible(value) if type(value) is str else value


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}".replace("-", "−")


def _shortened(text: str) -> str:
    return shortened(text, _LONGEST_TEXT)


def _spread(found: dict[str, float], digits: int = 0) -> str:
    return f"{found['median']:,.{digits}f} ({found['low']:,.{digits}f}–{found['high']:,.{digits}f})"


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
    environment.filters |= {"number": _number, "shortened": _shortened, "signed": _signed, "spread": _spread}
    return environment


def _flips(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row a label: its flips in each variant."""
    rows = []
    for label, threshold in described["head"]["thresholds"].items():
        counts = [variant["parity"]["flips"][label] for variant in described["variants"]]
        rows.append({"label": label, "threshold": threshold, "counts": counts, "flipped": any(counts)})
    return rows


def _evaluation(found: Evaluation | None, head: dict[str, Any]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "texts": len(found.truth),
        "variants": [row["variant"] for row in found.variants],
        "published": found.published,
        "averages": metrics.averages(found),
        "tables": metrics.tables(found),
        "plots": metrics.plots(found, head["labels"], head["thresholds"]),
    }


def _benchmark(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the benchmark with a plot for each number of threads and batch size."""
    if found is None:
        return None
    runs = []
    for threads in found["plan"]["threads"]:
        for batch in found["plan"]["sizes"]:
            rows = [r for r in found["measurements"] if (r["threads"], r["batch"]) == (threads, batch)]
            title = f"Batch {batch}, {threads} thread{'' if threads == 1 else 's'}"
            drawn = [
                {
                    "contender": r["contender"],
                    "ours": r["contender"] in ("fp32", "int8"),
                    **r["texts_per_second"],
                }
                for r in rows
            ]
            plot = plots.bars(f"{title}: texts/s", drawn)
            runs.append({"title": title, "rows": rows, "plot": plot})
    baselines = [name for name in _BASELINES if name in found["contenders"]]
    return {**found, "runs": runs, "baselines": baselines}


def _passed(variant: dict[str, Any]) -> bool:
    found, tolerance = Parity(**variant["parity"]), Tolerance(**variant["tolerance"])
    return not violations(variant["name"], found, tolerance)


def _values(described: dict[str, Any], files: dict[str, Any], build: Path) -> dict[str, Any]:
    hashes = {row["name"]: files[row["file"]]["sha256"] for row in described["variants"]}
    sizes = {row["name"]: row["size"] for row in described["variants"]}
    head = described["head"]
    return {
        **described,
        "verdicts": {row["name"]: _passed(row) for row in described["variants"]},
        "files": files,
        "hashes": hashes,
        "flips": _flips(described),
        "evaluation": _evaluation(inputs.evaluation(build, hashes, head["labels"]), head),
        "benchmark": _benchmark(inputs.benchmark(build, sizes)),
        "protocols": metrics.PROTOCOLS,
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
