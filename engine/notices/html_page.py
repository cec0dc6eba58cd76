"""Renders a digest as one self-contained HTML file, for screen and print. The only module that imports Jinja2."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engine.model.kpi import KpiName
from engine.notices import formatting
from engine.notices.digest import Digest
from engine.notices.vocabulary import Lang, Words


def html(digest: Digest, lang: Lang) -> str:
    """Return the page in one language."""
    words = Words(lang)
    return _template().render(
        d=digest, w=words, formatting=formatting, kpi_names=list(KpiName), at_ns=formatting.as_of_ns(digest)
    )


@cache
def _template() -> Template:
    # Registry text comes from others: everything that goes into the page is escaped.
    environment = Environment(
        loader=PackageLoader("engine.notices", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("digest.html.jinja")
