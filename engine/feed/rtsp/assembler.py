"""Assembles the packets of one track to one whole keyframe. Pure.

A picture is the packets with one timestamp, up to the marker. Packets of other pictures are skipped as cheaply as
possible: a visit sees on average a second of them before the keyframe. A keyframe is dropped if its sequence numbers
have a gap or its beginning was missed; then the next one is collected.
Sources: RFC 6184 (H.264: single, STAP-A, FU-A), RFC 7798 (H.265: single, AP, FU).
"""

from dataclasses import dataclass

from engine.feed.rtsp.packet_runs import Fragments
from engine.feed.rtsp.payload import FRAGMENT_END, FRAGMENT_START, PAYLOAD_FORMATS
from engine.feed.rtsp.rtp import Packet
from engine.media import nal
from engine.media.limits import PARAMETER_SET_BYTES_MAX, PARAMETER_SETS_MAX
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec

_UNITS_MAX = 2048
_PICTURE_PARAMETER_SETS_MAX = PARAMETER_SETS_MAX - 2
"""A keyframe has one set of each other kind: at most two."""


@dataclass(frozen=True, slots=True)
class WholeKeyframe:
    """Annex-B with its parameter sets; `timestamp` in units of the track's clock."""

    payload: bytes
    timestamp: int


