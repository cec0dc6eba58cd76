"""Renders the exhibits of findings for the digest: the fault, and beside it what the camera showed before."""

from collections.abc import Iterable

from engine.decode.render import render_jpeg
from engine.errors import DecodeError, IntegrityError, StoreError
from engine.notices.digest import FindingPictures, FindingSnapshot, Picture
from engine.storage.evidence.exhibit_reader import ExhibitReader
from engine.storage.evidence.exhibits import Exhibit

SIDE_PX = 400
_QUALITY = 72


def finding_pictures(exhibits: ExhibitReader, findings: Iterable[FindingSnapshot]) -> dict[int, FindingPictures]:
    """Return the pictures of each finding by its number, about 50 KB each; None for what is not kept or is damaged."""
    return {snapshot.finding.finding_id: _pictures(exhibits, snapshot) for snapshot in findings}


def _pictures(exhibits: ExhibitReader, snapshot: FindingSnapshot) -> FindingPictures:
    fault = _exhibit(exhibits, snapshot.exhibit, snapshot.finding.subject.camera_id)
    if fault is None:
        return FindingPictures()
    baseline = fault.beside.get("baseline", "")
    good = _exhibit(exhibits, baseline or fault.beside.get("good", ""), snapshot.finding.subject.camera_id)
    return FindingPictures(_picture(fault), _picture(good), bool(baseline))


def _exhibit(exhibits: ExhibitReader, sha256: str, camera_id: str) -> Exhibit | None:
    try:
        return exhibits.exhibit(sha256, camera_id) if sha256 else None
    except (IntegrityError, StoreError, OSError, KeyError, ValueError):
        return None  # `patrol evidence verify` says what is wrong with it


def _picture(exhibit: Exhibit | None) -> Picture | None:
    if exhibit is None:
        return None
    keyframe = exhibit.keyframe
    try:
        rendered = render_jpeg(keyframe.codec, bytes(keyframe.payload), side_px_max=SIDE_PX, quality=_QUALITY)
    except DecodeError:
        return None
    return Picture(rendered.jpeg, keyframe.arrival_wall_ns)
