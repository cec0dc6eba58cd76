"""What people may do to a finding: who, in which state, with what said. Every refusal says why and what to do."""

from engine.actors import ENGINE, Actor, Role
from engine.errors import CommandError, ConflictError, ForbiddenError
from engine.findings import (
    REQUEST_ID_CHARS_MAX,
    WHY_CHARS_MAX,
    Finding,
    FindingCommand,
    FindingState,
    Step,
)

ROLES = {
    Step.ACKNOWLEDGED: Role.INSPECTOR,
    Step.CLAIMED: Role.INSPECTOR,
    Step.SUPERVISED: Role.OPERATOR,
    Step.CLOSED: Role.OPERATOR,
    Step.DISMISSED: Role.OPERATOR,
}
"""Commands and the role each needs at least."""
_WITH_REASON = (Step.SUPERVISED, Step.CLOSED, Step.DISMISSED)


def check(command: FindingCommand, actor: Actor) -> None:
    """Raises CommandError for what can never be right, ForbiddenError for a role that is too low."""
    if command.step not in ROLES:
        raise CommandError(
            "step", f"{command.step.value!r} is nothing one can do; allowed: {', '.join(ROLES)}; give one of these"
        )
    if len(command.why) > WHY_CHARS_MAX:
        raise CommandError(
            "why",
            f"{len(command.why)} characters; allowed: at most {WHY_CHARS_MAX}; shorten it",
        )
    if len(command.request_id) > REQUEST_ID_CHARS_MAX:
        raise CommandError(
            "request_id",
            f"{len(command.request_id)} characters; allowed: at most {REQUEST_ID_CHARS_MAX}; give a UUID",
        )
    needed = ROLES[command.step]
    if not actor.role.may(needed):
        raise ForbiddenError(f"{actor.name} is {actor.role}; {command.step} needs {needed}: ask one who is")
    if command.step in _WITH_REASON and not command.why.strip():
        raise CommandError("why", f"is empty; {command.step} needs a reason: say it, the ledger keeps it")


def is_repeated(command: FindingCommand, before: FindingCommand | None) -> bool:
    """Whether this is what its caller asked for under the same request id, `before`; ConflictError if that was else."""
    if before is None:
        return False
    if (before.finding_id, before.step) != (command.finding_id, command.step):
        raise ConflictError(
            f"request_id {command.request_id!r} was {before.step} of findings/{before.finding_id}; every command "
            "needs a request id of its own, and only its repetition has the same"
        )
    return True


def check_state(command: FindingCommand, finding: Finding) -> None:
    """Raises ConflictError where the finding has moved on, or its state does not allow the command."""
    name = f"findings/{finding.finding_id}"
    if command.expected_number and command.expected_number != finding.number:
        raise ConflictError(
            f"{name}: its latest event is number {finding.number}, not {command.expected_number}: it is "
            f"{finding.state} now; look at it again, then send the command once more"
        )
    if finding.state.ended:
        raise ConflictError(
            f"{name}: is {finding.state}; nothing can be done to a finding that ended; if the fault is seen again, "
            "a new one is opened"
        )
    if command.step is Step.ACKNOWLEDGED and finding.standing is FindingState.ACKNOWLEDGED:
        raise ConflictError(f"{name}: is acknowledged already; claim it mended when it is")
    if command.step is Step.CLAIMED and finding.state.claimed and finding.claimed_by != ENGINE.name:
        raise ConflictError(
            f"{name}: is {finding.state}, claimed by {finding.claimed_by}; wait for the re-check, which closes it or "
            "hands it back"
        )
    if command.step is Step.SUPERVISED and finding.supervised:
        raise ConflictError(f"{name}: is supervised already; nothing is left to do")
