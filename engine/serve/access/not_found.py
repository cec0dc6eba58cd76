"""Errors for what does not exist, in the same words as for what lies outside the caller's region. Pure."""

from engine.errors import ErrorReason, NotFoundError, Resource
from engine.serve.messages.resource_names import camera_name, canteen_name, numbered_name


def no_camera(camera_id: str) -> NotFoundError:
    """Return the error for a camera that is not in the registry, or not in the caller's region."""
    name = camera_name(camera_id)
    return NotFoundError(
        f"camera {camera_id!r} is not in the registry; import it first",
        reason=ErrorReason.CAMERA_NOT_FOUND,
        resource=Resource("Camera", name),
        metadata={"camera": name},
    )


def no_finding(finding_id: int) -> NotFoundError:
    """Return the error for a finding that does not exist, or is not in the caller's region."""
    name = numbered_name("findings", finding_id)
    return NotFoundError(
        f"there is no finding {finding_id}; ListFindings lists those that exist",
        reason=ErrorReason.FINDING_NOT_FOUND,
        resource=Resource("Finding", name),
        metadata={"finding": name},
    )


def no_canteen(canteen_id: str) -> NotFoundError:
    """Return the error for a canteen that does not exist, or is not in the caller's region."""
    name = canteen_name(canteen_id)
    return NotFoundError(
        f"canteen {canteen_id!r} has no cameras and is not stored; ListCanteens lists those there are",
        reason=ErrorReason.CANTEEN_NOT_FOUND,
        resource=Resource("Canteen", name),
        metadata={"canteen": name},
    )
