"""The access rule of every RPC: the lowest role that may call it, how its region is checked, whether it changes data.

A call that is not in this table is refused; a test walks all descriptors and names those that are missing.
"""

from dataclasses import dataclass
from enum import Enum, auto

from engine.model.access import Role

PACKAGE = "patrol.v1"


class RegionCheck(Enum):
    """What must lie within the region of the caller's token. ScopedHub checks it."""

    CAMERA = auto()
    """The cameras that the request names, by their region in the registry."""
    ROWS = auto()
    """The rows of the registry that are sent, and those that they would replace."""
    REGION = auto()
    """The region prefix in the request; it is narrowed to the caller's region."""
    CANTEEN = auto()
    """The canteen that the request names: its cameras, and the region that its details are stored for."""
    FINDING = auto()
    """The finding that the request names."""
    SPOT_CHECK = auto()
    """The region that a spot check was drawn from."""
    PAUSE = auto()
    """The region or the camera of a pause; pauses of recorders and platforms need a token of all regions."""
    TOKEN = auto()
    """The region of tokens, and of the actors in the audit log."""
    CALLER = auto()
    """Nothing: the call tells callers only of themselves."""
    ALL_REGIONS = auto()
    """The call concerns all regions: tokens with a region are refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`role`: the lowest that may call. `changes`: the call goes to the audit log. `idempotent`: a retry with the same
    request_id changes nothing and gets the same reply."""

    role: Role
    region_check: RegionCheck
    changes: bool = False
    idempotent: bool = False


RULES: dict[str, dict[str, Rule]] = {
    "CameraService": {
        "GetCamera": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "ListCameras": Rule(Role.VIEWER, RegionCheck.REGION),
        "CountCameras": Rule(Role.VIEWER, RegionCheck.REGION),
        "BatchGetCameras": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "CreateCamera": Rule(Role.OPERATOR, RegionCheck.ROWS, changes=True, idempotent=True),
        "UpdateCamera": Rule(Role.OPERATOR, RegionCheck.ROWS, changes=True, idempotent=True),
        "DeleteCamera": Rule(Role.OPERATOR, RegionCheck.CAMERA, changes=True),
        "BatchDeleteCameras": Rule(Role.OPERATOR, RegionCheck.CAMERA, changes=True),
        "ImportCameras": Rule(Role.OPERATOR, RegionCheck.ROWS, changes=True),
        "ResetBaseline": Rule(Role.OPERATOR, RegionCheck.CAMERA, changes=True),
    },
    "PatrolService": {
        "CheckNow": Rule(Role.INSPECTOR, RegionCheck.CAMERA, changes=True),
        "GetVerdict": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "ListVerdicts": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "WatchVerdicts": Rule(Role.VIEWER, RegionCheck.REGION),
        "GetCameraStory": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "GetPicture": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "GetThumbnail": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "BatchGetThumbnails": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "QueryKpis": Rule(Role.VIEWER, RegionCheck.REGION),
        "QueryLeague": Rule(Role.VIEWER, RegionCheck.REGION),
        "GetStatus": Rule(Role.VIEWER, RegionCheck.REGION),
        "ListRegions": Rule(Role.VIEWER, RegionCheck.REGION),
    },
    "FindingService": {
        "GetFinding": Rule(Role.VIEWER, RegionCheck.FINDING),
        "ListFindings": Rule(Role.VIEWER, RegionCheck.REGION),
        "ListFindingEvents": Rule(Role.VIEWER, RegionCheck.FINDING),
        "AcknowledgeFinding": Rule(Role.INSPECTOR, RegionCheck.FINDING, changes=True),
        "ClaimFinding": Rule(Role.INSPECTOR, RegionCheck.FINDING, changes=True),
        "CloseFinding": Rule(Role.OPERATOR, RegionCheck.FINDING, changes=True),
        "DismissFinding": Rule(Role.INSPECTOR, RegionCheck.FINDING, changes=True),
        "SuperviseFinding": Rule(Role.OPERATOR, RegionCheck.FINDING, changes=True),
        "WatchFindings": Rule(Role.VIEWER, RegionCheck.REGION),
        "SummarizeFindings": Rule(Role.VIEWER, RegionCheck.REGION),
        "BatchAcknowledgeFindings": Rule(Role.INSPECTOR, RegionCheck.FINDING, changes=True),
        "BatchClaimFindings": Rule(Role.INSPECTOR, RegionCheck.FINDING, changes=True),
        "BatchDismissFindings": Rule(Role.INSPECTOR, RegionCheck.FINDING, changes=True),
        "GetDigest": Rule(Role.VIEWER, RegionCheck.REGION),
        "GetFindingPicture": Rule(Role.VIEWER, RegionCheck.FINDING),
    },
    "CanteenService": {
        "GetCanteen": Rule(Role.VIEWER, RegionCheck.CANTEEN),
        "ListCanteens": Rule(Role.VIEWER, RegionCheck.REGION),
        "UpdateCanteen": Rule(Role.OPERATOR, RegionCheck.CANTEEN, changes=True, idempotent=True),
    },
    "SchedulerService": {
        "GetSchedulerStatus": Rule(Role.VIEWER, RegionCheck.ALL_REGIONS),
        "GetCameraPlan": Rule(Role.VIEWER, RegionCheck.CAMERA),
        "PausePatrol": Rule(Role.OPERATOR, RegionCheck.PAUSE, changes=True),
        "ResumePatrol": Rule(Role.OPERATOR, RegionCheck.PAUSE, changes=True),
        "ValidateConfig": Rule(Role.OPERATOR, RegionCheck.ALL_REGIONS),
        "DiffConfig": Rule(Role.OPERATOR, RegionCheck.ALL_REGIONS),
        "ApplyConfig": Rule(Role.OPERATOR, RegionCheck.ALL_REGIONS, changes=True),
        "DrawSpotCheck": Rule(Role.INSPECTOR, RegionCheck.REGION, changes=True, idempotent=True),
        "GetSpotCheck": Rule(Role.VIEWER, RegionCheck.SPOT_CHECK),
        "ListSpotChecks": Rule(Role.VIEWER, RegionCheck.SPOT_CHECK),
    },
    "AccessService": {
        "GetCaller": Rule(Role.VIEWER, RegionCheck.CALLER),
        "CreateToken": Rule(Role.ADMIN, RegionCheck.TOKEN, changes=True),
        "ListTokens": Rule(Role.ADMIN, RegionCheck.TOKEN),
        "RevokeToken": Rule(Role.ADMIN, RegionCheck.TOKEN, changes=True),
        "ListAuditEntries": Rule(Role.ADMIN, RegionCheck.TOKEN),
    },
}

CHANGES = tuple(
    f"{service}/{method}" for service, rules in RULES.items() for method, rule in rules.items() if rule.changes
)
"""The methods whose calls the audit log keeps longest."""


def rule_of(path: str) -> Rule | None:
    """Return the rule of a path such as `/patrol.v1.CameraService/GetCamera`; None if it is no method of patrol.v1."""
    _, service, method = path.split("/") if path.count("/") == 2 else ("", "", "")
    package, _, name = service.rpartition(".")
    return RULES.get(name, {}).get(method) if package == PACKAGE else None
