"""A digest as one HTML file that needs nothing else, to be read and to be printed. The only import of Jinja2."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engine.model.kpi import KpiName
from engine.notices import formatting
from engine.notices.digest import Digest
from engine.notices.vocabulary import Lang, Words


def html(digest: Digest, lang: Lang) -> str:
    """The page."""
    words = Words(lang)
    return _template().render(
        d=digest, w=words, cells=formatting, kpi_names=list(KpiName), at_ns=formatting.as_of_ns(digest)
    )


@cache
def _template() -> Template:
    # All that comes from a registry is somebody else's text: nothing goes into the page unescaped.
    environment = Environment(
        loader=PackageLoader("engine.notices", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("digest.html.jinja")
