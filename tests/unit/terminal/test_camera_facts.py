"""What is known of one camera, in lines: before its first visit, at fault, and where no engine runs."""

from dataclasses import replace

from rich.console import Console

from engine.model.camera import Camera, KeyPoint
from engine.model.findings import Finding, FindingState, Level, Subject
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.registry import CameraStatus
from engine.model.schedule import CameraPlanReport
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict
from engine.terminal.camera_facts import facts, headline, show_facts, verdict_columns, verdict_row
from engine.terminal.tables import LineTable, text_width
from engine.terminal.times import Times

AT_NS = 1_764_000_000 * 10**9
TIMES = Times("Asia/Shanghai", AT_NS)
CAMERA = Camera(
    "c1", "rtsp://u:***@h/1", "烹饪间", "s1", "第一中学", "130102", KeyPoint.COOKING, True, "nvr-1", "05:30-19:00", "ON"
)
FAULT = Verdict(
    "c1", 9, AT_NS, State.FAULT, (FaultKind.BLURRED,), detail="soft all over", announced=State.FAULT,
    announced_kinds=(FaultKind.BLURRED,), announced_cause=Cause.GREASE, since_wall_ns=AT_NS - 10**12,
    scores=Scores(19.4, 97.0, None), width=1920, height=1080, codec=Codec.H264, cause=Cause.GREASE,
    severity=Severity.IMPAIRED,
)  # fmt: skip
FINDING = Finding(
    12,
    Subject("c1", "blurred/grease"),
    FindingState.OPEN,
    Severity.IMPAIRED,
    Level.SCHOOL,
    AT_NS + 10**12,
    AT_NS,
    AT_NS,
)
PLAN = CameraPlanReport(
    "c1", "key_point", "due", 240.0, 900.0, 1.0, 0, "", 60.0, 60.0, True, ("its period is 15 min",), 0, "Asia/Shanghai"
)


def told(status: CameraStatus, plan: CameraPlanReport | None = None, *findings: Finding) -> dict[str, str]:
    return dict(facts(status, findings, plan, "石家庄市长安区", TIMES))


def test_a_camera_that_was_never_visited_has_its_row_and_says_so() -> None:
    status = CameraStatus(CAMERA)
    assert headline(status, TIMES) == "c1 烹饪间: unseen"
    lines = told(status)
    assert lines["canteen"] == "第一中学 s1, other"
    assert lines["region"] == "130102 石家庄市长安区"
    assert lines["key point"] == "cooking, required"
    assert (lines["last visit"], lines["findings"], lines["plan"]) == ("none yet", "none open", "no engine is running")
    assert "scores" not in lines


def test_a_camera_at_fault_says_what_since_when_and_whose_it_is() -> None:
    status = CameraStatus(CAMERA, FAULT)
    assert headline(status, TIMES) == "c1 烹饪间: fault, blurred (grease), since 2025-11-24 23:43:20 (UTC+8)"
    lines = told(status, PLAN, FINDING)
    assert lines["last visit"] == "2025-11-25 00:00:00 (UTC+8): fault, blurred (grease)"
    assert lines["scores"] == "sharp 19, exposure 97, hidden -"
    assert lines["picture"] == "1920x1080 h264"
    assert lines["findings"] == "12: blurred/grease, open, impaired, school until 2025-11-25 00:16:40 (UTC+8)"
    assert (lines["plan"], lines["because"]) == ("due in 4 min", "its period is 15 min")


def test_a_camera_that_is_not_visited_says_why() -> None:
    assert "disabled" in told(CameraStatus(replace(CAMERA, enabled=False)))["visited"]
    assert "gateway" in told(CameraStatus(replace(CAMERA, push=True)))["visited"]
    bare = told(CameraStatus(Camera("c2", "")))
    assert (bare["uplink"], bare["platform says"], bare["url"]) == ("host and port of the url", "nothing", "-")


def test_an_offline_camera_has_its_reason_and_no_scores() -> None:
    offline = Verdict("c1", 9, AT_NS, State.OFFLINE, reason="refused", announced=State.OFFLINE, since_wall_ns=AT_NS)
    status = CameraStatus(CAMERA, offline)
    assert headline(status, TIMES).startswith("c1 烹饪间: offline, refused, since")
    assert "scores" not in told(status)
    assert len(verdict_row(offline, TIMES)) == len(verdict_columns(TIMES))


def test_on_a_pipe_facts_are_aligned_lines() -> None:
    console = Console(width=40, force_terminal=False, record=True, file=None, color_system=None)
    with console.capture() as captured:
        show_facts(console, "c1", iter([("plan", "due"), ("", "a" * 60)]))
    assert captured.get().splitlines() == ["c1", f"{'plan':15}due", f"{'':15}{'a' * 60}"]


def test_rows_that_come_one_by_one_stand_under_their_heads() -> None:
    console = Console(width=200, force_terminal=False, color_system=None)
    with console.capture() as captured:
        table = LineTable(console, [("camera", 10), ("verdict", 3), ("detail", 0)])
        table.add(["烹饪间01", "ok", ""])
        table.add(["c" * 14, "offline", "no\nline end"])
    head, first, second = captured.get().splitlines()
    assert head.split() == ["camera", "verdict", "detail"]
    assert text_width(first[: first.index("ok")]) == head.index("verdict") == 12
    assert first.endswith("-")
    assert second.endswith("offline  no line end")


def test_without_a_row_there_is_no_head() -> None:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        LineTable(console, [("camera", 10)])
    assert captured.get() == ""
