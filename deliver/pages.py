"""The README of a server's package, from its template."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from deliver.source import Source


def page(template: str, source: Source, **more: object) -> str:
    """Return a page as Markdown; `source` and `more` are the template's values."""
    environment = Environment(
        loader=PackageLoader("deliver", "templates"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template(template).render(source=source, **more)
