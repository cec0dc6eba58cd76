"""A notice as an event of CloudEvents 1.0, in JSON, structured mode. Pure: the same notice is always the same bytes."""

import json
from typing import Any

from engine.model.notice import TEST, VERDICT_CHANGED, Notice
from engine.notices.payload import rfc3339

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_TYPE_PREFIX = "cn.kitchen-patrol"
_VERSION = "v1"
_SCHEMA_PREFIX = "urn:kitchen-patrol:schema"


def event_id(notice: Notice) -> str:
    """What names the event at every attempt, for every receiver: the idempotency key. It has no full stop in it.

    The time is part of it, so that a database that was put back from a backup does not name another event the same.
    """
    if notice.finding_id:
        return f"finding-{notice.finding_id}-{notice.number}-{notice.at_wall_ns}"
    return f"{notice.kind.replace('.', '-')}-{notice.seq}-{notice.at_wall_ns}"


def event_type(kind: str) -> str:
    """`finding.opened` is cn.kitchen-patrol.finding.opened.v1."""
    return f"{_TYPE_PREFIX}.{kind}.{_VERSION}"


def schema(kind: str) -> str:
    """Which schema the data of a kind has: urn:kitchen-patrol:schema:finding:v1."""
    return f"{_SCHEMA_PREFIX}:{kind.partition('.')[0]}:{_VERSION}"


def event(notice: Notice, source: str) -> dict[str, Any]:
    """The event; ValueError if the body is no JSON object."""
    data = json.loads(notice.body)
    if not isinstance(data, dict):
        raise ValueError(f"notice {notice.seq}: its body is no JSON object but {type(data).__name__}")
    return {
        "specversion": "1.0",
        "id": event_id(notice),
        "source": source,
        "type": event_type(notice.kind),
        "subject": _subject(notice, data),
        "time": rfc3339(notice.at_wall_ns),
        "datacontenttype": "application/json",
        "dataschema": schema(notice.kind),
        "data": data,
    }


def event_bytes(notice: Notice, source: str) -> bytes:
    """The event as it is sent and signed; ValueError if the body is no JSON object."""
    return json.dumps(event(notice, source), ensure_ascii=False, separators=(",", ":")).encode()


def trial_notice(endpoint: str, now_wall_ns: int) -> Notice:
    """What `patrol notices test` sends."""
    body = json.dumps({"endpoint": endpoint, "at": rfc3339(now_wall_ns)})
    return Notice(0, TEST, 0, 0, now_wall_ns, "", body)


def _subject(notice: Notice, data: dict[str, Any]) -> str:
    """The resource that the event is about."""
    if notice.finding_id:
        return f"findings/{notice.finding_id}"
    if notice.kind == VERDICT_CHANGED:
        return f"cameras/{data.get('camera_id', '')}"
    return f"endpoints/{data.get('endpoint', '')}"
