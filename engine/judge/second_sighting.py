"""Decides which faults count only when the next visit has one too: those that damage may have made, unnoticed. Pure.

Wrong bits may decode to a whole picture that is another: of other levels, of blocks in other places. libavcodec notices
nearly all of them in H.264, unless they are in the parameter sets, which say what all other bits mean. JPEG and H.265
have little to notice them by. The link breaks other bits at the next visit, while a faulty camera stays faulty.
"""

from collections.abc import Sequence

from engine.judge.state import JudgeState
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement
from engine.model.verdict import FaultKind, State

_NAMES = {Codec.H264: "H.264", Codec.H265: "H.265", Codec.MJPEG: "JPEG"}


def why_seen_twice(kinds: Sequence[FaultKind], measurement: Measurement, judge_state: JudgeState) -> str:
    """Return in a sentence why these faults of a picture count only at a second sighting; empty if they count now.

    `judge_state`: before this visit. They count if the visit before had a fault as well, if a fault is announced, or
    if the picture has not changed for several visits: damage does not come twice alike.
    """
    if not kinds or FaultKind.FROZEN in kinds or judge_state.announced == State.FAULT:
        return ""
    outcomes = judge_state.outcomes
    if outcomes and outcomes[-1].state == State.FAULT:
        return ""
    if measurement.codec is Codec.H264:
        if measurement.headers == judge_state.headers:
            return ""
        why = "the stream's parameter sets are not those of a good picture of this camera"
    else:
        why = f"{_NAMES[measurement.codec]} does not show whether data are damaged"
    return f"{', '.join(kinds)}, seen once: {why}, so the next visit decides"
