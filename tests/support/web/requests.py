"""Turns a message of a request into the HTTP request that means it, as a caller who reads openapi.json would."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from google.protobuf import json_format

from engine.web.routes import Router

ROUTES = {route.method.name: route for route in Router().routes}


class HttpRequest(NamedTuple):
    """`path`: with variables in their places; `template`: as in openapi.json, for looking up."""

    verb: str
    path: str
    params: list[tuple[str, str]]
    body: Any


def http_request(name: str, message: Any) -> HttpRequest:
    """Return the HTTP request of a call."""
    route = ROUTES[name]
    tree = json_format.MessageToDict(message)
    path = route.template
    for variable in route.variables:
        value = _pop(tree, variable)
        path = re.sub(rf"\{{{re.escape(variable)}=[^}}]*\}}", quote(value, safe="/"), path, count=1)
    body = tree if route.body == "*" else tree.pop(route.body, {}) if route.body else None
    return HttpRequest(route.verb, path, [] if route.body == "*" else list(_pairs(tree, "")), body)


def _pop(tree: dict[str, Any], path: str) -> str:
    *parents, name = path.split(".")
    for parent in parents:
        tree = tree[parent]
    return str(tree.pop(name))


def _pairs(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _pairs(value, f"{prefix}{name}.")
        else:
            for item in value if isinstance(value, list) else [value]:
                yield f"{prefix}{name}", item if isinstance(item, str) else json.dumps(item)
