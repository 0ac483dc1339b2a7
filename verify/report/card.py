"""Write the model card of an artifact: the YAML from which the hub lists and finds it, then its Markdown."""

from __future__ import annotations

import json
from typing import Any

from cyclonedx.spdx import fixup_id
from jinja2 import Environment, PackageLoader, StrictUndefined

from core.build.facts import weights_sha256
from core.contract import HEAD_FILES, SINGLE_LABEL
from core.recipe import Recipe
from verify import readable
from verify.escape import code, inline, line, table
from verify.parity import parity
from verify.report import front_matter, names, overview
from verify.report.overview import Overview
from verify.report.words import lead, notes, other_labels, others, quality, reference

_FIGURES = ("f1", "precision", "recall")


def _table(header: list[str], rows: list[list[str]], words: int, last: int = 0) -> str:
    """Return a Markdown table as `escape.table` lays it out, whose numbers do not break over lines."""
    end = len(header) - last
    fixed = [
        [cell.replace(" ", "\u00a0") if words <= at < end else cell for at, cell in enumerate(row)]
        for row in rows
    ]
    return "\n".join(table(header, fixed, words, last))


def _lead(recipe: Recipe, described: dict[str, Any], seen: Overview) -> list[str]:
    """Return what to begin with, how good it is, what it is for and what to mind: points of Markdown."""
    first, card = seen.rows[0], recipe.card.model_dump()
    begin = inline(notes.start(seen, described))
    found = lead.points(described, card, seen, "**")
    return [
        f"**Begin with** `{first.file}`, **{readable.size(first.size)}**. {begin}.",
        *(f"**{name}:** {inline(words)}" for name, words in found),
    ]


def _parts(recipe: Recipe, described: dict[str, Any]) -> str:
    """Return what the graphs are made of, as a sentence."""
    head, tables = described["head"], described["recipe"].get("features") or []
    parts = [
        f"the sentence encoder ({names.named(recipe, described, 'encoder')})",
        f"the classifier ({names.named(recipe, described, 'head')})",
        *(["the thresholds"] if any(head["thresholds"].values()) else []),
    ]
    read = [f"{readable.series(t['pooling'])} of layers {', '.join(map(str, t['layers']))}" for t in tables]
    features = f" The classifier reads several of the encoder's layers: {'; '.join(read)}." if read else ""
    refitted = [f"`{row['name']}`" for row in described["variants"] if "head refitted" in row["quantization"]]
    again = "the classifier was fitted again, to what int8 makes of its inputs"
    refit = f" In {readable.series(refitted)} {again}." if refitted else ""
    return f"Each graph is {readable.series(parts)} in one ONNX file.{features}{refit}"


def _variants(seen: Overview) -> str:
    """Return the table of all graphs, the one to begin with first; numbers before what is long."""
    columns = ["variant", "size", *([seen.figure_name] if seen.has_figures else []), seen.changed_name]
    columns += [*(["texts/s"] if seen.speed else []), "file"]
    rows = []
    for row in seen.rows:
        cells = [f"`{row.name}`", readable.size(row.size)]
        cells += [readable.score(row.figure)] if seen.has_figures else []
        cells += [seen.changed(row)]
        cells += [readable.rate(row.texts_per_second)] if seen.speed else []
        rows.append([*cells, f"`{row.file}`"])
    return _table(columns, rows, words=1, last=1)


def _beside(recipe: Recipe, described: dict[str, Any], seen: Overview) -> str:
    """Return the table of what other models reach on the same texts; nothing where none are known."""
    chosen = recipe.card.thresholds if names.is_own(recipe, described, "head") else None
    rows = [[*map(inline, row)] for row in others.rows(described, seen, chosen)]
    shown = [[f"**{row[0]}**" if row[0] == others.OURS else row[0], *row[1:]] for row in rows]
    return _table(list(others.COLUMNS), shown, words=1, last=1) if rows else ""


def _labels(head: dict[str, Any], shown: dict[str, Any] | None) -> str:
    """Return the table of the labels: what was measured of each, and its threshold where any has one."""
    silent = any(head["thresholds"].values())
    last = ["threshold"] if silent else []
    if shown is None:
        rows = [
            [inline(label), *([readable.threshold(value)] if silent else [])]
            for label, value in head["thresholds"].items()
        ]
        return _table(["label", *last], rows, words=1)
    rows = [
        [
            inline(row["label"]),
            *(readable.score(row[name]) for name in _FIGURES),
            readable.count(row["support"]),
            *([readable.threshold(row["threshold"])] if silent else []),
        ]
        for row in shown["labels"]
    ]
    for kind in ("macro", "weighted"):
        means = [readable.score(shown[kind][name]) for name in _FIGURES]
        rows.append([f"**{kind} average**", *means, "", *([""] if silent else [])])
    return _table(["label", "F1", "precision", "recall", "texts", *last], rows, words=1)


def _parity(variants: list[dict[str, Any]]) -> str:
    rows = []
    for variant in variants:
        name, found, limits = parity.row_of(variant)
        allowed = limits.max_probability_error
        figures = [found.max_probability_error, found.mean_probability_error, found.batch_error]
        limit = readable.UNKNOWN if allowed is None else readable.decimal(allowed)
        rows.append([f"`{name}`", *map(readable.small, figures), limit])
    columns = [
        "variant",
        "largest change of a probability",
        "mean change",
        "change by the other texts of a batch",
    ]
    return _table([*columns, "largest allowed"], rows, words=1)


def _other_labels(described: dict[str, Any]) -> str:
    columns = ["texts", *(f"`{row['name']}`" for row in described["variants"])]
    rows = [[inline(words), *cells] for words, cells in other_labels.rows(described)]
    return _table(columns, rows, words=1)


