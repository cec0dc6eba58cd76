"""Makes and parses resource names (AIP-122): `cameras/{camera}`, `cameras/{camera}/verdicts/{verdict}`, ... Pure.

Requests are checked against the patterns in the .proto files before. A `/` or `%` in an id is escaped.
"""

from collections.abc import Iterable

from engine.errors import InvalidArgumentError

LATEST = "latest"
_ID_MAX = 2**64 - 1
_CANTEEN_ID_CHARS_MAX = 207
"""A region, a slash and a canteen's name."""


def camera_name(camera_id: str) -> str:
    """Return `cameras/{camera}`."""
    return f"cameras/{_escaped(camera_id)}"


def camera_id_of(name: str, field: str = "name") -> str:
    """Return the id in `cameras/{camera}`. Raises InvalidArgumentError, naming `field`, for any other name."""
    collection, _, escaped = name.partition("/")
    camera_id = escaped.replace("%2F", "/").replace("%25", "%")
    if collection != "cameras" or not 1 <= len(camera_id) <= 64:
        raise InvalidArgumentError(field, f"{name[:100]!r}; allowed: cameras/{{camera}}, the id of 1 to 64 characters")
    return camera_id


def camera_ids_of(names: Iterable[str], field: str) -> list[str]:
    """Return the ids in names of cameras. Raises InvalidArgumentError for the first that is none."""
    return [camera_id_of(name, f"{field}[{index}]") for index, name in enumerate(names)]


def canteen_name(canteen_id: str) -> str:
    """Return `canteens/{canteen}`."""
    return f"canteens/{_escaped(canteen_id)}"


def canteen_id_of(name: str, field: str = "name") -> str:
    """Return the id in `canteens/{canteen}`. Raises InvalidArgumentError, naming `field`, for any other name."""
    collection, _, escaped = name.partition("/")
    canteen_id = escaped.replace("%2F", "/").replace("%25", "%")
    if collection != "canteens" or not 1 <= len(canteen_id) <= _CANTEEN_ID_CHARS_MAX:
        allowed = f"canteens/{{canteen}}, the id of 1 to {_CANTEEN_ID_CHARS_MAX} characters"
        raise InvalidArgumentError(field, f"{name[:100]!r}; allowed: {allowed}")
    return canteen_id


def verdict_name(camera_id: str, visit_id: int) -> str:
    """Return `cameras/{camera}/verdicts/{verdict}`."""
    return f"{camera_name(camera_id)}/verdicts/{visit_id}"


def verdict_ids_of(name: str, field: str = "name") -> tuple[str, int]:
    """Return the ids of camera and visit in the name of a verdict; visit 0 stands for the latest.

    Raises InvalidArgumentError, naming `field`, if an id is out of range.
    """
    camera, _, visit = name.partition("/verdicts/")
    visit_id = 0 if visit == LATEST else int(visit)
    if visit_id > _ID_MAX:
        raise InvalidArgumentError(field, f"verdict {visit}; allowed: 0 to {_ID_MAX}, or {LATEST}")
    return camera_id_of(camera, field), visit_id


def numbered_name(collection: str, number: int) -> str:
    """Return `findings/12`, `tokens/3`, ..."""
    return f"{collection}/{number}"


def number_of(name: str) -> int:
    """Return the number at the end of a name; 0 for `latest`, and for an empty name."""
    last = name.rpartition("/")[2]
    return int(last) if last and last != LATEST else 0


def _escaped(camera_id: str) -> str:
    return camera_id.replace("%", "%25").replace("/", "%2F")
