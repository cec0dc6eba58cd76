"""The filter of the wall: read from the URL, so that other screens lead into it, and asked of the engine. Pure."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from patrol.v1.cameras_pb2 import CameraFilter, KeyPoint
from patrol.v1.verdicts_pb2 import FaultKind, FaultSeverity, VerdictState

STATES = {
    "fault": VerdictState.VERDICT_STATE_FAULT,
    "offline": VerdictState.VERDICT_STATE_OFFLINE,
    "unknown": VerdictState.VERDICT_STATE_UNKNOWN,
    "ok": VerdictState.VERDICT_STATE_OK,
    "unseen": VerdictState.VERDICT_STATE_UNSPECIFIED,
}
KINDS: dict[str, Any] = {name.removeprefix("FAULT_KIND_").lower(): value for name, value in FaultKind.items() if value}
SEVERITIES: dict[str, Any] = {
    name.removeprefix("FAULT_SEVERITY_").lower(): value for name, value in reversed(FaultSeverity.items()) if value
}
KEY_POINTS: dict[str, Any] = {
    name.removeprefix("KEY_POINT_").lower(): value for name, value in KeyPoint.items() if value
}
ORDERS = {
    "worst": ("worst first", "state desc"),
    "canteen": ("by canteen", "site_id"),
    "longest": ("longest in this state first", "since_time"),
    "newest": ("latest change first", "since_time desc"),
}
"""By the word in the URL: the English text, and order_by of ListCameras."""
SIZES = {"small": 160, "medium": 320, "large": 640}
"""Longest side of a thumbnail in pixels, by the size of the tiles."""
AGES_H = (1, 6, 24, 72, 168)
AGE_H_MAX = 8760
_HOUR_NS = 3_600_000_000_000
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class WallFilter:
    """What the URL asks for; empty and 0 do not filter. `age_h`: the picture is at least so old, in hours. `severity`:
    only faults at least as severe. `since`: the state began on this day or later, in the kitchens' zone. `size`: of
    the tiles.
    """

    region: str = ""
    site_id: str = ""
    q: str = ""
    key_point: str = ""
    state: str = ""
    kind: str = ""
    severity: str = ""
    age_h: int = 0
    since: str = ""
    order: str = "worst"
    size: str = "medium"

    @property
    def is_empty(self) -> bool:
        """Whether every camera is shown."""
        return self == WallFilter(order=self.order, size=self.size)

    @property
    def is_told_by_verdicts(self) -> bool:
        """Whether a verdict and its region and canteen tell if the camera is shown."""
        return not (self.q or self.key_point or self.age_h or self.since)

    def fields(self, **changes: Any) -> dict[str, Any]:
        """Return the fields of the URL, without those that are as they are by default."""
        default = WallFilter()
        return {
            name: value
            for name, value in {**self.__dict__, **changes}.items()
            if value != getattr(default, name) or name in changes
        }

    def camera_filter(self, now_ns: int, zone: ZoneInfo) -> CameraFilter:
        """Return what the engine is asked for."""
        asked = CameraFilter(
            region_prefix=self.region, site_id=self.site_id, query=self.q, unseen=self.state == "unseen"
        )
        if self.state and not asked.unseen:
            asked.state = STATES[self.state]
        if self.kind:
            asked.kinds.append(KINDS[self.kind])
        if self.key_point:
            asked.key_points.append(KEY_POINTS[self.key_point])
        if self.severity:
            asked.severity_min = SEVERITIES[self.severity]
        if self.age_h:
            asked.picture_end_time.CopyFrom(Timestamp(seconds=(now_ns - self.age_h * _HOUR_NS) // _SECOND_NS))
        begin = forms.moment({"since": self.since}, "since", zone)
        if begin is not None:
            asked.since_start_time.CopyFrom(begin)
        return asked


def read_filter(query: Any) -> WallFilter:
    """Return the filter of a URL. Raises InvalidArgumentError."""
    region = forms.text(query, "region", 6)
    if region and not (region.isascii() and region.isdigit()):
        raise InvalidArgumentError("region", f"{region!r}; allowed: up to 6 digits of GB/T 2260")
    return WallFilter(
        region=region,
        site_id=forms.text(query, "site_id", 64),
        q=forms.text(query, "q", 100),
        key_point=forms.choice(query, "key_point", KEY_POINTS),
        state=forms.choice(query, "state", STATES),
        kind=forms.choice(query, "kind", KINDS),
        severity=forms.choice(query, "severity", SEVERITIES),
        age_h=forms.number(query, "age_h", 0, 0, AGE_H_MAX),
        since=forms.text(query, "since", 10),
        order=forms.choice(query, "order", ORDERS, "worst"),
        size=forms.choice(query, "size", SIZES, "medium"),
    )
