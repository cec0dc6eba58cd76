"""What a notice says: the data of its event. Pure. Fields are only ever added; another meaning is another version.

Times are RFC 3339 in UTC. Nothing in here is a secret: no URL of a camera ever is.
"""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from engine.model.camera import Camera
from engine.model.findings import Finding, LedgerEvent
from engine.model.verdict import Verdict


class Data(BaseModel):
    """What all kinds have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FindingData(Data):
    """A step of a finding, and the finding as this step left it."""

    finding: str = Field(description="Resource name: `findings/12`.")
    number: int = Field(description="Of this step within the finding: 1, 2, ...; greater is later.", ge=1)
    step: str = Field(description="What happened: opened, notified, acknowledged, claimed, ...")
    at: str = Field(description="When.")
    who: str = Field(description="Who did it; `engine` for what the engine did by itself.")
    role: str = Field(description="Their role; empty for the engine.")
    why: str = Field(description="In words, for people; may be empty.")
    evidence: tuple[str, ...] = Field(description="SHA-256 of the keyframes that show it, hexadecimal.")
    state: str = Field(description="Where the finding stands: open, notified, acknowledged, ...")
    severity: str = Field(description="blind, impaired or cosmetic.")
    level: str = Field(description="Who is responsible: school, county, city or province.")
    opened: str = Field(description="When it was opened.")
    deadline: str = Field(description="Until when this level has time.")
    overdue: bool = Field(description="The deadline has passed.")
    supervised: bool = Field(description="A higher level watches over it (挂牌督办).")
    claims: int = Field(description="How often it was said to be mended.", ge=0)
    cause_key: str = Field(description="What is wrong: a fault's kind, `kind/cause`, or `offline`.")
    camera_id: str = Field(description="GB/T 28181 code, or another id of the registry.")
    camera_name: str = Field(description="Its name.")
    key_point: str = Field(description="Where it looks: cooking, cutting, ...")
    site_id: str = Field(description="The canteen's id.")
    site_name: str = Field(description="The canteen's name.")
    region: str = Field(description="GB/T 2260 code of 2, 4 or 6 digits.")
    region_name: str = Field(description="Its name; the code where the table has none.")


class VerdictData(Data):
    """The announced state of a camera is another one."""

    camera_id: str = Field(description="GB/T 28181 code, or another id of the registry.")
    camera_name: str = Field(description="Its name.")
    key_point: str = Field(description="Where it looks: cooking, cutting, ...")
    site_id: str = Field(description="The canteen's id.")
    site_name: str = Field(description="The canteen's name.")
    region: str = Field(description="GB/T 2260 code of 2, 4 or 6 digits.")
    region_name: str = Field(description="Its name; the code where the table has none.")
    at: str = Field(description="When the picture came that made the difference.")
    visit_id: str = Field(description="The visit that brought it, 64 bits as text.")
    announced: str = Field(description="ok, fault, unknown or offline.")
    kinds: tuple[str, ...] = Field(description="Announced faults.")
    cause: str = Field(description="Their cause; empty where it is not known.")
    severity: str = Field(description="blind, impaired or cosmetic; empty without a fault.")
    reason: str = Field(description="Why unknown, or why offline.")
    since: str = Field(description="Since when the announced state holds.")
    sharpness: float | None = Field(description="Score, 0 to 100, 100 is best; null if the picture allows none.")
    exposure: float | None = Field(description="Score, 0 to 100, 100 is best; null if the picture allows none.")
    occlusion: float | None = Field(description="Hidden share of the picture, 0 to 100; null if it allows no number.")
    rules_version: str = Field(description="Of the rules that judged.")


def finding_data(event: LedgerEvent, finding: Finding, camera: Camera | None, region_name: str) -> FindingData:
    """The data of one step. `finding`: as this step left it; `camera`: None if the registry has it no longer."""
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
    """The data of an announced change."""
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
    """Date and time in UTC to the millisecond; empty for never."""
    if not wall_ns:
        return ""
    at = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{wall_ns // 1_000_000 % 1000:03}Z"
