"""Every RPC: the least role that may call it, whose things it is about, and whether it changes any.

A call that is not in this table is refused, and a test walks all descriptors and names those that are missing.
"""

from dataclasses import dataclass
from enum import Enum, auto

from engine.model.access import Role

PACKAGE = "patrol.v1"


class Reach(Enum):
    """How the region of what is asked for is found."""

    CAMERA = auto()
    """By the cameras that the request names, as the registry has them: scope.Scoped asks it."""
    ROWS = auto()
    """By the rows of the registry that come in, and those that they would replace."""
    REGION = auto()
    """The question has a region prefix, which is narrowed to the caller's."""
    FINDING = auto()
    """By the finding that the request names."""
    DRAW = auto()
    """By the region that a spot check was drawn from."""
    PAUSE = auto()
    """By the region or the camera of a pause; recorders and platforms are everybody's."""
    TOKEN = auto()
    """By the region of tokens, and of those who act."""
    EVERYBODY = auto()
    """It concerns everybody's: callers with a region are refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`changes`: it goes to the audit log. `once`: a request_id makes it idempotent."""

    role: Role
    reach: Reach
    changes: bool = False
    once: bool = False


RULES: dict[str, dict[str, Rule]] = {
    "CameraService": {
        "GetCamera": Rule(Role.VIEWER, Reach.CAMERA),
        "ListCameras": Rule(Role.VIEWER, Reach.REGION),
        "BatchGetCameras": Rule(Role.VIEWER, Reach.CAMERA),
        "CreateCamera": Rule(Role.OPERATOR, Reach.ROWS, changes=True, once=True),
        "UpdateCamera": Rule(Role.OPERATOR, Reach.ROWS, changes=True, once=True),
        "DeleteCamera": Rule(Role.OPERATOR, Reach.CAMERA, changes=True),
        "BatchDeleteCameras": Rule(Role.OPERATOR, Reach.CAMERA, changes=True),
        "ImportCameras": Rule(Role.OPERATOR, Reach.ROWS, changes=True),
        "ResetBaseline": Rule(Role.OPERATOR, Reach.CAMERA, changes=True),
    },
    "PatrolService": {
        "CheckNow": Rule(Role.INSPECTOR, Reach.CAMERA, changes=True),
        "GetVerdict": Rule(Role.VIEWER, Reach.CAMERA),
        "ListVerdicts": Rule(Role.VIEWER, Reach.CAMERA),
        "WatchVerdicts": Rule(Role.VIEWER, Reach.REGION),
        "GetPicture": Rule(Role.VIEWER, Reach.CAMERA),
        "QueryKpis": Rule(Role.VIEWER, Reach.REGION),
        "QueryLeague": Rule(Role.VIEWER, Reach.REGION),
        "GetStatus": Rule(Role.VIEWER, Reach.REGION),
    },
    "FindingService": {
        "GetFinding": Rule(Role.VIEWER, Reach.FINDING),
        "ListFindings": Rule(Role.VIEWER, Reach.REGION),
        "ListFindingEvents": Rule(Role.VIEWER, Reach.FINDING),
        "AcknowledgeFinding": Rule(Role.INSPECTOR, Reach.FINDING, changes=True),
        "ClaimFinding": Rule(Role.INSPECTOR, Reach.FINDING, changes=True),
        "CloseFinding": Rule(Role.OPERATOR, Reach.FINDING, changes=True),
        "DismissFinding": Rule(Role.OPERATOR, Reach.FINDING, changes=True),
        "SuperviseFinding": Rule(Role.OPERATOR, Reach.FINDING, changes=True),
        "WatchFindings": Rule(Role.VIEWER, Reach.REGION),
    },
    "SchedulerService": {
        "GetSchedulerStatus": Rule(Role.VIEWER, Reach.EVERYBODY),
        "GetCameraPlan": Rule(Role.VIEWER, Reach.CAMERA),
        "PausePatrol": Rule(Role.OPERATOR, Reach.PAUSE, changes=True),
        "ResumePatrol": Rule(Role.OPERATOR, Reach.PAUSE, changes=True),
        "ValidateConfig": Rule(Role.OPERATOR, Reach.EVERYBODY),
        "DiffConfig": Rule(Role.OPERATOR, Reach.EVERYBODY),
        "ApplyConfig": Rule(Role.OPERATOR, Reach.EVERYBODY, changes=True),
        "DrawSpotCheck": Rule(Role.INSPECTOR, Reach.REGION, changes=True, once=True),
        "GetSpotCheck": Rule(Role.VIEWER, Reach.DRAW),
        "ListSpotChecks": Rule(Role.VIEWER, Reach.DRAW),
    },
    "AccessService": {
        "CreateToken": Rule(Role.ADMIN, Reach.TOKEN, changes=True),
        "ListTokens": Rule(Role.ADMIN, Reach.TOKEN),
        "RevokeToken": Rule(Role.ADMIN, Reach.TOKEN, changes=True),
        "ListAuditEntries": Rule(Role.ADMIN, Reach.TOKEN),
    },
}


def rule_of(path: str) -> Rule | None:
    """The rule of `/patrol.v1.CameraService/GetCamera`; None for what is none of ours."""
    _, service, method = path.split("/") if path.count("/") == 2 else ("", "", "")
    package, _, name = service.rpartition(".")
    return RULES.get(name, {}).get(method) if package == PACKAGE else None
