"""Write the model card of an artifact: the YAML from which the hub lists and finds it, then its Markdown."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from core.build.facts import weights_sha256
from core.contract import HEAD_FILES, SINGLE_LABEL
from core.recipe import Recipe
from verify import readable
from verify.escape import code, inline, table
from verify.parity import parity
from verify.report import front_matter, names, overview
from verify.report.overview import Overview

# Where the recipe has none.
_EXAMPLES = ["I love this!", "Why would anyone do that?"]
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
    """Return what it is, how large and how good: paragraphs of Markdown."""
    head, text = described["head"], described["text"]
    labels, single = len(head["labels"]), head["problem_type"] == SINGLE_LABEL
    parts = [
        *(["tokenizer"] if text else []),
        f"sentence encoder ({names.named(recipe, described, 'encoder')})",
        f"classifier ({names.named(recipe, described, 'head')})",
        *(["thresholds"] if any(head["thresholds"].values()) else []),
    ]
    what = (
        f"Give it {'a text' if text else 'the token ids of a text'}, and it says which "
        f"{f'one of {labels} labels fits' if single else f'of {labels} labels fit'}. "
        f"{readable.sentence(readable.series(parts))} are one ONNX file, which onnxruntime runs."
    )
    one_label = (
        " It is single-label: the probabilities of a text add up to 1, and the decision is the label with "
        "the highest."
    )
    first, found = seen.rows[0], seen.evaluation
    figures = [f"**{readable.size(first.size)}**"]
    if first.figure is not None and found:
        on = f"the {found['split']} texts of {inline(found['data'])}"
        figures.append(f"{seen.figure_name} **{readable.score(first.figure)}** on {on}")
    if first.changed is not None:
        than = "in float32" if seen.since_fp32 else "by the original"
        figures.append(f"**{readable.percent(first.changed)}** of the texts decided otherwise than {than}")
    unknown = ""
    if first.figure is None:
        named = described["data"] is not None
        why = "`make evaluate` was not run" if named else "the recipe names no texts with labels"
        unknown = f" How often its labels are right was not measured: {why}."
    return [what + (one_label if single else ""), f"`{first.name}`: {', '.join(figures)}.{unknown}"]


def _variants(seen: Overview) -> str:
    """Return the table of all graphs, the first to take first."""
    columns = ["variant", "file", "size"]
    columns += [seen.figure_name] if seen.has_figures else []
    columns += ["changed decisions", *(["texts/s"] if seen.speed else []), "when to take it"]
    rows = []
    for row in seen.rows:
        cells = [f"`{row.name}`", f"`{row.file}`", readable.size(row.size)]
        cells += [readable.score(row.figure)] if seen.has_figures else []
        cells += [readable.percent(row.changed)]
        cells += [readable.rate(row.texts_per_second)] if seen.speed else []
        rows.append([*cells, inline(row.take)])
    return _table(columns, rows, words=2, last=1)


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
        change, flips = limits.max_probability_error, limits.max_flip_rate
        allowed = [f"a change of {readable.error(change)}"] if change is not None else []
        allowed += [f"{readable.percent(flips)} of the texts"] if flips is not None else []
        figures = (found.max_probability_error, found.mean_probability_error, found.batch_error)
        changed = f"{readable.count(found.flipped)} ({readable.percent(found.flip_rate)})"
        rows.append([f"`{name}`", *map(readable.error, figures), changed, ", ".join(allowed)])
    columns = ["variant", "largest change of a probability", "mean change", "alone or in a batch"]
    return _table([*columns, "texts with a changed decision", "the recipe allows"], rows, words=1, last=1)


def _same_on_every_cpu(variants: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return which variants' integer products cannot saturate, by how many pairs of weights each has."""
    found: dict[int, list[str]] = {}
    for variant in variants:
        pairs = variant["pairs"]
        if pairs["weights"] and not pairs["can_saturate"] and not pairs["unproven"]:
            found.setdefault(pairs["examined"], []).append(variant["name"])
    return [(readable.series(names), examined) for examined, names in found.items()]


def _use(recipe: Recipe) -> list[str]:
    card = recipe.card
    use = [inline(card.use)] if card.use else []
    return [*use, f"Not for: {inline(card.misuse)}"] if card.misuse else use


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
    rows = [["these files", inline(card.license)]] if card.license else []
    for part, words in card.licenses.items():
        if part not in ("encoder", "head") or names.is_own(recipe, described, part):
            known = {"encoder": "the encoder", "head": "the classifier"}.get(part, inline(part))
            name = f" ({names.named(recipe, described, part)})" if part in ("encoder", "head") else ""
            rows.append([f"{known}{name}", inline(words)])
    if data.get("license"):
        rows.append([f"the data ({inline(data['name'])})", inline(data["license"])])
    return _table(["what", "licence"], rows, words=2) if rows else ""


def _source(part: dict[str, Any]) -> tuple[str, str | None]:
    return part["source"], part["revision"]


def render(recipe: Recipe, described: dict[str, Any]) -> str:
    """Return the model card, given what the manifest says."""
    environment = Environment(
        loader=PackageLoader("verify.report", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    readers = ("count", "score", "percent", "error", "threshold")
    environment.filters |= {"inline": inline, "code": code}
    environment.filters |= {name: getattr(readable, name) for name in readers}
    seen, head = overview.of(described), described["head"]
    examples = recipe.card.examples[:2] or _EXAMPLES
    return environment.get_template("card.md.j2").render(
        described,
        recipe=recipe,
        title=recipe.card.title or recipe.name,
        description=recipe.card.description,
        lead=_lead(recipe, described, seen),
        front_matter=front_matter.render(recipe, described),
        stacked=recipe.contract == "stacked",
        single_label=head["problem_type"] == SINGLE_LABEL,
        silent=any(head["thresholds"].values()),
        best=overview.best(described["variants"]),
        examples=json.dumps(examples, ensure_ascii=False),
        example=json.dumps(examples[0], ensure_ascii=False),
        use=_use(recipe),
        training=_training(recipe, described),
        limits=_limits(recipe, described),
        biases=[*recipe.card.biases, *((described["data"] or {}).get("biases") or [])],
        licenses=_licenses(recipe, described),
        shown=seen.evaluation,
        variants_table=_variants(seen),
        notes=inline(" ".join(overview.notes(seen, described))),
        labels_table=_labels(head, seen.evaluation),
        parity_table=_parity(described["variants"]),
        same_on_every_cpu=_same_on_every_cpu(described["variants"]),
        origins={part: names.origin(*_source(described[part]), recipe.name) for part in ("encoder", "head")},
        encoder_sha256=weights_sha256(described["encoder"]["sha256"]),
        head_sha256=next(head["sha256"][name] for name in HEAD_FILES if name in head["sha256"]),
    )
