"""The lines of the log that operators build on: their names, fields and levels. docs/operating.md lists them. Pure."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One kind of line. `fields`: the names of its values. `group`: the field by which lines beyond the limit of a
    second are counted."""

    name: str
    level: Literal["info", "warning", "error"]
    fields: tuple[str, ...]
    group: str
    help: str


ANNOUNCED = LogEvent(
    "announced",
    "info",
    ("camera_id", "region", "before", "state", "kinds", "reason", "visit_id"),
    "state",
    "The announced state of a camera changed, or the kinds of its announced fault.",
)
TROUBLE = LogEvent(
    "trouble",
    "info",
    ("camera_id", "region", "visit_id", "state", "kinds", "reason", "detail"),
    "state",
    "A visit brought no keyframe, or a picture that is not ok, and something else than the camera's visit before: "
    "`patrol story` has the rest.",
)
VISIT_EXPIRED = LogEvent(
    "visit expired",
    "warning",
    ("camera_id", "region", "visit_id"),
    "region",
    "No feeder answered within the deadline of a visit; the camera is visited again.",
)
QUARANTINED = LogEvent(
    "keyframe quarantined",
    "error",
    ("camera_id", "region", "visit_id", "file", "reason"),
    "region",
    "A keyframe is kept aside: two workers died over it, or it was too costly twice.",
)
KEYFRAME_NOT_STORED = LogEvent(
    "keyframe not stored",
    "error",
    ("camera_id", "region", "visit_id", "detail"),
    "region",
    "A keyframe could not be kept as evidence: a full disk, mostly. Its verdict is stored. Without a camera: what was "
    "written is perhaps not on the disk yet.",
)
FINDING_STEP = LogEvent(
    "finding step",
    "info",
    ("finding", "number", "step", "state", "camera_id", "region", "who"),
    "step",
    "An event of the ledger was committed.",
)
OUTAGE_BEGAN = LogEvent(
    "outage began",
    "error",
    ("host", "cameras"),
    "host",
    "The cameras of a platform fail together; one of them probes it.",
)
OUTAGE_ENDED = LogEvent("outage ended", "info", ("host", "lasted_s"), "host", "A camera of the platform answered.")
SUB_STREAM_SET_ASIDE = LogEvent(
    "sub-stream set aside",
    "info",
    ("camera_id", "region", "reason", "visits"),
    "reason",
    "A sub-stream was of no use: `failed`, while the main stream brought a keyframe, or `contradicted` by it. So many "
    "visits of its camera are on the main stream.",
)
PAUSE_BEGAN = LogEvent(
    "pause began",
    "info",
    ("kind", "value", "who", "reason", "until", "cameras"),
    "kind",
    "Somebody paused cameras; `until` is empty if they wait for `patrol resume`.",
)
PAUSE_ENDED = LogEvent(
    "pause ended", "info", ("kind", "value", "paused_by"), "kind", "The time is over, or somebody resumed them."
)
CONFIGURATION_CHANGED = LogEvent(
    "configuration changed",
    "info",
    ("source", "revision", "changes"),
    "source",
    "Settings were read that differ: each key with its old and new value, and whether it waits for a restart.",
)
TOKEN_CREATED = LogEvent(
    "token created",
    "info",
    ("token", "name", "role", "region", "creator", "expires"),
    "role",
    "A token was made, by the API or by `patrol token create`; its secret is never logged.",
)
TOKEN_REVOKED = LogEvent("token revoked", "info", ("token", "name", "role"), "role", "A token was revoked.")
CAMERA_REFUSED = LogEvent(
    "camera refused",
    "warning",
    ("camera_id", "column", "why"),
    "column",
    "A row sent to the API is not taken into the registry.",
)
PUSH_REFUSED = LogEvent(
    "push refused",
    "warning",
    ("gateway", "reason", "camera_id", "detail"),
    "reason",
    "A keyframe that a gateway pushed is not taken: the first of this gateway for this reason within a minute.",
)
PUSHES_REFUSED = LogEvent(
    "pushes refused",
    "warning",
    ("gateway", "reason", "number"),
    "reason",
    "How many more keyframes of this gateway were refused for this reason in the minute that is over.",
)
GATEWAYS_REFUSED = LogEvent(
    "gateways refused",
    "warning",
    ("number",),
    "number",
    "Connections to `intake.listen` whose key is not in `intake.curve_clients_dir`, since the last such line; at most "
    "one line a minute.",
)
GATEWAYS_CLOSED = LogEvent(
    "gateways closed",
    "warning",
    ("number", "open"),
    "open",
    "Connections to `intake.listen` that were closed since the last such line, because there were more than "
    "`intake.connections_max`; at most one line a minute.",
)
PROCESS_REPLACED = LogEvent(
    "process replaced",
    "warning",
    ("name", "reason", "wait_s"),
    "reason",
    "A process ended, and is started again after `wait_s`; reason as in `patrol_process_restarts_total`.",
)
PROCESS_STUCK = LogEvent(
    "process stuck",
    "error",
    ("name", "reason", "silent_s", "stacks"),
    "reason",
    "A process shows no turn of its loop and does not wait for the machine, or the hub gave it up; it is killed. "
    "`stacks`: what its threads did, or why that is not known.",
)
PROCESS_CRASHED = LogEvent(
    "process crashed",
    "error",
    ("name", "reason", "stacks"),
    "reason",
    "A process died of a fault in native code; `stacks`: what its threads did.",
)
STDERR = LogEvent(
    "stderr",
    "warning",
    ("name", "line"),
    "name",
    "A process, or a library in it (gRPC, FFmpeg, the interpreter), wrote a line that is none of our log.",
)
LINES_SUMMED = LogEvent(
    "lines summed",
    "warning",
    ("of", "number", "by"),
    "of",
    "More lines of one kind came within a second than the 20 that are logged: how many are left out, by what.",
)
EVENTS = (
    ANNOUNCED,
    TROUBLE,
    VISIT_EXPIRED,
    QUARANTINED,
    KEYFRAME_NOT_STORED,
    FINDING_STEP,
    OUTAGE_BEGAN,
    OUTAGE_ENDED,
    SUB_STREAM_SET_ASIDE,
    PAUSE_BEGAN,
    PAUSE_ENDED,
    CONFIGURATION_CHANGED,
    TOKEN_CREATED,
    TOKEN_REVOKED,
    CAMERA_REFUSED,
    PUSH_REFUSED,
    PUSHES_REFUSED,
    GATEWAYS_REFUSED,
    GATEWAYS_CLOSED,
    PROCESS_REPLACED,
    PROCESS_STUCK,
    PROCESS_CRASHED,
    STDERR,
    LINES_SUMMED,
)
