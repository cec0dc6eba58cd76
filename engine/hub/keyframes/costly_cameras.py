"""Remembers cameras whose pictures cost too much, so that they cost no more than a little. Pure.

A picture that spends its budget of CPU time costs a second and the start of a worker. After it the camera rests: its
keyframes are judged too_costly without being decoded, for 15 s at first, and twice as long each time in a row, up to an
hour. The very same picture is known again and never decoded twice. The second in a row is put aside for people to
examine.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from engine.clock import NS_PER_S
from engine.model.keyframe import Keyframe

QUARANTINED_AT = 2
"""The keyframe of this strike in a row is put aside."""
_REST_FIRST_NS = 15 * NS_PER_S
_REST_MAX_NS = 3600 * NS_PER_S
_DOUBLED_MAX = 16
_KEEP_EVERY_NS = 3600 * NS_PER_S
"""A camera that alternates good and bad pictures must not fill the quarantine."""
_CAMERAS_MAX = 4096


@dataclass(slots=True)
class _Strikes:
    in_a_row: int = 0
    rest_until_ns: int = 0
    kept_ns: int | None = None
    spent_sha256: bytes = b""


class CostlyCameras:
    """The strikes of each camera; at most 4096 cameras, those that struck last."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Strikes] = OrderedDict()

    def strike(self, keyframe: Keyframe, now_ns: int, *, spent: bool) -> bool:
        """Count a picture that costs too much; returns whether it is to be put aside.

        `spent`: it spent its budget, so the camera rests; otherwise it was given away by its headers, or known, which
        costs nothing.
        """
        strikes = self._cameras.setdefault(keyframe.camera_id, _Strikes())
        self._cameras.move_to_end(keyframe.camera_id)
        if len(self._cameras) > _CAMERAS_MAX:
            self._cameras.popitem(last=False)
        if spent:
            rest_ns = min(_REST_MAX_NS, _REST_FIRST_NS << min(strikes.in_a_row, _DOUBLED_MAX))
            strikes.rest_until_ns = now_ns + rest_ns
            strikes.spent_sha256 = hashlib.sha256(keyframe.payload).digest()
        strikes.in_a_row += 1
        keep = strikes.in_a_row >= QUARANTINED_AT and (
            strikes.kept_ns is None or now_ns - strikes.kept_ns >= _KEEP_EVERY_NS
        )
        if keep:
            strikes.kept_ns = now_ns
        return keep

    def is_known(self, keyframe: Keyframe) -> bool:
        """Whether this very picture was the last of its camera that spent its budget."""
        strikes = self._cameras.get(keyframe.camera_id)
        if strikes is None or not strikes.spent_sha256:
            return False
        return hashlib.sha256(keyframe.payload).digest() == strikes.spent_sha256

    def rest_ns(self, camera_id: str, now_ns: int) -> int:
        """Return how long the camera's keyframes are not decoded from now on; 0 if they are."""
        strikes = self._cameras.get(camera_id)
        return 0 if strikes is None else max(0, strikes.rest_until_ns - now_ns)

    def measured(self, camera_id: str) -> None:
        """End the row of strikes of a camera whose picture was measured."""
        strikes = self._cameras.get(camera_id)
        if strikes is not None:
            strikes.in_a_row = 0
