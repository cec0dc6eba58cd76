"""Outcomes of CheckNow as messages, with the dialogues of visits."""

from collections.abc import Sequence
from typing import Any

from engine.model.dialogue import Side, TraceLine
from engine.model.verdict import Verdict
from engine.serve.messages.convert import verdict_message
from engine.serve.messages.resource_names import camera_name
from patrol.v1 import patrol_pb2


def line_message(line: TraceLine) -> patrol_pb2.DialogueLine:
    """Return a line of a dialogue as a message."""
    side: Any = f"DIALOGUE_SIDE_{line.side.name}"
    return patrol_pb2.DialogueLine(ms=line.after_ms, side=side, text=line.text)


def line_of(message: patrol_pb2.DialogueLine) -> TraceLine:
    """Return the line of a message; an unknown side is a note."""
    name = patrol_pb2.DialogueSide.Name(message.side).removeprefix("DIALOGUE_SIDE_")
    return TraceLine(round(message.ms * 1e6), Side.__members__.get(name, Side.NOTE), message.text)


def check_message(
    camera_id: str, outcome: str, verdict: Verdict | None, trace: Sequence[TraceLine] = ()
) -> patrol_pb2.CheckNowResponse:
    """Return the outcome of a check as a message. `outcome`: of CheckOutcome, in lower case without its prefix."""
    name = f"CHECK_OUTCOME_{outcome.upper()}"
    message = patrol_pb2.CheckNowResponse(camera=camera_name(camera_id), outcome=name, trace=map(line_message, trace))
    if verdict is not None:
        message.verdict.CopyFrom(verdict_message(verdict))
    return message
