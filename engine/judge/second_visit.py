"""Decides which faults count only when the next visit has one too: those that damage may have made, unnoticed. Pure.

Wrong bits may decode to a whole picture that is another: of other levels, of blocks in other places. In H.264 with
CABAC the decoder notices most of them, unless they are in the parameter sets, which say what all other bits mean; what
it does not notice smears the rest of a slice, which may pass for something before part of the picture. Any other coding
has too little to notice wrong bits by. A link breaks other bits at the next visit, while a faulty camera stays faulty.
"""

from collections.abc import Sequence

from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import FaultKind, State


def why_seen_twice(kinds: Sequence[FaultKind], measurement: Measurement, judge_state: JudgeState) -> str:
    """Return in a sentence why these faults of a picture count only when seen a second time; empty if they count now.

    `judge_state`: before this visit. They count if the visit before had a fault as well, if a fault is announced, or
    if the picture has not changed for several visits, since damage does not come twice alike.
    """
    if not kinds or FaultKind.FROZEN in kinds or judge_state.announced == State.FAULT:
        return ""
    if judge_state.packed_outcomes and judge_state.outcomes[-1].state == State.FAULT:
        return ""
    if measurement.fragile:
        why = "such a stream does not show whether it is damaged"
    elif measurement.headers != judge_state.headers:
        why = "the stream's parameter sets are not those of a good picture of this camera"
    elif FaultKind.PARTLY_COVERED in kinds:
        why = "wrong bits may have smeared part of the picture"
    else:
        return ""
    return f"{', '.join(kinds)}, seen once: {why}, so the next visit decides"
