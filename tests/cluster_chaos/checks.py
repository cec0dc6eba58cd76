"""What must hold at the end of a run."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, cast

from engine.model.packed.verdict import visit_and_since

if TYPE_CHECKING:
    from tests.cluster_chaos.deeds import Fault
    from tests.cluster_chaos.site import Site

FIRST_S = 20.0
"""The first camera of a lost machine, and of an engine, is visited again within this time."""
PUSHED_AGAIN_NS = 30 * 10**9
"""The gateway pushes a keyframe of each of its cameras every few seconds."""
FRONT_KILLED, HEAD_OWN = "front killed", "head killed, as its own machine sees it"
_UNBOUND = (FRONT_KILLED, HEAD_OWN)
"""Faults whose cameras are visited again when somebody starts what has ended."""
PERIODS = 2
_SHOWN = 5

Row = tuple[str, int]


def log(site: "Site") -> list[Row]:
    """Return camera and visit of every verdict, in the order of the log."""
    rows = site.query(
        "SELECT n.camera_id, v.body FROM verdict_log v JOIN camera_nos n USING (camera_no) ORDER BY v.seq"
    )
    return [(str(row.camera_id), visit_and_since(cast(bytes, row.body))[0]) for row in rows]


def pushes(site: "Site") -> Iterator[str]:
    """Yield a sentence for keyframes of the gateway that were judged twice, and for its cameras that are not judged any
    more."""
    rows = [
        (str(row.camera_id), int(str(row.at_wall_ns)))
        for row in site.query(
            "SELECT n.camera_id, v.at_wall_ns FROM verdict_log v JOIN camera_nos n USING (camera_no)"
            " WHERE n.camera_id LIKE 'p-%'"
        )
    ]
    if twice := [row for row, times in Counter(rows).items() if times > 1]:
        yield f"keyframes of the gateway that were judged twice: {twice[:_SHOWN]}"
    late_ns = time.time_ns() - PUSHED_AGAIN_NS
    judged = {camera for camera, at_wall_ns in rows if at_wall_ns > late_ns}
    if silent := sorted({camera.camera_id for camera in site.pushed_cameras} - judged):
        yield f"cameras of the gateway without a verdict of late: {silent[:_SHOWN]}"


def commands(site: "Site", acknowledged: Set[str], unsure: Set[str]) -> Iterator[str]:
    """Yield a sentence for commands of the ledger that are there twice, or are not though they were acknowledged.
    `unsure`: nobody knows whether they were done."""
    times = Counter(str(row.why) for row in site.query("SELECT why FROM finding_events WHERE why LIKE 'order %'"))
    if lost := sorted(acknowledged - times.keys()):
        yield f"acknowledged, and lost: {len(lost)} commands of the ledger: {lost[:_SHOWN]}"
    if twice := sorted(why for why, count in times.items() if count > 1):
        yield f"in the ledger more than once: {twice[:_SHOWN]}"
    if strange := sorted(times.keys() - acknowledged - unsure):
        yield f"in the ledger, though they were refused: {strange[:_SHOWN]}"


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for verdicts that are in the log twice, or behind a later one of their camera."""
    for row, times in [(row, times) for row, times in Counter(rows).items() if times > 1][:_SHOWN]:
        yield f"in the log {times} times: {row}"
    last: dict[str, int] = {}
    late = []
    for camera, visit in rows:
        if visit < last.get(camera, 0):
            late.append((camera, visit))
        last[camera] = max(visit, last.get(camera, 0))
    if late:
        yield f"{len(late)} verdicts came after a later visit of their camera, from who had lost it: {late[:3]}"


def watched(rows: Sequence[Row], seen: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence if a watcher was not told exactly what the log has from its first verdict on, once each and in
    order. `seen`: may go on beyond `rows`, which were read before the watcher ended."""
    if not seen:
        yield "the watcher saw nothing"
        return
    expected = rows[rows.index(seen[0]) :] if seen[0] in rows else rows
    twice = [row for row, times in Counter(seen).items() if times > 1]
    missing = Counter(expected) - Counter(seen)
    disorder = [] if missing or list(seen[: len(expected)]) == list(expected) else list(seen[:1])
    for what, found in (("twice", twice), ("never", list(missing)), ("in another order", disorder)):
        if found:
            yield f"the watcher was told {len(found)} verdicts {what}: {found[:3]}"


def caps(peaks: Sequence[int], cap: int) -> Iterator[str]:
    """Yield a sentence if a recorder had more visits at once than its cap."""
    over = {recorder: peak for recorder, peak in enumerate(peaks) if peak > cap}
    if over:
        yield f"more visits at once than {cap}, by recorder: {dict(list(over.items())[:_SHOWN])}"


def never(faults: "Sequence[Fault]") -> Iterator[str]:
    """Yield a sentence for each fault whose cameras were not all visited again while somebody looked."""
    for fault in faults:
        if fault.all_s is None and not fault.is_idle and fault.what != FRONT_KILLED:
            yield f"{fault.what} at {fault.at_s:.0f} s: its cameras were not all visited again"


def late(faults: "Sequence[Fault]", period_s: float) -> Iterator[str]:
    """Yield a sentence for each fault whose cameras were visited again too late."""
    for fault in faults:
        if fault.what in _UNBOUND or fault.is_idle:
            continue
        if fault.first_s is None or fault.first_s > FIRST_S:
            yield f"{fault.what} at {fault.at_s:.0f} s: the first camera was visited again after {fault.first_s} s"
        if fault.all_s is None or fault.all_s > PERIODS * period_s:
            yield f"{fault.what} at {fault.at_s:.0f} s: all cameras were visited again after {fault.all_s} s"
