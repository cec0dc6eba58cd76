"""The form of a camera's registry row: what it shows, what it sends, and where an error belongs. For edit and add."""

from collections.abc import Mapping
from typing import Any

from google.rpc import error_details_pb2

from engine.web.console import forms
from engine.web.errors import HttpError, code_name
from patrol.v1.cameras_pb2 import Camera, KeyPoint, SiteKind

TEXTS = {
    "display_name": 200,
    "url": 2048,
    "sub_url": 2048,
    "site_id": 64,
    "site_name": 200,
    "region": 6,
    "uplink": 200,
    "hours": 64,
    "platform_status": 64,
}
"""Fields of text with their longest value, in characters."""
FLAGS = ("required", "push", "disabled")
_ENUMS: dict[str, tuple[Any, str]] = {"key_point": (KeyPoint, "KEY_POINT_"), "site_kind": (SiteKind, "SITE_KIND_")}
FIELDS = (*TEXTS, *_ENUMS, *FLAGS)
_WAS = "was_"
_OTHER = "other"


def values_of(camera: Any) -> dict[str, str]:
    """Return what the form shows of a camera: each field as the form sends it."""
    values = {field: str(getattr(camera, field)) for field in TEXTS}
    values |= {field: _word(field, getattr(camera, field)) for field in _ENUMS}
    return values | {field: "1" if getattr(camera, field) else "" for field in FLAGS}


def words(field: str) -> list[tuple[str, int]]:
    """Return the choices of a field: what the form sends, and the number of the API."""
    enum, _ = _ENUMS[field]
    return [(_word(field, number), number) for number in enum.values() if number]


def sent(form: Any) -> dict[str, str]:
    """Return the fields of a form that was sent. Raises InvalidArgumentError for what is out of bounds."""
    values = {field: forms.text(form, field, chars_max) for field, chars_max in TEXTS.items()}
    values |= {field: forms.choice(form, field, dict(words(field)), _OTHER) for field in _ENUMS}
    return values | {field: "1" if forms.text(form, field, 8) else "" for field in FLAGS}


def changed(form: Any, values: Mapping[str, str]) -> list[str]:
    """Return the fields that the user has changed since the form was shown; others keep what they are by now."""
    return [field for field in FIELDS if forms.text(form, _WAS + field, 2100) != values[field]]


def message(name: str, values: Mapping[str, str]) -> Camera:
    """Return the camera that a form describes."""
    camera = Camera(name=name)
    for field in TEXTS:
        setattr(camera, field, values[field])
    for field in _ENUMS:
        setattr(camera, field, dict(words(field))[values[field]])
    for field in FLAGS:
        setattr(camera, field, bool(values[field]))
    return camera


def problems(error: HttpError) -> dict[str, str]:
    """Return what is wrong with which field, if the engine has refused a row; an error of another kind is raised."""
    if code_name(error.status) not in ("INVALID_ARGUMENT", "ALREADY_EXISTS"):
        raise error
    found: dict[str, str] = {}
    for detail in error.status.details:
        request = error_details_pb2.BadRequest()
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR) and detail.Unpack(request):
            for violation in request.field_violations:
                found.setdefault(violation.field.removeprefix("camera."), violation.description)
    return found or {"": error.status.message}


def _word(field: str, number: int) -> str:
    enum, prefix = _ENUMS[field]
    known = number in enum.values() and number
    return str(enum.Name(number)).removeprefix(prefix).lower() if known else _OTHER
