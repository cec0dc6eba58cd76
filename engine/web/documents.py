"""What the gateway tells of the API: the descriptors, the OpenAPI document, and a page that lists all paths.

All three come from `patrol.v1.binpb`, the protos with their comments, which the build puts beside the stubs.
"""

import html
from functools import cache
from importlib.resources import files

import orjson
from google.protobuf import descriptor_pb2

from engine.web.openapi import openapi, readable_path
from engine.web.routes import Router

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>kitchen-patrol: patrol.v1 over HTTP</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left; vertical-align: top; }}
code {{ font-size: .9rem; overflow-wrap: anywhere; }}
:root {{ color-scheme: light dark; }}
</style>
<h1>patrol.v1 over HTTP</h1>
<p>Every call of the API with JSON. <a href="/openapi.json">openapi.json</a> describes requests and replies;
<a href="/patrol.v1.binpb">patrol.v1.binpb</a> has the protos as descriptors. Send a token as
<code>Authorization: Bearer TOKEN</code>. Health: <a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>.</p>
<p>A camera's latest picture: <code>GET /v1/cameras/{{camera}}/picture.jpg?sidePxMax=640&amp;annotated=true</code>.
Watches: <code>Accept: text/event-stream</code>, or lines of JSON.</p>
<table>
<thead><tr><th>method</th><th>path</th><th>call</th><th>what it does</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""


@cache
def descriptors() -> bytes:
    """Return the protos, with all they import, as one google.protobuf.FileDescriptorSet."""
    return (files("patrol.v1") / "patrol.v1.binpb").read_bytes()


@cache
def openapi_json() -> bytes:
    """Return the OpenAPI document."""
    return orjson.dumps(openapi(comments()), option=orjson.OPT_INDENT_2) + b"\n"


@cache
def index_html() -> str:
    """Return a page that lists all paths."""
    said = comments()
    rows = []
    for route in Router().routes:
        service = route.method.path.split("/")[1]
        does = said[f"{service}.{route.method.name.partition('/')[2]}"]
        cells = (
            route.verb,
            f"<code>{html.escape(readable_path(route.template)[0])}</code>",
            route.method.name,
            html.escape(does),
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return _PAGE.format(rows="\n".join(rows))


@cache
def comments() -> dict[str, str]:
    """Return the comment before each message, field, enum, value, service and call, by its full name."""
    image = descriptor_pb2.FileDescriptorSet.FromString(descriptors())
    said: dict[str, str] = {}
    for file in image.file:
        for location in file.source_code_info.location:
            name = _name_at(file, list(location.path))
            if name:
                said[f"{file.package}.{name}"] = " ".join(location.leading_comments.split())
    return said


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """Return the name of what a path of SourceCodeInfo points at: pairs of a field's number and an index."""
    names = []
    at: object = file
    while len(path) >= 2:
        number, index, *path = path
        field = at.DESCRIPTOR.fields_by_number[number]  # type: ignore[attr-defined]
        if not field.is_repeated or field.message_type is None:
            return ""
        at = getattr(at, field.name)[index]
        names.append(getattr(at, "name", ""))
    return "" if path else ".".join(names)
