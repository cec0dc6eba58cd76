"""The outcome of a check on demand, as the client returns it."""

from dataclasses import dataclass

from engine.model.dialogue import TraceLine
from engine.model.verdict import Verdict
from engine.serve.messages.checks import line_of
from engine.serve.messages.convert import verdict_of
from engine.serve.messages.resource_names import camera_id_of
from patrol.v1 import patrol_pb2


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome for one camera of `check_now`: verdict, not_found, not_visited, paused, removed or pending.

    `trace`: what engine and camera said to each other, if that was asked for.
    """

    camera_id: str
    outcome: str
    verdict: Verdict | None = None
    trace: tuple[TraceLine, ...] = ()


def check_result_of(reply: patrol_pb2.CheckNowResponse) -> CheckResult:
    """Return the outcome in a reply."""
    outcome = patrol_pb2.CheckOutcome.Name(reply.outcome).removeprefix("CHECK_OUTCOME_").lower()
    verdict = verdict_of(reply.verdict) if reply.HasField("verdict") else None
    return CheckResult(camera_id_of(reply.camera), outcome, verdict, tuple(map(line_of, reply.trace)))