def _same_on_every_cpu(variants: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return which variants' integer products cannot saturate, by how many pairs of weights each has."""
    found: dict[int, list[str]] = {}
    for variant in variants:
        pairs = variant["pairs"]
        if pairs["weights"] and not pairs["can_saturate"] and not pairs["unproven"]:
            found.setdefault(pairs["examined"], []).append(variant["name"])
    return [(readable.series(names), examined) for examined, names in found.items()]


def _training(recipe: Recipe, described: dict[str, Any]) -> list[str]:
    """Return how the head was made, if it is the recipe's, and what the data are."""
    card, data = recipe.card, described["data"] or {}
    own = names.is_own(recipe, described, "head")
    training = [inline(card.training)] if own and card.training else []
    words = data.get("description")
    return [*training, f"{inline(data['name'])}: {inline(words)}"] if words else training


def _limits(recipe: Recipe, described: dict[str, Any]) -> list[str]:
    length = readable.count(described["encoder"]["max_length"])
    graph = " and by the graph that takes texts" if described["text"] else ""
    stated = [*recipe.card.limits, *((described["data"] or {}).get("limits") or [])]
    cut = f"Texts are cut after {length} tokens, by tokenizer.json{graph}; more token ids are an error."
    return [*stated, cut]


def _licenses(recipe: Recipe, described: dict[str, Any]) -> str:
    """Return the table of what is known of the licences, the whole first; nothing where none is."""
    card, data = recipe.card, described["data"] or {}
    rows = [["these files", inline(fixup_id(card.license) or card.license)]] if card.license else []
    for part, words in card.licenses.items():
        if part not in ("encoder", "head") or names.is_own(recipe, described, part):
            known = {"encoder": "the encoder", "head": "the classifier"}.get(part, inline(part))
            name = f" ({names.named(recipe, described, part)})" if part in ("encoder", "head") else ""
            rows.append([f"{known}{name}", inline(words)])
    if data.get("license"):
        rows.append([f"the data ({inline(data['name'])})", inline(data["license"])])
    return _table(["what", "licence"], rows, words=2) if rows else ""


def _version(stated: str) -> tuple[int, ...]:
    return tuple(map(int, stated.split(".")))


def _source(part: dict[str, Any]) -> tuple[str, str | None]:
    return part["source"], part["revision"]


def _printed(described: dict[str, Any], file: str) -> list[str]:
    """Return what the card's program prints with a graph, a line a text."""
    # Of what a program prints, repr escapes what could end a comment.
    return [str(row) for row in described["examples"]["answers"].get(file, [])]


def _printed_by_node(answer: dict[str, float], single: bool) -> list[str]:
    """Return what the card's JavaScript prints, a line a label."""
    if single:
        return [line(label) for label in answer] or ["null"]
    return [f"{line(label)} {p:.2f}" for label, p in sorted(answer.items(), key=lambda pair: -pair[1])]


def render(recipe: Recipe, described: dict[str, Any]) -> str:
    """Return the model card, given what the manifest says."""
    environment = Environment(
        loader=PackageLoader("verify.report", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    readers = ("count", "score", "percent", "error", "threshold")
    environment.filters |= {"inline": inline, "code": code, "bound": names.bound}
    environment.filters |= {name: getattr(readable, name) for name in readers}
    seen, head = overview.of(described), described["head"]
    first, given = overview.best(described["variants"]), described["examples"]["texts"]
    answers = described["examples"]["answers"].get(first["file"])
    single = head["problem_type"] == SINGLE_LABEL
    return environment.get_template("card.md.j2").render(
        described,
        recipe=recipe,
        title=recipe.card.title or recipe.name,
        what=inline(lead.what(described, recipe.card.model_dump())),
        lead=_lead(recipe, described, seen),
        front_matter=front_matter.render(recipe, described),
        stacked=recipe.contract == "stacked",
        single_label=single,
        silent=any(head["thresholds"].values()),
        best=first,
        needs=max((row["onnxruntime"] for row in described["variants"]), key=_version),
        given=json.dumps(given, ensure_ascii=False),
        example=json.dumps(given[0], ensure_ascii=False),
        printed=_printed(described, first["file"]),
        printed_of_text=_printed(described, described["text"]["file"]) if described["text"] else [],
        printed_by_node=_printed_by_node(answers[0], single) if answers else [],
        tables=readable.series([f"`{row.name}`" for row in seen.rows[1:]]),
        takes=[(row.name, row.take) for row in seen.rows],
        parts=_parts(recipe, described),
        beside=_beside(recipe, described, seen),
        others_are=others.INTRODUCTION,
        training=_training(recipe, described),
        limits=_limits(recipe, described),
        biases=[*recipe.card.biases, *((described["data"] or {}).get("biases") or [])],
        licenses=_licenses(recipe, described),
        shown=seen.evaluation,
        variants_table=_variants(seen),
        notes=[inline(note) for note in notes.notes(seen, described)],
        too_few=quality.too_few(seen.evaluation) if seen.evaluation else None,
        labels_table=_labels(head, seen.evaluation),
        other_labels=_other_labels(described),
        counts_as=other_labels.definition(single),
        texts=reference.called(described),
        kind=reference.kind(described),
        parity_table=_parity(described["variants"]),
        same_on_every_cpu=_same_on_every_cpu(described["variants"]),
        origins={part: names.origin(*_source(described[part]), recipe.name) for part in ("encoder", "head")},
        encoder_sha256=weights_sha256(described["encoder"]["sha256"]),
        head_sha256=next(head["sha256"][name] for name in HEAD_FILES if name in head["sha256"]),
    )
