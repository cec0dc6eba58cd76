"""Finds the call that an HTTP request means, by the google.api.http annotations of the protos (AIP-127). Pure."""

import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import unquote

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.message import Message

from engine.errors import InvalidArgumentError
from patrol import v1

PICTURE_PATHS = (
    ("/v1/cameras/{camera}/picture.jpg", "/v1/cameras/{camera}/verdicts/latest:picture"),
    ("/v1/cameras/{camera}/thumbnail.jpg", "/v1/cameras/{camera}:thumbnail"),
    ("/v1/cameras/{camera}/verdicts/{verdict}.jpg", "/v1/cameras/{camera}/verdicts/{verdict}:picture"),
    ("/v1/findings/{finding}/picture.jpg", "/v1/findings/{finding}:picture"),
    ("/v1/findings/{finding}/photographs/{photograph}.jpg", "/v1/findings/{finding}/photographs/{photograph}"),
)
"""Paths that ask for a picture whatever the header Accept says, and the path of the call that each means."""
_VERBS = ("get", "put", "post", "delete", "patch")
_TOKEN = re.compile(r"\{([\w.]+)(?:=([^}]*))?\}|\*\*|\*|[^{*]+")
_ENCODED_SLASH = re.compile("(%2F)", re.IGNORECASE)


@dataclass(frozen=True)
class Method:
    """One call. `name`: such as CameraService/GetCamera; `path`: its path in gRPC."""

    name: str
    path: str
    request: type[Message]
    reply: type[Message]
    streams_in: bool
    streams_out: bool


@dataclass(frozen=True)
class Route:
    """One HTTP rule of a call. `variables`: paths of the request's fields that the URL's path gives, in order.

    `body`: the field that the body is; `*`: the whole request; empty: there is no body.
    """

    verb: str
    template: str
    body: str
    method: Method
    pattern: "re.Pattern[str]"
    variables: tuple[str, ...]
    has_custom_verb: bool


@dataclass(frozen=True)
class Match:
    """A route, and what the URL's path says: the value of each field path."""

    route: Route
    values: dict[str, str]


class Router:
    """All routes. Routes with a custom verb (`:batchGet`) come first: a camera's id may have a colon."""

    def __init__(self) -> None:
        self.routes = tuple(routes())
        self._ordered = sorted(self.routes, key=lambda route: not route.has_custom_verb)

    def match(self, verb: str, raw_path: str) -> Match | None:
        """Return the route of an HTTP verb and a path that is still percent-encoded; None if there is none.

        Raises InvalidArgumentError if the path does not decode.
        """
        for route in self._ordered:
            found = route.pattern.fullmatch(raw_path) if route.verb == verb else None
            if found is not None:
                pairs = zip(route.variables, found.groups(), strict=True)
                return Match(route, {field: _decoded(field, text) for field, text in pairs})
        return None

    def verbs(self, raw_path: str) -> list[str]:
        """Return the HTTP verbs that a path allows; empty if there is no such path."""
        return sorted({route.verb for route in self.routes if route.pattern.fullmatch(raw_path)})


def picture_path(raw_path: str) -> str | None:
    """Return the path of the call that a path which ends in .jpg means; None if it is no such path."""
    for template, target in PICTURE_PATHS:
        names = re.findall(r"\{(\w+)\}", template)
        pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(template))
        found = re.fullmatch(pattern, raw_path)
        if found is not None:
            return target.format(**dict(zip(names, found.groups(), strict=True)))
    return None


def takes_files(request: type[Message]) -> bool:
    """Whether requests of this type bring files, and so may be larger than others: they have a field of bytes."""
    return any(field.type == field.TYPE_BYTES for field in request.DESCRIPTOR.fields)


@cache
def methods() -> tuple[Method, ...]:
    """Return every call that has an HTTP path."""
    return tuple(method for method, _ in _annotated())


def routes() -> Iterator[Route]:
    """Yield every HTTP rule of every call."""
    for method, rule in _annotated():
        for binding in (rule, *rule.additional_bindings):
            verb = next(verb for verb in _VERBS if getattr(binding, verb))
            template = getattr(binding, verb)
            pattern, variables = _compiled(template)
            custom_verb = ":" in template.rpartition("}")[2]
            yield Route(verb.upper(), template, binding.body, method, pattern, variables, custom_verb)


def _files() -> Iterator[Any]:
    """Yield the module of each .proto file."""
    for module in pkgutil.iter_modules(v1.__path__):
        if module.name.endswith("_pb2"):
            yield import_module(f"{v1.__name__}.{module.name}")


def _annotated() -> Iterator[tuple[Method, Any]]:
    for file in _files():
        for service in file.DESCRIPTOR.services_by_name.values():
            for descriptor in service.methods:
                rule = descriptor.GetOptions().Extensions[annotations_pb2.http]
                if rule.WhichOneof("pattern") is None:
                    continue
                proto = descriptor_pb2.MethodDescriptorProto()
                descriptor.CopyToProto(proto)
                method = Method(
                    f"{service.name}/{descriptor.name}",
                    f"/{service.full_name}/{descriptor.name}",
                    message_factory.GetMessageClass(descriptor.input_type),
                    message_factory.GetMessageClass(descriptor.output_type),
                    proto.client_streaming,
                    proto.server_streaming,
                )
                yield method, rule


def _compiled(template: str) -> tuple["re.Pattern[str]", tuple[str, ...]]:
    """Return the pattern of a path template, with a group for each variable, and the variables' field paths."""
    variables = []
    pattern = ""
    for token in _TOKEN.finditer(template):
        if token[1]:
            variables.append(token[1])
            pattern += f"({_segments(token[2] or '*')})"
        else:
            pattern += _segments(token[0])
    return re.compile(pattern), tuple(variables)


def _segments(text: str) -> str:
    return re.escape(text).replace(r"\*\*", ".*").replace(r"\*", "[^/]+")


def _decoded(field: str, text: str) -> str:
    """Percent-decode a variable. In one of several segments %2F stays, since there it is no separator (AIP-127)."""
    parts = _ENCODED_SLASH.split(text) if "/" in text else [text]
    try:
        return "".join(
            part if _ENCODED_SLASH.fullmatch(part) and "/" in text else unquote(part, errors="strict") for part in parts
        )
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(field, f"{text[:60]!r} does not decode as UTF-8; percent-encode UTF-8") from error
