"""Renders the console's templates, in the language of a page. With engine/notices/html_page.py the only one that
imports Jinja2.
"""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from engine.web.console.assets import assets
from engine.web.console.languages import Language, language
from engine.web.console.words import Words


def render(template: str, chosen: Language, values: dict[str, Any]) -> str:
    """Return a template with these values as HTML. What comes from cameras, registries and forms is escaped."""
    return _environment(chosen.code).get_template(template).render(values)


@cache
def _environment(code: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("engine.web.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    chosen = language(code)
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        chosen.text, chosen.count_text, newstyle=True
    )
    environment.globals.update(w=Words(chosen), language=chosen, asset=lambda name: assets()[name].path)
    return environment
