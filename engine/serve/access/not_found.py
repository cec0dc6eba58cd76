"""Errors for what does not exist, in the same words as for what lies outside the caller's region. Pure."""

from engine.errors import NotFoundError


def no_camera(camera_id: str) -> NotFoundError:
    """Return the error for a camera that is not in the registry, or not in the caller's region."""
    return NotFoundError(f"camera {camera_id!r} is not in the registry; import it first")


def no_finding(finding_id: int) -> NotFoundError:
    """Return the error for a finding that does not exist, or is not in the caller's region."""
    return NotFoundError(f"there is no finding {finding_id}; ListFindings lists those that exist")


def no_canteen(canteen_id: str) -> NotFoundError:
    """Return the error for a canteen that does not exist, or is not in the caller's region."""
    return NotFoundError(f"canteen {canteen_id!r} has no cameras and is not stored; ListCanteens lists those there are")
