"""Makes the failures that visits end in. What a camera wrote enters the engine here and nowhere else. Pure."""

from engine.model.visit import FailureReason, VisitFailure, VisitOrder, VisitTimings
from engine.printable import printable
from engine.redact import without_secrets_of

DETAIL_CHARS_MAX = 300


def visit_failure(
    order: VisitOrder, reason: FailureReason, detail: str, timings: VisitTimings = VisitTimings()
) -> VisitFailure:
    """Return the end of a visit without a keyframe. `detail` may be text of a hostile server: it is made printable,
    without passwords, and cut to DETAIL_CHARS_MAX characters.
    """
    text = without_secrets_of(order.url, printable(detail))[:DETAIL_CHARS_MAX]
    return VisitFailure(order.camera_id, order.visit_id, reason, text, timings)
