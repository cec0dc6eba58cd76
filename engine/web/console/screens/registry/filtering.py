"""Which cameras of the registry a query asks for."""

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.page import Page
from engine.web.console.screens.cameras import form
from patrol.v1.cameras_pb2 import CameraFilter

_YES_NO = {"yes": True, "no": False}


def filter_of(page: Page) -> tuple[CameraFilter, dict[str, str]]:
    """Return the filter that a query asks for, and its fields as they were given. Raises InvalidArgumentError."""
    words = dict(form.words("key_point"))
    query = {
        "query": forms.text(page.query, "query", 100),
        "region": forms.text(page.query, "region", 6),
        "canteen": forms.text(page.query, "canteen", 64),
        "key_point": forms.choice(page.query, "key_point", words),
        "disabled": forms.choice(page.query, "disabled", _YES_NO),
        "push": forms.choice(page.query, "push", _YES_NO),
    }
    if query["region"] and not (query["region"].isascii() and query["region"].isdigit()):
        raise InvalidArgumentError("region", f"{query['region']!r}; allowed: up to 6 digits of GB/T 2260")
    chosen = CameraFilter(query=query["query"], region_prefix=query["region"], site_id=query["canteen"])
    if query["key_point"]:
        chosen.key_points.append(words[query["key_point"]])  # type: ignore[arg-type]
    if query["disabled"]:
        chosen.disabled = _YES_NO[query["disabled"]]
    if query["push"]:
        chosen.push = _YES_NO[query["push"]]
    return chosen, query
