"""A verdict as bytes of the store: JSON in UTF-8, keys as in engine.types.Verdict. Pure."""

import json
from typing import Any

from engine.types import Cause, Codec, FaultKind, Scores, Severity, State, Verdict


def pack_verdict(verdict: Verdict) -> bytes:
    """The verdict as JSON; figures keep six significant digits, which is more than they are good for."""
    scores = verdict.scores
    fields: dict[str, Any] = {
        "camera_id": verdict.camera_id,
        "visit_id": verdict.visit_id,
        "at_wall_ns": verdict.at_wall_ns,
        "state": verdict.state,
        "kinds": verdict.kinds,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "announced": verdict.announced,
        "announced_kinds": verdict.announced_kinds,
        "since_wall_ns": verdict.since_wall_ns,
        "scores": (scores.sharpness, scores.exposure, scores.occlusion),
        "figures": {name: float(f"{value:.6g}") for name, value in verdict.figures.items()},
        "thresholds": dict(verdict.thresholds),
        "rules_version": verdict.rules_version,
        "width": verdict.width,
        "height": verdict.height,
        "codec": verdict.codec,
        "cause": verdict.cause,
        "announced_cause": verdict.announced_cause,
        "severity": verdict.severity,
        "confidence": verdict.confidence,
        "tiles": verdict.tiles,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def unpack_verdict(raw: bytes) -> Verdict:
    """The verdict in `raw`; KeyError or ValueError if it is none."""
    fields = json.loads(raw)
    fields["state"] = State(fields["state"])
    fields["announced"] = State(fields["announced"])
    fields["kinds"] = tuple(FaultKind(kind) for kind in fields["kinds"])
    fields["announced_kinds"] = tuple(FaultKind(kind) for kind in fields["announced_kinds"])
    fields["scores"] = Scores(*fields["scores"])
    fields["codec"] = Codec(fields["codec"]) if fields["codec"] else None
    for name, known in (("cause", Cause), ("announced_cause", Cause), ("severity", Severity)):
        word = fields.get(name)  # verdicts of earlier rules had none
        fields[name] = known(word) if word else None
    fields["tiles"] = tuple(fields.get("tiles", ()))
    return Verdict(**fields)
