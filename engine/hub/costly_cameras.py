"""Remembers cameras whose pictures cost too much, so that they cost no more than a little. Pure.

A picture that spends its budget of CPU time costs a second and the start of a worker. One is an accident. A camera that
brings a second one rests: its keyframes are judged too_costly without being decoded, for a minute at first, then for
twice as long each time, up to an hour. The second keyframe is put aside for people to examine.
"""

from collections import OrderedDict
from dataclasses import dataclass

from engine.clock import NS_PER_S

QUARANTINED_AT = 2
"""The keyframe of this strike in a row is put aside."""
_REST_FIRST_NS = 60 * NS_PER_S
_REST_MAX_NS = 3600 * NS_PER_S
_KEEP_EVERY_NS = 3600 * NS_PER_S
"""A camera that alternates good and bad pictures must not fill the quarantine."""
_CAMERAS_MAX = 4096


@dataclass(slots=True)
class _Strikes:
    in_a_row: int = 0
    rest_until_ns: int = 0
    kept_ns: int | None = None


class CostlyCameras:
    """The strikes of each camera; at most 4096 cameras, those that struck last."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Strikes] = OrderedDict()

    def strike(self, camera_id: str, now_ns: int, *, spent: bool) -> bool:
        """Count a picture that costs too much; returns whether its keyframe is to be put aside.

        `spent`: it spent its budget, so that the camera may have to rest; otherwise its headers gave it away.
        """
        strikes = self._cameras.setdefault(camera_id, _Strikes())
        self._cameras.move_to_end(camera_id)
        if len(self._cameras) > _CAMERAS_MAX:
            self._cameras.popitem(last=False)
        strikes.in_a_row += 1
        beyond = strikes.in_a_row - QUARANTINED_AT
        if spent and beyond >= 0:
            strikes.rest_until_ns = now_ns + min(_REST_MAX_NS, _REST_FIRST_NS << min(beyond, 16))
        keep = beyond >= 0 and (strikes.kept_ns is None or now_ns - strikes.kept_ns >= _KEEP_EVERY_NS)
        if keep:
            strikes.kept_ns = now_ns
        return keep

    def rest_ns(self, camera_id: str, now_ns: int) -> int:
        """Return how long the camera's keyframes are not decoded from now on; 0 if they are."""
        strikes = self._cameras.get(camera_id)
        return 0 if strikes is None else max(0, strikes.rest_until_ns - now_ns)

    def measured(self, camera_id: str) -> None:
        """Forget the strikes of a camera whose picture was measured."""
        strikes = self._cameras.get(camera_id)
        if strikes is not None:
            strikes.in_a_row = 0
