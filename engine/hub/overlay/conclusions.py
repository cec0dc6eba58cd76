"""Turns the text of a kept keyframe into a reading, and what readings show into faults with sentences. Pure."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from engine.config.reader import ReaderSettings
from engine.model.camera import Camera
from engine.model.overlay import Box, OverlayVerdict, PictureText, ReadFault
from engine.model.verdict import Cause, FaultKind, Verdict
from engine.overlay.clock_rules import ClockCheck, ClockSign, check_clock
from engine.overlay.confirmation import CameraReading, Conclusion, Finding
from engine.overlay.layout import Overlay, overlay_of
from engine.overlay.name_rules import NameSign, check_name

_UNSURE = ClockCheck(ClockSign.UNSURE)


@dataclass(frozen=True, slots=True)
class PictureReading:
    """What was read of one keyframe, with where it stands in the picture."""

    reading: CameraReading
    overlay: Overlay

    def box_of(self, kind: FaultKind) -> Box | None:
        """Return where the fault of a kind shows; None if nowhere."""
        if kind is FaultKind.CLOCK_WRONG:
            return None if self.overlay.clock is None else self.overlay.clock.box
        return self.overlay.names[0].box if self.overlay.names else None


def read_picture(
    text: PictureText,
    verdict: Verdict,
    arrival_wall_ns: int,
    camera: Camera,
    settings: ReaderSettings,
    zone: ZoneInfo,
) -> PictureReading:
    """Return what the text of a picture says of the camera's clock and name.

    `verdict`: of the visit that brought the keyframe. A clock in a picture that stands is unsure: that it stands too is
    part of the fault `frozen`, and that it runs is what `frozen` rests on.
    """
    overlay = overlay_of(text, settings.confidence_min)
    clock = overlay.clock
    stands = FaultKind.FROZEN in verdict.kinds or FaultKind.FROZEN in verdict.announced_kinds
    check = _UNSURE
    if clock is not None and not stands:
        check = check_clock(clock.reading, arrival_wall_ns, zone, settings.clock_off_s_max)
    names = [line.text for line in overlay.names]
    sign = check_name(names, camera.name, camera.site_name) if settings.names else NameSign.UNSURE
    reading = CameraReading(
        arrival_wall_ns=arrival_wall_ns,
        clock_reading=None if clock is None or stands else clock.reading,
        clock=check,
        name=" ".join(names),
        name_sign=sign,
    )
    return PictureReading(reading, overlay)


def conclude(picture: PictureReading, conclusion: Conclusion, camera: Camera) -> OverlayVerdict:
    """Return what the ledger is told."""
    faults: dict[FaultKind, ReadFault] = {}
    right: set[FaultKind] = set()
    for kind, found in ((FaultKind.CLOCK_WRONG, conclusion.clock), (FaultKind.NAME_WRONG, conclusion.name)):
        if found is Finding.RIGHT:
            right.add(kind)
        elif found is not None:
            cause = Cause.CLOCK_STILL if found is Finding.STANDS else None
            faults[kind] = ReadFault(kind, cause, _sentence(kind, found, picture, camera))
    return OverlayVerdict(camera.camera_id, picture.reading.arrival_wall_ns, faults, frozenset(right))


def _sentence(kind: FaultKind, found: Finding, picture: PictureReading, camera: Camera) -> str:
    if kind is FaultKind.NAME_WRONG:
        return f"the picture shows {picture.reading.name!r}, the registry has {camera.name!r}"
    shown = "" if picture.overlay.clock is None else picture.overlay.clock.text
    if found is Finding.STANDS:
        return f"the clock stands at {shown!r} while the picture moves"
    offset_s = picture.reading.clock.offset_s
    side = "ahead of" if offset_s > 0 else "behind"
    return f"the clock shows {shown!r}, {abs(offset_s):,} s {side} the picture's arrival"
