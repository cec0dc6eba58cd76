"""The reasons of errors in the API: status, meaning, whether a repeat can succeed, and metadata of each. Pure.

docs/api.md has the same table, written from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import ErrorReason

RESOURCE_TYPE_PREFIX = "patrol.internal/"
"""What resource types in ResourceInfo begin with, as in the .proto files."""


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One reason. `status`: name of the gRPC status. `repeat`: the very same call can succeed later.

    `metadata`: keys in ErrorInfo.metadata beside `method`, which is always there; a key is absent if it has no value.
    """

    status: str
    meaning: str
    repeat: bool = False
    metadata: tuple[str, ...] = ()


REASONS: Mapping[ErrorReason, ReasonRow] = {
    ErrorReason.FIELD_INVALID: ReasonRow(
        "INVALID_ARGUMENT",
        "A field has a value that is not allowed. BadRequest names every such field.",
        metadata=("field", "value", "allowed", "limit"),
    ),
    ErrorReason.FIELD_MISSING: ReasonRow(
        "INVALID_ARGUMENT", "A required field is missing. BadRequest names every field.", metadata=("field",)
    ),
    ErrorReason.REQUEST_MALFORMED: ReasonRow("INVALID_ARGUMENT", "The bytes are no message of the request's type."),
    ErrorReason.PAGE_TOKEN_INVALID: ReasonRow(
        "INVALID_ARGUMENT",
        "The page token is not that of this request: another field changed, or it was not made by the engine. Begin "
        "with the first page.",
        metadata=("field",),
    ),
    ErrorReason.RESUME_TOKEN_INVALID: ReasonRow(
        "INVALID_ARGUMENT", "The resume token was not made by the engine.", metadata=("field",)
    ),
    ErrorReason.REQUEST_ID_REUSED: ReasonRow(
        "INVALID_ARGUMENT",
        "The request_id was sent with another request before. Give each request its own.",
        metadata=("field", "request_id", "finding", "step"),
    ),
    ErrorReason.CAMERA_ROW_INVALID: ReasonRow(
        "INVALID_ARGUMENT",
        "The registry's rules do not allow the camera: its URL, its id, its region, ...",
        metadata=("field",),
    ),
    ErrorReason.CONFIG_INVALID: ReasonRow(
        "INVALID_ARGUMENT", "The configuration is not usable. BadRequest has every problem.", metadata=("field",)
    ),
    ErrorReason.TOKEN_MISSING: ReasonRow("UNAUTHENTICATED", "The call has no metadata `authorization: Bearer TOKEN`."),
    ErrorReason.TOKEN_INVALID: ReasonRow("UNAUTHENTICATED", "The engine does not know the token."),
    ErrorReason.TOKEN_ENDED: ReasonRow("UNAUTHENTICATED", "The token has expired or was revoked.", metadata=("ended",)),
    ErrorReason.ROLE_TOO_LOW: ReasonRow(
        "PERMISSION_DENIED",
        "The token's role may not do this. `finding` and `severity`: an inspector may dismiss only what the policy "
        "(`ledger.inspector_dismiss_*`) allows.",
        metadata=("role_needed", "role", "finding", "severity"),
    ),
    ErrorReason.REGION_NOT_ALLOWED: ReasonRow(
        "PERMISSION_DENIED",
        "The call reaches beyond the region of the token. `region_needed` is empty for all regions.",
        metadata=("region", "region_needed"),
    ),
    ErrorReason.RESOURCE_NOT_FOUND: ReasonRow("NOT_FOUND", "What the request names does not exist."),
    ErrorReason.CAMERA_NOT_FOUND: ReasonRow("NOT_FOUND", "The camera is not in the registry.", metadata=("camera",)),
    ErrorReason.CANTEEN_NOT_FOUND: ReasonRow(
        "NOT_FOUND", "The canteen has no cameras and is not stored.", metadata=("canteen",)
    ),
    ErrorReason.VERDICT_NOT_FOUND: ReasonRow(
        "NOT_FOUND", "The verdict is not kept, or the camera was not visited yet.", metadata=("camera",)
    ),
    ErrorReason.PICTURE_NOT_FOUND: ReasonRow("NOT_FOUND", "The keyframe is not kept.", metadata=("camera",)),
    ErrorReason.FINDING_NOT_FOUND: ReasonRow("NOT_FOUND", "There is no such finding.", metadata=("finding",)),
    ErrorReason.SPOT_CHECK_NOT_FOUND: ReasonRow("NOT_FOUND", "The spot check is not kept."),
    ErrorReason.NOTHING_TO_DRAW: ReasonRow(
        "NOT_FOUND", "The region has no canteen that a spot check can draw.", metadata=("region",)
    ),
    ErrorReason.DIGEST_EMPTY: ReasonRow(
        "NOT_FOUND", "Nothing was counted or found in the region and the period of the digest.", metadata=("region",)
    ),
    ErrorReason.PAUSE_NOT_FOUND: ReasonRow("NOT_FOUND", "The scope is not paused.", metadata=("scope", "value")),
    ErrorReason.TOKEN_NOT_FOUND: ReasonRow("NOT_FOUND", "There is no such token."),
    ErrorReason.RESOURCE_EXISTS: ReasonRow("ALREADY_EXISTS", "What the request creates exists already."),
    ErrorReason.CAMERA_EXISTS: ReasonRow(
        "ALREADY_EXISTS", "The id is in the registry; change the camera with UpdateCamera.", metadata=("camera",)
    ),
    ErrorReason.TOKEN_EXISTS: ReasonRow("ALREADY_EXISTS", "A valid token has the same name.", metadata=("name",)),
    ErrorReason.STATE_NOT_ALLOWED: ReasonRow("FAILED_PRECONDITION", "The state of the resource does not allow it."),
    ErrorReason.FINDING_ENDED: ReasonRow(
        "FAILED_PRECONDITION", "The finding is closed or dismissed.", metadata=("finding", "state")
    ),
    ErrorReason.FINDING_ALREADY_ACKNOWLEDGED: ReasonRow(
        "FAILED_PRECONDITION", "The finding is acknowledged already.", metadata=("finding", "state")
    ),
    ErrorReason.FINDING_ALREADY_CLAIMED: ReasonRow(
        "FAILED_PRECONDITION",
        "A person's claim is being rechecked; wait for the rechecks.",
        metadata=("finding", "state", "claimed_by"),
    ),
    ErrorReason.FINDING_ALREADY_SUPERVISED: ReasonRow(
        "FAILED_PRECONDITION", "The finding is supervised already.", metadata=("finding", "state")
    ),
    ErrorReason.FINDING_NOT_DISMISSED: ReasonRow(
        "FAILED_PRECONDITION",
        "Only a finding that was dismissed can be reopened, and this one was not.",
        metadata=("finding", "state"),
    ),
    ErrorReason.FINDING_REOPEN_TOO_LATE: ReasonRow(
        "FAILED_PRECONDITION",
        "The finding was dismissed longer ago than `ledger.reopen_hours`, or not by a person.",
        metadata=("finding", "state"),
    ),
    ErrorReason.FINDING_SUPERSEDED: ReasonRow(
        "FAILED_PRECONDITION",
        "The camera has another open finding of the same fault.",
        metadata=("finding", "state", "open_finding"),
    ),
    ErrorReason.CHANGED_MEANWHILE: ReasonRow("ABORTED", "Somebody else changed it. Read it again, then decide."),
    ErrorReason.FINDING_CHANGED: ReasonRow(
        "ABORTED",
        "More has happened to the finding than `expected_number`. Read it again, then decide.",
        metadata=("finding", "expected_number", "number", "state"),
    ),
    ErrorReason.CONFIG_CHANGED: ReasonRow(
        "ABORTED",
        "The configuration in force has another revision. Read it again, then decide.",
        metadata=("expected_revision", "revision"),
    ),
    ErrorReason.DRAW_UNDER_WAY: ReasonRow("ABORTED", "Another spot check is being drawn.", repeat=True),
    ErrorReason.RESUME_PLACE_LOST: ReasonRow(
        "OUT_OF_RANGE", "The log no longer has the place of the resume token. Begin the watch without one."
    ),
    ErrorReason.WATCHER_TOO_SLOW: ReasonRow(
        "RESOURCE_EXHAUSTED",
        "The watcher did not read as fast as events came. Resume with `resume_token`, if there is one, else with the "
        "last that was received.",
        metadata=("resume_token",),
    ),
    ErrorReason.TOO_MANY_WATCHERS: ReasonRow(
        "RESOURCE_EXHAUSTED",
        "As many callers watch as `serve.watchers_max` allows. QuotaFailure says so too.",
        repeat=True,
        metadata=("limit",),
    ),
    ErrorReason.RATE_LIMIT_EXCEEDED: ReasonRow(
        "RESOURCE_EXHAUSTED",
        "The token, or the caller's address, makes more calls a second than the engine allows; nothing was done. "
        "RetryInfo has how long to wait, QuotaFailure the setting. `by`: token, address, or failed: an address that "
        "calls without a valid token.",
        repeat=True,
        metadata=("by",),
    ),
    ErrorReason.METHOD_UNKNOWN: ReasonRow(
        "UNIMPLEMENTED", "The engine has no such service or method.", metadata=("service",)
    ),
    ErrorReason.DATABASE_UNAVAILABLE: ReasonRow("UNAVAILABLE", "The database does not answer now.", repeat=True),
    ErrorReason.DATABASE_REFUSED: ReasonRow(
        "UNAVAILABLE", "The database refuses this entry; the engine's log says why. Nothing was changed."
    ),
    ErrorReason.TEMPORARILY_UNAVAILABLE: ReasonRow("UNAVAILABLE", "Something is not ready now.", repeat=True),
    ErrorReason.WORKER_UNAVAILABLE: ReasonRow(
        "UNAVAILABLE", "No worker can render a picture now.", repeat=True, metadata=("limit",)
    ),
    ErrorReason.ENGINE_STOPPING: ReasonRow("UNAVAILABLE", "The engine stops; it may start again.", repeat=True),
    ErrorReason.EVIDENCE_DAMAGED: ReasonRow(
        "DATA_LOSS", "A stored keyframe has changed, is gone, or gives no picture.", metadata=("sha256",)
    ),
    ErrorReason.CALL_TIMED_OUT: ReasonRow(
        "DEADLINE_EXCEEDED", "The call took too long. Ask for less at once, or again later."
    ),
    ErrorReason.CALL_CANCELLED: ReasonRow("CANCELLED", "The call was cancelled."),
    ErrorReason.INTERNAL: ReasonRow("INTERNAL", "An error of the engine; its log says more."),
}
