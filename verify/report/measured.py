"""What a release says of F1 and speed: what the build measured, or else what its recipe keeps.

Figures are of a graph by its SHA-256. A recipe's `figures.json` (`make figures`) so serves every build that
gives the same bytes, where neither the data nor a quiet machine is at hand. Of other graphs it says nothing.
"""

from __future__ import annotations

from typing import Any

from core.disk.files import sha256_file, write_json
from core.errors import ArtifactError, RecipeError
from core.untrusted import json_file
from core.untrusted.regular_file import FIELD_ERRORS, naming
from verify.build import EVALUATION_FILE, FIGURES_FILE, Build
from verify.report import inputs

_AGAIN = "not what `make figures` writes"


def data(build: Build) -> dict[str, Any] | None:
    """Return what the manifest says of the recipe's own data; None where there are none."""
    found = build.data
    if found is None:
        return None
    table = found.table
    return {
        "name": found.title,
        "hub_id": table.hub_id,
        "hub_config": table.hub_config,
        "sha256": table.sha256,
        "description": table.description,
        "license": table.license,
        "others": [other.model_dump() for other in table.others],
        "limits": table.limits,
        "biases": table.biases,
    }


def _measured_on(build: Build) -> dict[str, Any]:
    """Return what tells the data of kept figures from others."""
    found = data(build) or {}
    return {key: found.get(key) for key in ("name", "sha256")}


def _packaged(protocols: dict[str, Any]) -> dict[str, Any]:
    """Return the protocol of the packaged thresholds on test, which is each problem type's first."""
    found: dict[str, Any] = protocols["packaged" if "packaged" in protocols else "dev-tuned"]
    return found


def _own_evaluations(build: Build, hashes: dict[str, str]) -> list[dict[str, Any]]:
    path = build.folder / EVALUATION_FILE
    if not path.is_file():
        return []
    found = build.json(EVALUATION_FILE)
    try:
        return [
            {
                "variant": row["variant"],
                "sha256": row["sha256"],
                "data": found["data"],
                "flips_from_fp32": row.get("flips_from_fp32"),
                **_packaged(row["protocols"]),
            }
            for row in found["variants"]
            if row["sha256"] == hashes.get(row["variant"])
        ]
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not what `make evaluate` writes now ({error}); run it again") from error


def _own_speed(build: Build, hashes: dict[str, str], sizes: dict[str, int]) -> dict[str, Any] | None:
    """Return texts/s of the largest batches on the most threads, and milliseconds of a text alone on one."""
    found = inputs.benchmark(build.folder, sizes)
    if found is None:
        return None
    with naming(build.folder / inputs.BENCH_FILE, ArtifactError, "not a benchmark's", *FIELD_ERRORS):
        plan, machine = found["plan"], found["machine"]
        rows = [row for row in found["measurements"] if row["contender"] in hashes]
        many = {"threads": max(plan["threads"]), "batch": max(plan["sizes"])}
        one = {"threads": min(plan["threads"]), "batch": min(plan["sizes"])}

        def of(how: dict[str, int], group: str, figure: str) -> dict[str, float]:
            chosen = [row for row in rows if {key: row[key] for key in how} == how]
            return {row["contender"]: row[group][figure] for row in chosen}

        rates, latencies = of(many, "texts_per_second", "median"), of(one, "latency_ms", "p50")
        return {
            "cpu": f"{machine['cpu']} ({', '.join(machine['int8_instructions']) or 'no VNNI'})",
            "cpus": machine["logical_cpus"],
            "data": found["data"],
            **many,
            "one": one,
            "variants": {
                name: {
                    "sha256": hashes[name],
                    "texts_per_second": rates[name],
                    "latency_ms": latencies.get(name),
                }
                for name in rates
            },
        }


def _kept(build: Build, hashes: dict[str, str]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return the evaluations and the speed that the recipe keeps of these very graphs and data."""
    path = build.recipe_folder / FIGURES_FILE
    if not path.is_file():
        return [], None
    found = json_file.read_object(path, RecipeError)
    with naming(path, RecipeError, _AGAIN, *FIELD_ERRORS):
        listed, speed = found["evaluations"], found["speed"]
        same = found["data"] == _measured_on(build)
        rows = [row for row in listed if same and row["sha256"] == hashes.get(row["variant"])]
        for row in rows:
            # Those of before labels were counted together have no micro.
            together = [row["micro"]] if "micro" in row else []
            figures = [row["macro"], row["weighted"], *together, *row["labels"]]
            if any(
                not 0 <= figure[name] <= 1 for figure in figures for name in ("precision", "recall", "f1")
            ):
                raise ValueError(f"{row['variant']}: expected figures between 0 and 1")
        if speed is None:
            return rows, None
        variants = {name: row for name, row in speed["variants"].items() if row["sha256"] == hashes.get(name)}
        return rows, {**speed, "variants": variants} if variants else None


def figures(
    build: Build, hashes: dict[str, str], sizes: dict[str, int]
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return how these very graphs did at the packaged thresholds, and how fast they are, as far as is known.

    Args:
        build: the build.
        hashes: variant → SHA-256 of its graph.
        sizes: variant → its size in bytes.

    Raises:
        ArtifactError: a file of the build is not what `make evaluate` or `make bench` writes.
        RecipeError: the recipe's `figures.json` is not what `make figures` writes.
    """
    evaluations, speed = _kept(build, hashes)
    return _own_evaluations(build, hashes) or evaluations, _own_speed(build, hashes, sizes) or speed


def keep(build: Build) -> None:
    """Write the recipe's `figures.json`: all that is known of the build's graphs.

    Raises:
        ArtifactError: these graphs were not evaluated, or a file of the build is damaged.
    """
    paths = {name: build.graph(name) for name in build.recipe.variants}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise ArtifactError(f"{missing[0]}: no such file; run `make evaluate`")
    hashes = {name: sha256_file(path) for name, path in paths.items()}
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    evaluations, speed = figures(build, hashes, sizes)
    absent = sorted(set(hashes) - {row["variant"] for row in evaluations})
    if absent:
        raise ArtifactError(f"{build.folder / EVALUATION_FILE}: has no {absent[0]}; run `make evaluate`")
    path = build.recipe_folder / FIGURES_FILE
    write_json(path, {"data": _measured_on(build), "evaluations": evaluations, "speed": speed})
    known = "F1 and speed" if speed else "F1; speed is not known without `make bench`"
    print(f"  verify   figures    {path}: {known}")