class Assembler:
    """The state of one track. `parameter_sets`: those of the SDP.

    `collecting`: a keyframe may have begun, so every packet counts. `damaged`: keyframes dropped.
    """

    def __init__(self, codec: Codec, parameter_sets: list[bytes]) -> None:
        self._codec = codec
        self._format = PAYLOAD_FORMATS[codec]
        self._syntax = self._format.syntax
        self._parameter_sets: dict[int, dict[bytes, bytes]] = {
            unit_type: {} for unit_type in self._syntax.parameter_sets
        }
        for unit in parameter_sets:
            self._store_parameter_set(unit)
        self._next_sequence: int | None = None
        self._timestamp: int | None = None
        self.collecting = False
        self.damaged = 0
        self._start_picture()

    def push(self, packet: Packet) -> WholeKeyframe | None:
        """Add the next packet in order. Returns the keyframe when it is whole."""
        sequence, timestamp, marker, _, payload = packet
        keyframe = None
        gap = self._next_sequence is not None and sequence != self._next_sequence
        self._next_sequence = (sequence + 1) & 0xFFFF
        if gap:
            self._broken = True
        if timestamp != self._timestamp:
            # Some cameras never set the marker; then the first packet of the next picture ends this one.
            if not gap:
                keyframe = self._finish_picture()
            elif self._is_keyframe:
                self.damaged += 1
            self._timestamp = timestamp
            self._start_picture()
        self._add_payload(payload)
        if marker and self._has_slice:
            keyframe = keyframe or self._finish_picture()
            self._start_picture()
        self.collecting = self._is_keyframe or bool(self._in_band_types or self._units) or self._fragments is not None
        return keyframe

    def wanted_fragments(self) -> Fragments | None:
        """Return which packets would do no more than go on with the NAL unit under way; None if there is none."""
        if self._fragments is None or self._next_sequence is None or self._timestamp is None:
            return None
        unit_type = self._syntax.unit_type(self._fragments[0][0])
        return Fragments(self._next_sequence, self._timestamp, unit_type, PAYLOAD_BYTES_MAX - self._size)

    def add_fragments(self, packets: int, content: bytes) -> None:
        """Add the content of so many packets that `wanted_fragments` describes, as pushing them one by one does."""
        if self._fragments is None or self._next_sequence is None:
            return
        self._fragments.append(content)
        self._size += len(content) + packets * (self._syntax.header_bytes + 1)
        self._next_sequence = (self._next_sequence + packets) & 0xFFFF

    def skip(self) -> None:
        """Forget the picture under way: packets that belong to no keyframe were not pushed."""
        self._next_sequence = self._timestamp = None
        self._start_picture()

    def _start_picture(self) -> None:
        self._units: list[bytes] = []
        self._fragments: list[bytes] | None = None
        self._size = 0
        self._is_keyframe = self._has_slice = self._broken = False
        self._in_band_types: set[int] = set()

    def _add_payload(self, payload: bytes) -> None:
        syntax = self._syntax
        unit_type = syntax.unit_type(payload[0])
        if unit_type == self._format.fragment:
            self._add_fragment(payload)
        elif unit_type == self._format.aggregate:
            for unit in self._format.split_aggregate(payload):
                self._add_unit(unit)
        elif len(payload) > syntax.header_bytes:
            self._add_unit(payload)

    def _add_fragment(self, payload: bytes) -> None:
        syntax = self._syntax
        content = syntax.header_bytes + 1
        if len(payload) <= content:
            self._broken = True
            return
        flags = payload[content - 1]
        unit_type = flags & self._format.fragment_type_mask
        if unit_type not in syntax.random_access and not self._is_keyframe and unit_type in syntax.slices:
            if flags & FRAGMENT_START and self._in_band_types and self._begins_intra_slice(unit_type, payload, content):
                self._is_keyframe = True  # parameter sets and an intra slice: a keyframe, though not an IDR
            else:
                self._has_slice = True
                return
        if flags & FRAGMENT_START:
            self._fragments = [self._format.unit_header(payload, unit_type), payload[content:]]
        elif self._fragments is None:
            self._broken = True  # its beginning was missed
            self._mark_random_access(unit_type)
            return
        else:
            self._fragments.append(payload[content:])
        self._size += len(payload)
        self._enforce_bounds()
        if flags & FRAGMENT_END and self._fragments is not None:
            unit = b"".join(self._fragments)
            self._fragments = None
            self._size -= len(unit)
            self._add_unit(unit)

    def _begins_intra_slice(self, unit_type: int, payload: bytes, content: int) -> bool:
        head = self._format.unit_header(payload, unit_type) + payload[content : content + nal.SLICE_HEAD_BYTES]
        return nal.is_intra_slice(self._codec, head)

    def _add_unit(self, unit: bytes) -> None:
        unit_type = self._syntax.unit_type(unit[0])
        if unit_type in self._parameter_sets:
            self._store_parameter_set(unit)
            self._in_band_types.add(unit_type)
        elif unit_type == self._syntax.sei:
            if nal.has_recovery_point(self._codec, unit):
                self._is_keyframe = True
        elif unit_type in self._syntax.slices:
            if not self._has_slice and not nal.is_first_slice(self._codec, unit):
                self._broken = True
            self._has_slice = True
            if self._in_band_types and not self._is_keyframe and nal.is_intra_slice(self._codec, unit):
                self._is_keyframe = True
            self._mark_random_access(unit_type)
            if not self._is_keyframe:
                self._units.clear()
                return
        self._units.append(unit)
        self._size += len(unit)
        self._enforce_bounds()

    def _mark_random_access(self, unit_type: int) -> None:
        if unit_type in self._syntax.random_access:
            self._is_keyframe = True
            self._has_slice = True

    def _enforce_bounds(self) -> None:
        if self._size > PAYLOAD_BYTES_MAX or len(self._units) > _UNITS_MAX:
            self._broken = True
            self._units.clear()
            self._fragments = None
            self._size = 0

    def _finish_picture(self) -> WholeKeyframe | None:
        """Return the picture if it is a whole keyframe; count it if it is a damaged one."""
        if not self._is_keyframe or not self._has_slice or self._timestamp is None:
            return None
        missing = [unit_type for unit_type in self._syntax.parameter_sets if unit_type not in self._in_band_types]
        if (
            self._broken
            or self._fragments is not None
            or any(not self._parameter_sets[unit_type] for unit_type in missing)
        ):
            self.damaged += 1
            return None
        added = [unit for unit_type in missing for unit in self._parameter_sets[unit_type].values()]
        payload = b"".join([part for unit in (*added, *self._units) for part in (nal.START_CODE, unit)])
        if len(payload) > PAYLOAD_BYTES_MAX:
            self.damaged += 1
            return None
        return WholeKeyframe(payload, self._timestamp)

    def _store_parameter_set(self, unit: bytes) -> None:
        """Store a parameter set, replacing an older one: what comes in band is newer than the SDP.

        Of picture parameter sets the newest are kept, as many as a decoder is given. One that is absurdly long is not.
        """
        unit_type = self._syntax.unit_type(unit[0])
        if unit_type in self._parameter_sets and len(unit) <= PARAMETER_SET_BYTES_MAX:
            # Two picture parameter sets may be valid together; they differ in their first bytes, where the id is.
            key = unit[: self._syntax.header_bytes + 1] if unit_type == self._syntax.pps else b""
            kept = self._parameter_sets[unit_type]
            kept.pop(key, None)
            kept[key] = unit
            if len(kept) > _PICTURE_PARAMETER_SETS_MAX:
                del kept[next(iter(kept))]
