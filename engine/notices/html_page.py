"""Renders a digest as one self-contained HTML file, for screen and print. The only module that imports Jinja2."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engine.model.kpi import KpiName
from engine.notices import formatting
from engine.notices.digest import Digest, FindingPictures
from engine.notices.vocabulary import Lang, Words


def html(digest: Digest, lang: Lang, pictures: Mapping[int, FindingPictures] = MappingProxyType({})) -> str:
    """Return the page in one language.

    `pictures`: by the number of a finding; a finding that is not in it is listed without a place for pictures.
    """
    words = Words(lang)
    return _template().render(
        d=digest,
        w=words,
        formatting=formatting,
        kpi_names=list(KpiName),
        at_ns=formatting.as_of_ns(digest),
        pictures=pictures,
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
