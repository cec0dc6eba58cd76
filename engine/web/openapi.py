"""Describes the API as an OpenAPI 3.1 document, made of the protos, their annotations and their comments. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from engine.web.routes import PICTURE_PATHS, Route, Router
from patrol.v1 import bounds_pb2

Comments = Mapping[str, str]
Json = dict[str, Any]
_TITLE = "kitchen-patrol: patrol.v1"
_ABOUT = (
    "Checks every kitchen camera of a province. Generated from proto/patrol/v1/; docs/http.md says how to call it. "
    "Fields without a value are left out of replies; 64-bit integers are strings."
)
_REF = "#/components/schemas/"
_SCALARS: dict[int, Json] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    FieldDescriptor.TYPE_FIXED64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
}
_WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Paths of fields, with commas between."},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
}
_ERROR: Json = {
    "type": "object",
    "description": "An error: google.rpc.Status as AIP-193 writes it.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "message": {"type": "string", "description": "For people: what is wrong, and the remedy."},
                "status": {"type": "string", "description": "The code of gRPC, such as NOT_FOUND."},
                "details": {
                    "type": "array",
                    "description": "ErrorInfo, BadRequest and RetryInfo of google.rpc.",
                    "items": {"type": "object", "properties": {"@type": {"type": "string"}}},
                },
            },
        }
    },
}


def openapi(comments: Comments) -> Json:
    """Return the document. `comments`: of the protos, by full name."""
    schemas = _Schemas(comments)
    paths: dict[str, Json] = {}
    for route in Router().routes:
        path, names = readable_path(route.template)
        operation = _operation(route, names, schemas, comments)
        paths.setdefault(path, {})[route.verb.lower()] = operation
    for number, (path, target) in enumerate(PICTURE_PATHS):
        paths[path] = {"get": _picture(number, path, paths[target.replace("latest", "{verdict}")]["get"])}
    services = dict.fromkeys(route.method.path.split("/")[1] for route in Router().routes)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": "v1", "description": _ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "tags": [{"name": name.rpartition(".")[2], "description": comments[name]} for name in services],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "As `patrol token create` prints it."}
            },
            "schemas": {"Error": _ERROR, **schemas.all()},
        },
    }


def _operation(route: Route, names: list[str], schemas: "_Schemas", comments: Comments) -> Json:
    method = route.method
    service = method.path.split("/")[1]
    tag, _, name = method.name.partition("/")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": f"Id of a {name}."}
        for name in names
    ]
    operation: Json = {
        "operationId": name,
        "tags": [tag],
        "description": comments[f"{service}.{name}"],
        "parameters": parameters,
        "responses": {"200": _reply(route, schemas), "default": _failure()},
    }
    request: Any = method.request.DESCRIPTOR
    if route.body:
        body: Any = request if route.body == "*" else request.fields_by_name[route.body].message_type
        content: Json = {"application/json": {"schema": schemas.ref(body)}}
        if method.streams_in:
            content["application/x-ndjson"] = {"schema": schemas.ref(body)}
        operation["requestBody"] = {"required": True, "content": content}
    if route.body != "*":
        taken = {*route.variables, route.body}
        parameters += [_query(path, field, schemas) for path, field in _leaves(request, "", taken)]
    if not parameters:
        del operation["parameters"]
    return operation


def _reply(route: Route, schemas: "_Schemas") -> Json:
    kind: Any = route.method.reply.DESCRIPTOR
    schema = schemas.ref(kind)
    if route.method.streams_out:
        about = "A message a line, or an event each, whose id is the resume token."
        content: Json = {"application/x-ndjson": {"schema": schema}, "text/event-stream": {"schema": schema}}
        return {"description": about, "content": content}
    content = {"application/json": {"schema": schema}}
    if "jpeg" in kind.fields_by_name:
        content["image/jpeg"] = {"schema": {}}
    return {"description": "OK", "content": content}


def _failure() -> Json:
    return {"description": "An error.", "content": {"application/json": {"schema": {"$ref": f"{_REF}Error"}}}}


def _picture(number: int, path: str, operation: Json) -> Json:
    """Describe a path that ends in .jpg; `operation`: of the call that it means."""
    named = [item for item in operation["parameters"] if item["in"] == "query" or f"{{{item['name']}}}" in path]
    return {
        "operationId": f"{operation['operationId']}Jpeg{number or ''}",
        "tags": operation["tags"],
        "description": f"{operation['description']} As JPEG, with ETag and the time of its arrival.",
        "parameters": named,
        "responses": {
            "200": {"description": "OK", "content": {"image/jpeg": {"schema": {}}}},
            "304": {"description": "The caller has it: If-None-Match names its ETag."},
            "default": _failure(),
        },
    }


def readable_path(template: str) -> tuple[str, list[str]]:
    """Return the path of a template with a name for each `*`, the singular of what stands before it; and the names."""
    names: list[str] = []

    def named(match: "re.Match[str]") -> str:
        name = match[1].removesuffix("s")
        names.append(name)
        return f"{match[1]}/{{{name}}}"

    flat = re.sub(r"\{[\w.]+=([^}]*)\}", r"\1", template)
    return re.sub(r"(\w+)/\*", named, flat), names


def _leaves(kind: Descriptor, prefix: str, taken: set[str]) -> Iterator[tuple[str, FieldDescriptor]]:
    """Yield what a query may have: the path and the field of every leaf of a request."""
    for field in kind.fields:
        path = f"{prefix}{field.json_name}"
        if f"{prefix}{field.name}" in taken:
            continue
        inner = field.message_type
        if inner is None or inner.full_name in _WELL_KNOWN:
            yield path, field
        elif not field.is_repeated:
            yield from _leaves(inner, f"{path}.", set())


def _query(path: str, field: FieldDescriptor, schemas: "_Schemas") -> Json:
    schema = schemas.field(field)
    parameter: Json = {"name": path, "in": "query"}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if _has_behavior(field, field_behavior_pb2.REQUIRED):
        parameter["required"] = True
    return {**parameter, "schema": schema}


def _has_behavior(field: FieldDescriptor, behavior: int) -> bool:
    options: Any = field.GetOptions()
    return behavior in options.Extensions[field_behavior_pb2.field_behavior]


class _Schemas:
    """The schemas of all messages and enums that were referred to, and of those that they refer to."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self._schemas: dict[str, Json] = {}

    def all(self) -> dict[str, Json]:
        """Return them by name."""
        return dict(sorted(self._schemas.items()))

    def ref(self, kind: Descriptor | EnumDescriptor) -> Json:
        """Return a reference to a message or enum."""
        if kind.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[kind.full_name])
        if kind.name not in self._schemas:
            self._schemas[kind.name] = {}  # first, since a message may contain itself
            self._schemas[kind.name] = self._message(kind) if isinstance(kind, Descriptor) else self._enum(kind)
        return {"$ref": f"{_REF}{kind.name}"}

    def field(self, field: FieldDescriptor) -> Json:
        """Return the schema of a field, with its comment and its bounds."""
        options: Any = field.GetOptions()
        bounds = options.Extensions[bounds_pb2.bounds]
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            schema: Json = {"type": "object", "additionalProperties": self._value(entry.fields_by_name["value"])}
        else:
            schema = self._bounded(
                self._value(field), bounds, optional=not _has_behavior(field, field_behavior_pb2.REQUIRED)
            )
            if field.is_repeated:
                schema = {"type": "array", "items": schema}
                if bounds.items_max:
                    schema["maxItems"] = bounds.items_max
        comment = self._comments.get(field.full_name)
        if comment:
            schema["description"] = comment
        if _has_behavior(field, field_behavior_pb2.OUTPUT_ONLY):
            schema["readOnly"] = True
        return schema

    def _bounded(self, schema: Json, bounds: Any, *, optional: bool) -> Json:
        if bounds.chars_max:
            schema["maxLength"] = bounds.chars_max
        if bounds.bytes_max:
            schema["maxLength"] = (bounds.bytes_max + 2) // 3 * 4  # JSON has bytes as base64
        if bounds.pattern:
            schema["pattern"] = f"^({bounds.pattern}){'?' if optional else ''}$"
        if bounds.most:
            schema["maximum"] = bounds.most
        return schema

    def _value(self, field: FieldDescriptor) -> Json:
        if field.message_type is not None:
            return self.ref(field.message_type)
        if field.enum_type is not None:
            return self.ref(field.enum_type)
        return dict(_SCALARS[field.type])

    def _message(self, kind: Descriptor) -> Json:
        schema: Json = {"type": "object"}
        if kind.full_name in self._comments:
            schema["description"] = self._comments[kind.full_name]
        if kind.fields:
            schema["properties"] = {field.json_name: self.field(field) for field in kind.fields}
        required = [field.json_name for field in kind.fields if _has_behavior(field, field_behavior_pb2.REQUIRED)]
        if required and kind.name.endswith("Request"):
            schema["required"] = required
        return schema

    def _enum(self, kind: EnumDescriptor) -> Json:
        lines = [self._comments.get(kind.full_name, "")]
        # In C++ scope, and so in descriptors, a value is a sibling of its enum.
        lines += [
            f"- `{value.name}`: {self._comments.get(f'{kind.full_name}.{value.name}', '')}" for value in kind.values
        ]
        return {"type": "string", "enum": [value.name for value in kind.values], "description": "\n".join(lines)}
