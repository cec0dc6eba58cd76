"""Cameras and verdicts as values for modules: words in the page's language, times in ms since 1970. Pure.

The module has the same fields from the page, from pages of the list, and of the verdict from the live stream.
"""

from functools import cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from engine.web.console.languages import Language, language
from engine.web.console.names import camera_id
from engine.web.console.words import Words
from patrol.v1.cameras_pb2 import Camera
from patrol.v1.pictures_pb2 import Thumbnail
from patrol.v1.verdicts_pb2 import FaultKind, FaultSeverity, Verdict, VerdictState

_RANK = {
    VerdictState.VERDICT_STATE_OK: 0,
    VerdictState.VERDICT_STATE_UNSPECIFIED: 1,
    VerdictState.VERDICT_STATE_UNKNOWN: 2,
    VerdictState.VERDICT_STATE_OFFLINE: 3,
    VerdictState.VERDICT_STATE_FAULT: 4,
}


def camera_row(camera: Camera, chosen: Language, thumbnail: Thumbnail | None = None) -> dict[str, Any]:
    """Return a camera with its latest verdict. `thumbnail`: of its latest picture, if it was asked for."""
    words = words_of(chosen.code)
    row = {
        "id": camera_id(camera.name),
        "name": camera.display_name or camera_id(camera.name),
        "site": camera.site_name or camera.site_id,
        "point": words.key_point(camera.key_point),
        "disabled": camera.disabled,
        **verdict_fields(camera.latest_verdict, words),
    }
    if thumbnail is not None:
        row["picture"] = milliseconds(thumbnail.arrival_time)
    return row


def verdict_fields(verdict: Verdict, words: Words) -> dict[str, Any]:
    """Return what a verdict says; an empty one is that of a camera that was not visited yet.

    `what`: the faults, or the reason. `rank`: greater is worse. `fresh`: the visit brought a picture.
    """
    offline = VerdictState.VERDICT_STATE_OFFLINE
    return {
        "state": words.state_class(verdict.announced),
        "word": words.state(verdict.announced),
        "symbol": words.symbol(verdict.announced),
        "what": _what(verdict, words),
        "kinds": [FaultKind.Name(kind).removeprefix("FAULT_KIND_").lower() for kind in _known(verdict.announced_kinds)],
        "severity": verdict.severity,
        "rank": _RANK.get(verdict.announced, 2) + verdict.severity,
        "since": milliseconds(verdict.since_time),
        "visit": milliseconds(verdict.visit_time),
        "fresh": verdict.state not in (offline, VerdictState.VERDICT_STATE_UNSPECIFIED),
    }


def milliseconds(time: Timestamp) -> int:
    """Return a time in ms since 1970; 0 if it is not set."""
    return time.seconds * 1000 + time.nanos // 1_000_000


@cache
def words_of(code: str) -> Words:
    """Return the words of a language."""
    return Words(language(code))


def _what(verdict: Verdict, words: Words) -> str:
    if verdict.announced == VerdictState.VERDICT_STATE_FAULT:
        severity = words.severity(verdict.severity) if verdict.severity in FaultSeverity.values() else ""
        cause = words.cause(verdict.announced_cause)
        return " · ".join(part for part in (words.kinds(verdict.announced_kinds), cause, severity) if part)
    if verdict.announced in (VerdictState.VERDICT_STATE_OFFLINE, VerdictState.VERDICT_STATE_UNKNOWN):
        return words.reason(verdict.reason) if verdict.reason else ""
    return ""


def _known(kinds: Any) -> list[int]:
    return [kind for kind in kinds if kind in FaultKind.values()]
