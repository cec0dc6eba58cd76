"""Packets of one track in, one whole keyframe out. Pure.

A picture is its packets of one timestamp, up to the marker. Packets of other pictures are passed over as cheaply as can
be: a visit sees on average a second of them before the keyframe. A keyframe with a gap in its sequence numbers, or one
whose beginning was missed, is thrown away and the next one awaited.
Sources: RFC 6184 (H.264: single, STAP-A, FU-A), RFC 7798 (H.265: single, AP, FU).
"""

from dataclasses import dataclass

from engine.feed.rtsp.rtp import Packet
from engine.media import nal
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec

START_CODE = b"\0\0\0\1"
_UNITS_MAX = 2048


@dataclass(frozen=True, slots=True)
class WholeKeyframe:
    """Annex-B with its parameter sets; `timestamp` in units of the track's clock."""

    payload: bytes
    timestamp: int


class Assembler:
    """One track's state. `damaged` counts keyframes thrown away."""

    def __init__(self, codec: Codec, parameter_sets: list[bytes]) -> None:
        self._codec = codec
        self._syntax = nal.SYNTAX[codec]
        self._known: dict[int, dict[bytes, bytes]] = {kind: {} for kind in self._syntax.parameter_sets}
        for unit in parameter_sets:
            self._remember(unit)
        self._next_sequence: int | None = None
        self._timestamp: int | None = None
        self.collecting = False
        """Whether a keyframe may be under way, so that every packet counts."""
        self._begin()
        self.damaged = 0
        self.lost_packets = 0

    def push(self, packet: Packet) -> WholeKeyframe | None:
        """Take the next packet in order; a keyframe when it is whole."""
        sequence, timestamp, marker, _, payload = packet
        done = None
        gap = self._next_sequence is not None and sequence != self._next_sequence
        self._next_sequence = (sequence + 1) & 0xFFFF
        if gap:
            self.lost_packets += 1
            self._broken = True
        if timestamp != self._timestamp:
            # Some cameras never set the marker: then the next picture's first packet ends this one.
            if not gap:
                done = self._finish()
            elif self._key:
                self.damaged += 1
            self._timestamp = timestamp
            self._begin()
            self._broken = False
        self._take(payload)
        if marker and self._has_slice:
            done = done or self._finish()
            self._begin()
        self.collecting = self._key or bool(self._in_band or self._units) or self._fragments is not None
        return done

    def pass_over(self) -> None:
        """Packets that are no keyframe's were left out: what comes next begins afresh."""
        self._next_sequence = self._timestamp = None
        self._begin()

    def _begin(self) -> None:
        self._units: list[bytes] = []
        self._fragments: list[bytes] | None = None
        self._size = 0
        self._key = self._has_slice = self._broken = False
        self._in_band: set[int] = set()

    def _take(self, payload: bytes) -> None:
        """Sort a payload into NAL units."""
        syntax = self._syntax
        kind = syntax.kind(payload[0])
        if kind == syntax.fragment:
            self._take_fragment(payload)
        elif kind == syntax.aggregate:
            place = syntax.header_bytes
            while place + 2 < len(payload):
                size = int.from_bytes(payload[place : place + 2], "big")
                unit = payload[place + 2 : place + 2 + size]
                if len(unit) == size and size > syntax.header_bytes:
                    self._take_unit(unit)
                place += 2 + size
        elif len(payload) > syntax.header_bytes:
            self._take_unit(payload)

    def _take_fragment(self, payload: bytes) -> None:
        header = self._syntax.header_bytes
        if len(payload) < header + 2:
            self._broken = True
            return
        flags = payload[header]
        kind = flags & (0x1F if header == 1 else 0x3F)
        if kind not in self._syntax.random_access and not self._key and kind in self._syntax.slices:
            if flags & 0x80 and header == 1 and self._in_band and nal.is_intra_slice(b"\0" + payload[header + 1 :]):
                self._key = True  # parameter sets and an I slice: a keyframe, though not an IDR
            else:
                self._has_slice = True
                return
        if flags & 0x80:
            if header == 1:
                first = bytes([payload[0] & 0xE0 | kind])
            else:
                first = bytes([payload[0] & 0x81 | kind << 1, payload[1]])
            self._fragments = [first, payload[header + 1 :]]
        elif self._fragments is None:
            self._broken = True  # its beginning was missed
            self._note(kind)
            return
        else:
            self._fragments.append(payload[header + 1 :])
        self._size += len(payload)
        self._guard()
        if flags & 0x40 and self._fragments is not None:
            unit = b"".join(self._fragments)
            self._fragments = None
            self._size -= len(unit)
            self._take_unit(unit)

    def _take_unit(self, unit: bytes) -> None:
        kind = self._syntax.kind(unit[0])
        if kind in self._known:
            self._remember(unit)
            self._in_band.add(kind)
        elif kind in self._syntax.supplement:
            if self._codec is Codec.H264 and nal.has_recovery_point(unit):
                self._key = True
        elif kind in self._syntax.slices:
            if not self._has_slice and not nal.begins_picture(self._codec, unit):
                self._broken = True
            self._has_slice = True
            if self._codec is Codec.H264 and self._in_band and not self._key and nal.is_intra_slice(unit):
                self._key = True
            self._note(kind)
            if not self._key:
                self._units.clear()
                return
        self._units.append(unit)
        self._size += len(unit)
        self._guard()

    def _note(self, kind: int) -> None:
        if kind in self._syntax.random_access:
            self._key = True
            self._has_slice = True

    def _guard(self) -> None:
        if self._size > PAYLOAD_BYTES_MAX or len(self._units) > _UNITS_MAX:
            self._broken = True
            self._units.clear()
            self._fragments = None
            self._size = 0

    def _finish(self) -> WholeKeyframe | None:
        if not self._key or not self._has_slice or self._timestamp is None:
            return None
        missing = [kind for kind in self._syntax.parameter_sets if kind not in self._in_band]
        if self._broken or self._fragments is not None or any(not self._known[kind] for kind in missing):
            self.damaged += 1
            return None
        before = [unit for kind in missing for unit in self._known[kind].values()]
        payload = b"".join([part for unit in (*before, *self._units) for part in (START_CODE, unit)])
        if len(payload) > PAYLOAD_BYTES_MAX:
            self.damaged += 1
            return None
        return WholeKeyframe(payload, self._timestamp)

    def _remember(self, unit: bytes) -> None:
        """Keep a parameter set in the place of an older one: what comes in band is newer than the SDP."""
        kind = self._syntax.kind(unit[0])
        if kind in self._known:
            # Two picture parameter sets may stand side by side; they differ in their first bytes, where the id is.
            mark = unit[: self._syntax.header_bytes + 1] if kind == self._syntax.parameter_sets[-1] else b""
            self._known[kind][mark] = unit
