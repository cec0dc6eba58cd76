"""Names of resources and the ids that URLs of the console carry: `cameras/{camera}` and the camera's own id."""

from typing import Any

from engine.errors import InvalidArgumentError
from engine.web.console import forms

_ID_CHARS_MAX = 64
_SITE_CHARS_MAX = 300


def camera_name(camera_id: str) -> str:
    """Return the name of a camera in the API."""
    return "cameras/" + _quoted(camera_id)


def camera_id(name: str) -> str:
    """Return the id in a camera's name."""
    return _unquoted(name.removeprefix("cameras/"))


def canteen_name(canteen: str) -> str:
    """Return the name of a canteen in the API."""
    return "canteens/" + _quoted(canteen)


def canteen_id(name: str) -> str:
    """Return what names a canteen in a URL."""
    return _unquoted(name.removeprefix("canteens/"))


def finding_number(name: str) -> str:
    """Return the number in a finding's name."""
    return name.removeprefix("findings/")


def asked_camera(fields: Any, name: str = "id") -> str:
    """Return the name of the camera that a query or form names by its id. Raises InvalidArgumentError without one."""
    return camera_name(_needed(fields, name, _ID_CHARS_MAX))


def asked_canteen(fields: Any, name: str = "id") -> str:
    """Return the name of the canteen that a query or form names. Raises InvalidArgumentError without one."""
    return canteen_name(_needed(fields, name, _SITE_CHARS_MAX))


def asked_finding(fields: Any, name: str = "finding") -> str:
    """Return the name of the finding that a query or form names by its number. Raises InvalidArgumentError."""
    number = forms.number(fields, name, 0, 1, 10**18 - 1)
    if not number:
        raise InvalidArgumentError(name, "is missing; follow a link of the console")
    return f"findings/{number}"


def _needed(fields: Any, name: str, chars_max: int) -> str:
    value = forms.text(fields, name, chars_max)
    if not value:
        raise InvalidArgumentError(name, "is missing; follow a link of the console")
    return value


def _quoted(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")


def _unquoted(text: str) -> str:
    return text.replace("%2F", "/").replace("%25", "%")
