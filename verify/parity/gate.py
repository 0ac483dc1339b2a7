"""`gate`: a build's finished graphs against its reference, before anything is packaged."""

from __future__ import annotations

import json
from dataclasses import asdict

from core.artifact import tokens
from core.artifact.graph import Graph
from core.artifact.manifest import REFERENCE_FILE, TOKENIZER_FILE
from core.build import reference
from core.disk.files import sha256_file, write_text
from core.errors import GateError
from verify.build import PARITY_FILE, Build
from verify.parity import parity


def run(build: Build) -> None:
    """Measure, print, and write `parity.json` where everything is within the recipe's tolerances.

    Raises:
        GateError: a variant is over a tolerance, or the tokenizer gives other ids than the reference's.
        ArtifactError: a file of the build is missing.
    """
    original = reference.read(build.folder / REFERENCE_FILE)
    rows, records = [], {}
    for name in build.recipe.variants:
        graph = Graph(build.graph(name))
        figures = parity.measure(graph, original)
        rows.append((name, figures, build.tolerance(name)))
        records[name] = {
            "sha256": sha256_file(build.graph(name)),
            "quantization": graph.metadata.quantization,
            "parity": asdict(figures),
        }
    print(parity.table(rows))
    sentences = [sentence for row in rows for sentence in parity.violations(*row)]
    other_ids = tokens.difference(build.folder / "assets" / TOKENIZER_FILE, original)
    if sentences or other_ids:
        raise GateError("; ".join([*sentences, *([other_ids] if other_ids else [])]))
    write_text(build.folder / PARITY_FILE, json.dumps(records, indent=2, ensure_ascii=False) + "\n")
