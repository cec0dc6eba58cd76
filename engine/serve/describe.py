"""`python -m engine.serve.describe` writes docs/api.md: every call and message of patrol.v1, from the .proto files.

The comments are read from the sources: the stubs carry none.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor

from engine.serve.access.request_fields import bounds_of, is_output_only, is_required
from engine.serve.access.rules import PACKAGE, RULES, Reach
from patrol.v1 import access_pb2, cameras_pb2, findings_pb2, patrol_pb2, scheduler_pb2, verdicts_pb2

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
PROTO = Path(__file__).resolve().parents[2] / "proto" / "patrol" / "v1"
_FILES = {
    "cameras": cameras_pb2,
    "patrol": patrol_pb2,
    "findings": findings_pb2,
    "scheduler": scheduler_pb2,
    "access": access_pb2,
    "verdicts": verdicts_pb2,
}
_HEAD = """# The API: patrol.v1

Written by `python -m engine.serve.describe` from `proto/patrol/v1/`; a test holds it fresh. How to call it: README.md,
`examples/`.

- **Names.** A resource is called by its name: `cameras/13010200001320000001`, `cameras/{camera}/verdicts/latest`,
  `findings/12`. A `/` or `%` in a camera's id is written %2F or %25.
- **Tokens.** Metadata `authorization: Bearer TOKEN`; `patrol token create` makes them. A token has a role (viewer,
  inspector, operator, admin; each may what those before it may) and a region (a prefix of GB/T 2260). What lies outside
  of the region is NOT_FOUND, in the words of what does not exist; it is not listed, counted or sent either. While no
  token was ever made, callers on the same machine are admin, named local.
- **Filters** are messages with typed fields, all of which hold at once; no filter language.
- **Pages.** `page_token` holds a place, not a number of rows: what comes and goes meanwhile neither repeats nor skips
  anything. It is bound to all else that was asked for.
- **Watches** give a `resume_token` with each message: what was stored since then comes first, none of it twice, none
  left out, over restarts too. A watcher that reads too slowly is cut with RESOURCE_EXHAUSTED and resumes.
- **Errors** carry google.rpc details: ErrorInfo always (`reason`, domain `kitchen-patrol`), BadRequest with the path of
  every field that is wrong, RetryInfo where the same call may be tried again. UNAVAILABLE: the database, a worker or
  the engine is not available right now. DATA_LOSS: a stored keyframe has changed or gives no picture; do not retry.
- **request_id** makes a call idempotent: the same one again changes nothing and has the same reply.
"""
_REACH = {
    Reach.EVERYBODY: "tokens of all regions only",
    Reach.CAMERA: "of the cameras named",
    Reach.ROWS: "of the rows, and of what they replace",
    Reach.REGION: "narrowed to the token's",
    Reach.FINDING: "of the finding",
    Reach.DRAW: "the spot check was drawn from",
    Reach.PAUSE: "of the scope; recorders and platforms are everybody's",
    Reach.TOKEN: "of tokens and actors",
}


def markdown() -> str:
    """The page."""
    said = {name: _comments(PROTO / f"{name}.proto") for name in _FILES}
    lines = [_HEAD]
    for name, file in _FILES.items():
        for service in file.DESCRIPTOR.services_by_name.values():
            lines += _service(service, said[name])
    lines.append("## Messages\n")
    for name, file in _FILES.items():
        lines.append(f"### {name}.proto\n")
        for kind in file.DESCRIPTOR.message_types_by_name.values():
            lines += _message(kind, said[name])
        for enum in file.DESCRIPTOR.enum_types_by_name.values():
            lines += _enum(enum, said[name])
    return "\n".join(lines).rstrip() + "\n"


def _service(service: Any, said: Mapping[str, str]) -> Iterator[str]:
    yield f"## {service.name}\n"
    yield f"{said[service.name]}\n"
    yield "| call | role | region | what it does |"
    yield "|---|---|---|---|"
    for method in service.methods:
        rule = RULES[service.name][method.name]
        proto = descriptor_pb2.MethodDescriptorProto()
        method.CopyToProto(proto)
        taken = ("stream " if proto.client_streaming else "") + _linked(method.input_type)
        given = ("stream " if proto.server_streaming else "") + _linked(method.output_type)
        call = f"`{method.name}`<br>{taken}<br>→ {given}"
        yield f"| {call} | {rule.role} | {_REACH[rule.reach]} | {said[f'{service.name}.{method.name}']} |"
    yield ""


def _message(kind: Any, said: Mapping[str, str]) -> Iterator[str]:
    yield f"#### {kind.name}\n"
    yield f"{said[kind.name]}\n"
    if not kind.fields:
        return
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field in kind.fields:
        notes = [said[f"{kind.name}.{field.name}"], *_notes(field)]
        yield f"| `{field.name}` | {_type(field)} | {' '.join(notes)} |"
    yield ""


def _enum(enum: Any, said: Mapping[str, str]) -> Iterator[str]:
    yield f"#### {enum.name}\n"
    yield f"{said[enum.name]}\n"
    yield "| value | meaning |"
    yield "|---|---|"
    for value in enum.values:
        yield f"| `{value.name}` | {said[f'{enum.name}.{value.name}']} |"
    yield ""


def _notes(field: FieldDescriptor) -> Iterator[str]:
    bounds = bounds_of(field)
    if is_required(field):
        yield "*Required.*"
    if is_output_only(field):
        yield "*Output only.*"
    if bounds.chars_max:
        yield f"*At most {bounds.chars_max:,} characters.*"
    if bounds.items_max:
        yield f"*At most {bounds.items_max:,} items.*"
    if bounds.most:
        yield f"*0 to {bounds.most:,}.*"
    if bounds.allowed:
        yield f"*Allowed: {bounds.allowed}.*".replace("|", "\\|")


def _type(field: FieldDescriptor) -> str:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return f"map of {_type(kind.fields_by_name['key'])} to {_type(kind.fields_by_name['value'])}"
    name = _linked(kind or field.enum_type) if kind or field.enum_type else _SCALARS[field.type]
    return f"{name}, repeated" if field.is_repeated else name


_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_FIXED64: "fixed64",
    FieldDescriptor.TYPE_INT64: "int64",
}


def _linked(kind: Any) -> str:
    shown = kind.file.package == PACKAGE and kind.file.name.removeprefix("patrol/v1/").removesuffix(".proto") in _FILES
    return f"[{kind.name}](#{kind.name.lower()})" if shown else f"`{kind.full_name}`"


def _comments(path: Path) -> dict[str, str]:
    """What stands before each message, field, enum, value, service and call, by its name (Message.field)."""
    found: dict[str, str] = {}
    holders: list[str] = []
    said: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("//"):
            said.append(text.removeprefix("//").strip())
            continue
        holder = re.match(r"(message|enum|service|oneof) (\w+) \{", text)
        entry = re.match(r"(?:rpc (\w+)\(|(?:repeated |optional )?[\w.<>, ]+ (\w+) = \d+|(\w+) = \d+;)", text)
        if holder:
            found[holder[2]] = _joined(said)
            holders.append(holders[-1] if holder[1] == "oneof" and holders else holder[2])
        elif entry and holders:
            name = next(one for one in entry.groups() if one)
            found.setdefault(f"{holders[-1]}.{name}", _joined(said))
        elif re.match(r"(option .*|extend .*|\(bounds\) = )\{$", text):
            holders.append(holders[-1] if holders else "")
        if holders and re.fullmatch(r"\};?", text):
            holders.pop()
        said = []
    return found


def _joined(said: list[str]) -> str:
    return " ".join(said).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(markdown(), encoding="utf-8")
