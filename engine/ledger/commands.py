"""Checks commands on findings: role, state and reason. Every refusal says why, and what to do instead. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import ConflictError, DeniedError, ErrorReason, InvalidArgumentError, Resource, StateError
from engine.ledger.policy import Policy
from engine.model.access import ENGINE, Actor, Role
from engine.model.findings import (
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
    Step.DISMISSED: Role.INSPECTOR,
    Step.REOPENED: Role.OPERATOR,
}
"""The least role that each command needs; what an inspector may dismiss is up to the policy, see `check_allowed`."""
_NEED_REASON = (Step.SUPERVISED, Step.CLOSED, Step.DISMISSED, Step.REOPENED)

_NEW = "if the fault is seen again, a new one is opened"
_NO_FACTS: Mapping[str, str] = MappingProxyType({})


def check_command(command: FindingCommand, actor: Actor) -> None:
    """Check a command without regard to its finding.

    Raises InvalidArgumentError if the command itself is invalid, and DeniedError if the actor's role is too low.
    """
    if command.step not in ROLES:
        raise InvalidArgumentError(
            "step", f"{command.step.value!r} is not a command; allowed: {', '.join(ROLES)}; give one of these"
        )
    if len(command.why) > WHY_CHARS_MAX:
        raise InvalidArgumentError(
            "why",
            f"{len(command.why)} characters; allowed: at most {WHY_CHARS_MAX}; shorten it",
        )
    if len(command.request_id) > REQUEST_ID_CHARS_MAX:
        raise InvalidArgumentError(
            "request_id",
            f"{len(command.request_id)} characters; allowed: at most {REQUEST_ID_CHARS_MAX}; give a UUID",
        )
    if command.photographs and command.step is not Step.CLAIMED:
        raise InvalidArgumentError("photographs", f"come with a claim, not with {command.step}; leave them out")
    needed = ROLES[command.step]
    if not actor.role.includes(needed):
        raise DeniedError(
            f"{actor.name} is {actor.role}; {command.step} needs {needed}; ask someone with that role",
            metadata={"role_needed": needed, "role": actor.role},
        )
    if command.step in _NEED_REASON and not command.why.strip():
        raise InvalidArgumentError("why", f"is empty; {command.step} needs a reason, which the ledger keeps; give one")


def check_allowed(command: FindingCommand, finding: Finding, actor: Actor, policy: Policy) -> None:
    """Check a command as `check_command` does, and whether the policy leaves the dismissal of the finding to operators.

    Raises InvalidArgumentError and DeniedError.
    """
    check_command(command, actor)
    if (
        command.step is not Step.DISMISSED
        or actor.role.includes(Role.OPERATOR)
        or policy.inspector_may_dismiss(finding)
    ):
        return
    name, allowed = f"findings/{finding.finding_id}", policy.settings.inspector_dismiss_severity
    raise DeniedError(
        f"{actor.name} is {actor.role}; {command.step} needs {Role.OPERATOR}, since {name} is {finding.severity} and "
        f"ledger.inspector_dismiss_severity is {allowed}; ask someone with that role",
        metadata={"role_needed": Role.OPERATOR, "role": actor.role, "finding": name, "severity": finding.severity},
    )


def is_repeated(command: FindingCommand, before: FindingCommand | None) -> bool:
    """Return whether the command repeats `before`, the actor's command with the same request id; None if there is none.

    Raises InvalidArgumentError if `before` was a different command.
    """
    if before is None:
        return False
    if (before.finding_id, before.step) != (command.finding_id, command.step):
        raise InvalidArgumentError(
            "request_id",
            f"{command.request_id!r} was {before.step} of findings/{before.finding_id}; every command needs a request "
            "id of its own; only a retry of the same command may reuse it",
            reason=ErrorReason.REQUEST_ID_REUSED,
            metadata={
                "request_id": command.request_id,
                "finding": f"findings/{before.finding_id}",
                "step": before.step,
            },
        )
    return True


def check_state(command: FindingCommand, finding: Finding) -> None:
    """Check a command against the state of its finding.

    Raises ConflictError if the finding has later events than the caller has seen, and StateError if its state does not
    allow the command.
    """
    check_number(command, finding)
    refused = _refusal(command.step, finding)
    if refused is not None:
        reason, why = refused
        facts = {"claimed_by": finding.claimed_by} if reason is ErrorReason.FINDING_ALREADY_CLAIMED else {}
        raise _state_error(finding, reason, why, facts)


def check_number(command: FindingCommand, finding: Finding) -> None:
    """Raise ConflictError if the finding has later events than the caller has seen."""
    name = f"findings/{finding.finding_id}"
    if command.expected_number and command.expected_number != finding.number:
        raise ConflictError(
            f"{name}: its latest event is number {finding.number}, not {command.expected_number}: it is "
            f"{finding.state} now; read it again, then send the command once more",
            reason=ErrorReason.FINDING_CHANGED,
            resource=Resource("Finding", name),
            metadata={
                "finding": name,
                "expected_number": command.expected_number,
                "number": finding.number,
                "state": finding.state,
            },
        )


def check_reopening(
    command: FindingCommand, dismissed: Finding, now_wall_ns: int, policy: Policy, open_id: int | None
) -> None:
    """Check whether a person's dismissal may be undone now.

    `open_id`: the camera's open finding of the same family; None if there is none. Raises ConflictError as
    `check_state`, and StateError.
    """
    check_number(command, dismissed)
    if now_wall_ns - dismissed.changed_wall_ns > policy.reopen_ns:
        hours = f"ledger.reopen_hours = {policy.settings.reopen_hours:g}"
        raise _state_error(
            dismissed, ErrorReason.FINDING_REOPEN_TOO_LATE, f"was dismissed too long ago ({hours}); {_NEW}"
        )
    if open_id is not None:
        other = f"findings/{open_id}"
        why = f"the camera has another open finding of the same fault, {other}; work on that one"
        raise _state_error(dismissed, ErrorReason.FINDING_SUPERSEDED, why, {"open_finding": other})


def _state_error(finding: Finding, reason: ErrorReason, why: str, facts: Mapping[str, str] = _NO_FACTS) -> StateError:
    name = f"findings/{finding.finding_id}"
    metadata = {"finding": name, "state": finding.state.value, **facts}
    return StateError(f"{name}: {why}", reason=reason, resource=Resource("Finding", name), metadata=metadata)


def _refusal(step: Step, finding: Finding) -> tuple[ErrorReason, str] | None:
    """Return why the state of a finding does not allow a step; None if it does."""
    if step is Step.REOPENED:
        if finding.state is FindingState.DISMISSED:
            why = "only what a person dismissed can be reopened, for ledger.reopen_hours"
            return ErrorReason.FINDING_REOPEN_TOO_LATE, f"is dismissed, and can no longer be reopened: {why}; {_NEW}"
        return ErrorReason.FINDING_NOT_DISMISSED, f"is {finding.state}; only a finding that was dismissed is reopened"
    if finding.state.ended:
        return ErrorReason.FINDING_ENDED, f"is {finding.state}; nothing can be done to a finding that ended; {_NEW}"
    if step is Step.ACKNOWLEDGED and finding.standing is FindingState.ACKNOWLEDGED:
        return ErrorReason.FINDING_ALREADY_ACKNOWLEDGED, "is acknowledged already; claim it mended when it is"
    if step is Step.CLAIMED and finding.state.claimed and finding.claimed_by != ENGINE.name:
        return (
            ErrorReason.FINDING_ALREADY_CLAIMED,
            f"is {finding.state}, claimed by {finding.claimed_by}; wait for the re-check, which closes it or hands it "
            "back",
        )
    if step is Step.SUPERVISED and finding.supervised:
        return ErrorReason.FINDING_ALREADY_SUPERVISED, "is supervised already; there is nothing to do"
    return None
