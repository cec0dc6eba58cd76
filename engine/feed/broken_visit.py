"""Ends a visit on which the engine's own code broke: as `internal`, which is judged, and with the stack in the log.

A camera that breaks its visits would otherwise never get a verdict, and so could never be announced offline.
"""

import threading
import traceback
from collections import Counter
from pathlib import Path

from engine.feed.failure import visit_failure
from engine.model.visit import FailureReason, VisitFailure, VisitOrder, VisitTimings
from engine.runtime.log import logger

_PLACES_MAX = 100
_ENGINE = Path(__file__).parents[1]
_times: Counter[str] = Counter()
_lock = threading.Lock()


def broken_visit(order: VisitOrder, error: BaseException, timings: VisitTimings = VisitTimings()) -> VisitFailure:
    """Return the failure of a visit that `error` ended. Any thread.

    The log gets the stack at the first, tenth, hundredth ... visit that breaks at the same place of the code.
    """
    what = f"{type(error).__name__} at {_place(error)}"
    with _lock:
        place = what if what in _times or len(_times) < _PLACES_MAX else "elsewhere"
        _times[place] += 1
        times = _times[place]
    if str(times).rstrip("0") == "1":
        logger().error(
            "visit broke",
            camera_id=order.camera_id,
            region=order.region,
            visit_id=order.visit_id,
            times=times,
            exc_info=error,
        )
    return visit_failure(
        order, FailureReason.INTERNAL, f"the engine's own code broke: {what}; its log has more", timings
    )


def _place(error: BaseException) -> str:
    """Return file and line of the innermost frame in the engine's code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ENGINE)] or list(frames)
    if not ours:
        return "an unknown place"
    path = Path(ours[-1].filename)
    name = path.relative_to(_ENGINE.parent) if path.is_relative_to(_ENGINE.parent) else path.name
    return f"{name}:{ours[-1].lineno}"
