"""Renders what is known of one camera: its registry row, its verdict, its open findings, its plan, its last visits."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.model.camera import Camera
from engine.model.findings import Finding
from engine.model.registry import CameraStatus
from engine.model.schedule import CameraPlanReport
from engine.model.verdict import Verdict
from engine.terminal.camera_plan import due_text
from engine.terminal.formatting import score_text, state_of, state_text, why_text
from engine.terminal.tables import Cell
from engine.terminal.times import Times

Fact = tuple[str, str]

_LABEL_CHARS = 15


def show_facts(console: Console, headline: str, facts: Iterator[Fact]) -> None:
    """Print a headline, then one line per fact; plain lines on a pipe. A line without a name goes on with the one
    before."""
    console.print(Text(headline, style="bold"), highlight=False, soft_wrap=True)
    if not console.is_terminal:
        for name, fact in facts:
            console.out(f"{name:{_LABEL_CHARS}}{fact}", highlight=False)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts:
        table.add_row(name, Text(fact))
    console.print(table, highlight=False)


def headline(status: CameraStatus, times: Times) -> str:
    """Say in a line how the camera stands: `c1 烹饪间: fault, blurred, since 2026-11-29 08:00:00 (UTC+8)`."""
    camera, latest = status.camera, status.latest
    name = f"{camera.camera_id} {camera.name}".strip()
    if latest is None:
        return f"{name}: {state_of(None)}"
    why = ", ".join(latest.announced_kinds)
    if latest.announced_cause is not None and latest.announced_cause not in why:
        why += f" ({latest.announced_cause})"
    if not why and latest.state is latest.announced:
        why = latest.reason
    return f"{name}: {', '.join(filter(None, (latest.announced, why)))}, since {times.sentence(latest.since_wall_ns)}"


def facts(
    status: CameraStatus,
    findings: Sequence[Finding],
    plan: CameraPlanReport | None,
    region_name: str,
    times: Times,
) -> Iterator[Fact]:
    """Yield the name and the text of each line. `plan`: None if no engine runs."""
    yield from _registry_facts(status.camera, region_name)
    if status.latest is None:
        yield "last visit", "none yet"
    else:
        yield from _verdict_facts(status.latest, times)
    for number, finding in enumerate(findings):
        yield "" if number else "findings", _finding(finding, times)
    if not findings:
        yield "findings", "none open"
    if plan is None:
        yield "plan", "no engine is running"
        return
    yield "plan", due_text(plan)
    for number, sentence in enumerate(plan.because):
        yield "" if number else "because", sentence


def verdict_columns(times: Times) -> list[str]:
    """Return the heads over verdict_row."""
    return [*times.head("visit"), "verdict", "why", "announced", "sharp", "expo", "hidden", "detail"]


def verdict_row(verdict: Verdict, times: Times) -> list[Cell]:
    """Return the cells of one visit: what it showed, and what was announced after it."""
    announced = ", ".join(verdict.announced_kinds) or str(verdict.announced)
    scores = verdict.scores
    return [
        times.day(verdict.at_wall_ns),
        state_text(verdict.state),
        why_text(verdict),
        announced,
        score_text(scores.sharpness),
        score_text(scores.exposure),
        score_text(scores.occlusion),
        verdict.detail,
    ]


def _registry_facts(camera: Camera, region_name: str) -> Iterator[Fact]:
    canteen = " ".join(filter(None, (camera.site_name, camera.site_id)))
    yield "canteen", f"{canteen or '-'}, {camera.site_kind.replace('_', ' ')}"
    yield "region", " ".join(filter(None, (camera.region, region_name))) or "-"
    yield "key point", camera.key_point.replace("_", " ") + (", required" if camera.required else "")
    yield "url", camera.url or "-"
    if camera.sub_url:
        yield "sub-stream", camera.sub_url
    yield "uplink", camera.uplink or "host and port of the url"
    yield "hours", camera.hours or "those of the configuration (scheduler.hours)"
    yield "platform says", camera.platform_status or "nothing"
    if not camera.enabled:
        yield "visited", "no: it is disabled"
    elif camera.push:
        yield "visited", "no: a gateway pushes its keyframes"


def _verdict_facts(latest: Verdict, times: Times) -> Iterator[Fact]:
    why = why_text(latest)
    yield "last visit", f"{times.sentence(latest.at_wall_ns)}: {latest.state}{f', {why}' if why else ''}"
    if latest.detail:
        yield "", latest.detail
    if latest.severity is not None:
        yield "severity", str(latest.severity)
    scores = latest.scores
    if latest.width:
        hidden = f"hidden {score_text(scores.occlusion)}"
        yield "scores", f"sharp {score_text(scores.sharpness)}, exposure {score_text(scores.exposure)}, {hidden}"
        yield "picture", f"{latest.width}x{latest.height} {latest.codec or ''}".strip()


def _finding(finding: Finding, times: Times) -> str:
    due = f"{finding.level} until {times.sentence(finding.deadline_wall_ns)}"
    return f"{finding.finding_id}: {finding.subject.cause_key}, {finding.state}, {finding.severity}, {due}"
