"""The data of the events that notices carry. Pure.

Within a version fields are only added; a field with another meaning needs a new version. Times are RFC 3339 in UTC.
The data holds no secrets, and no URL of a camera.
"""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from engine.model.camera import Camera
from engine.model.findings import Finding, LedgerEvent
from engine.model.verdict import Verdict


class Data(BaseModel):
    """Base of the data of every kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FindingData(Data):
    """A step of a finding, and the finding as the step left it."""

    finding: str = Field(description="Resource name: `findings/12`.")
    number: int = Field(description="Number of this step within the finding: 1, 2, ...; a greater one is later.", ge=1)
    step: str = Field(description="What happened: opened, notified, acknowledged, claimed, ...")
    at: str = Field(description="When it happened.")
    who: str = Field(description="Who did it; `engine` if the engine did it by itself.")
    role: str = Field(description="The role of `who`; empty for the engine.")
    why: str = Field(description="The reason, as text for people; may be empty.")
    evidence: tuple[str, ...] = Field(description="SHA-256 of the keyframes that show the fault, in hexadecimal.")
    state: str = Field(description="State of the finding: open, notified, acknowledged, ...")
    severity: str = Field(description="blind, impaired or cosmetic.")
    level: str = Field(description="The level that is responsible: school, county, city or province.")
    opened: str = Field(description="When the finding was opened.")
    deadline: str = Field(description="Until when this level has time to act.")
    overdue: bool = Field(description="Whether the deadline has passed.")
    supervised: bool = Field(description="Whether a higher level watches the finding (挂牌督办).")
    claims: int = Field(description="How often somebody claimed that the fault is mended.", ge=0)
    cause_key: str = Field(description="What is wrong: a fault's kind, `kind/cause`, or `offline`.")
    camera_id: str = Field(description="The camera's GB/T 28181 code, or another id from the registry.")
    camera_name: str = Field(description="The camera's name.")
    key_point: str = Field(description="The part of the canteen it shows: cooking, cutting, ...")
    site_id: str = Field(description="The canteen's id.")
    site_name: str = Field(description="The canteen's name.")
    region: str = Field(description="GB/T 2260 code of the region, 2, 4 or 6 digits.")
    region_name: str = Field(description="Name of the region; the code if no name is known.")


class VerdictData(Data):
    """A change of the announced state of a camera."""

    camera_id: str = Field(description="The camera's GB/T 28181 code, or another id from the registry.")
    camera_name: str = Field(description="The camera's name.")
    key_point: str = Field(description="The part of the canteen it shows: cooking, cutting, ...")
    site_id: str = Field(description="The canteen's id.")
    site_name: str = Field(description="The canteen's name.")
    region: str = Field(description="GB/T 2260 code of the region, 2, 4 or 6 digits.")
    region_name: str = Field(description="Name of the region; the code if no name is known.")
    at: str = Field(description="When the picture came that changed the announced state.")
    visit_id: str = Field(description="Id of the visit that fetched the picture, a 64-bit number as text.")
    announced: str = Field(description="The announced state: ok, fault, unknown or offline.")
    kinds: tuple[str, ...] = Field(description="The announced fault kinds.")
    cause: str = Field(description="Cause of the announced fault; empty if it is not known.")
    severity: str = Field(description="blind, impaired or cosmetic; empty without a fault.")
    reason: str = Field(description="Why the camera is unknown or offline.")
    since: str = Field(description="When the announced state began.")
    sharpness: float | None = Field(description="Score, 0 to 100, 100 is best; null if the picture allows none.")
    exposure: float | None = Field(description="Score, 0 to 100, 100 is best; null if the picture allows none.")
    occlusion: float | None = Field(description="Hidden share of the picture, 0 to 100; null if it allows no number.")
    rules_version: str = Field(description="Version of the rules that judged.")


def finding_data(event: LedgerEvent, finding: Finding, camera: Camera | None, region_name: str) -> FindingData:
    """Return the data of one step. `finding`: as the step left it. `camera`: None if it has left the registry."""
    subject = finding.subject
    return FindingData(
        finding=f"findings/{finding.finding_id}",
        number=event.number,
        step=event.step,
        at=rfc3339(event.at_wall_ns),
        who=event.who,
        role=event.role,
        why=event.why,
        evidence=event.evidence,
        state=finding.state,
        severity=finding.severity,
        level=finding.level,
        opened=rfc3339(finding.opened_wall_ns),
        deadline=rfc3339(finding.deadline_wall_ns),
        overdue=finding.overdue,
        supervised=finding.supervised,
        claims=finding.claims,
        cause_key=subject.cause_key,
        camera_id=subject.camera_id,
        camera_name="" if camera is None else camera.name,
        key_point="" if camera is None else camera.key_point,
        site_id=subject.site_id,
        site_name=subject.site_name,
        region=subject.region,
        region_name=region_name,
    )


def verdict_data(verdict: Verdict, camera: Camera, region_name: str) -> VerdictData:
    """Return the data of a change of the announced state."""
    scores = verdict.scores
    return VerdictData(
        camera_id=camera.camera_id,
        camera_name=camera.name,
        key_point=camera.key_point,
        site_id=camera.site_id,
        site_name=camera.site_name,
        region=camera.region,
        region_name=region_name,
        at=rfc3339(verdict.at_wall_ns),
        visit_id=str(verdict.visit_id),
        announced=verdict.announced,
        kinds=verdict.announced_kinds,
        cause=verdict.announced_cause or "",
        severity=verdict.severity or "",
        reason=verdict.reason,
        since=rfc3339(verdict.since_wall_ns),
        sharpness=scores.sharpness,
        exposure=scores.exposure,
        occlusion=scores.occlusion,
        rules_version=verdict.rules_version,
    )


def rfc3339(wall_ns: int) -> str:
    """Return date and time in UTC to the millisecond; empty if the time is 0 (never)."""
    if not wall_ns:
        return ""
    at = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{wall_ns // 1_000_000 % 1000:03}Z"
