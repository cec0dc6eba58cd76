"""Encodes notices as CloudEvents 1.0 in JSON, structured mode. Pure: the same notice always gives the same bytes."""

import json
from typing import Any

from engine.model.notice import TEST, VERDICT_CHANGED, Notice
from engine.notices.payload import rfc3339

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_TYPE_PREFIX = "cn.kitchen-patrol"
_VERSION = "v1"
_SCHEMA_PREFIX = "urn:kitchen-patrol:schema"


def event_id(notice: Notice) -> str:
    """Return the id of the event, the idempotency key: the same at every attempt and for every receiver.

    It contains no full stop. The time is part of it, so that after a restore from a backup another event cannot get the
    same id.
    """
    if notice.finding_id:
        return f"finding-{notice.finding_id}-{notice.number}-{notice.at_wall_ns}"
    return f"{notice.kind.replace('.', '-')}-{notice.seq}-{notice.at_wall_ns}"


def event_type(kind: str) -> str:
    """Return the event type of a kind: `finding.opened` gives cn.kitchen-patrol.finding.opened.v1."""
    return f"{_TYPE_PREFIX}.{kind}.{_VERSION}"


def schema(kind: str) -> str:
    """Return the URN of the data's schema, like urn:kitchen-patrol:schema:finding:v1."""
    return f"{_SCHEMA_PREFIX}:{kind.partition('.')[0]}:{_VERSION}"


def event(notice: Notice, source: str) -> dict[str, Any]:
    """Return the event. Raises ValueError if the body of the notice is not a JSON object."""
    data = json.loads(notice.body)
    if not isinstance(data, dict):
        raise ValueError(f"notice {notice.seq}: its body is not a JSON object but {type(data).__name__}")
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
    """Return the event as it is sent and signed. Raises ValueError if the body of the notice is not a JSON object."""
    return json.dumps(event(notice, source), ensure_ascii=False, separators=(",", ":")).encode()


def trial_notice(endpoint: str, now_wall_ns: int) -> Notice:
    """Return the notice that `patrol notices test` sends."""
    body = json.dumps({"endpoint": endpoint, "at": rfc3339(now_wall_ns)})
    return Notice(0, TEST, 0, 0, now_wall_ns, "", body)


def _subject(notice: Notice, data: dict[str, Any]) -> str:
    """Return the name of the resource that the event is about."""
    if notice.finding_id:
        return f"findings/{notice.finding_id}"
    if notice.kind == VERDICT_CHANGED:
        return f"cameras/{data.get('camera_id', '')}"
    return f"endpoints/{data.get('endpoint', '')}"
