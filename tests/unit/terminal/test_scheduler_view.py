"""The operators' view, drawn from statuses of real schedulers."""

import io
import re
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from engine.config.schema import SchedulerSettings
from engine.model.engine_status import EngineStatus, MachineStatus
from engine.model.schedule import SchedulerStatus
from engine.model.visit import FailureReason
from engine.scheduler.events import CheckNow
from engine.terminal.camera_plan import show_plan
from engine.terminal.formatting import duration_text
from engine.terminal.scheduler_view import render_schedule, show_schedule
from engine.terminal.tables import text_width
from engine.terminal.times import Times
from tests.support.expect import present
from tests.support.scheduler.schedules import MONDAY_NOON_NS, VirtualPatrol, calm, camera, overloaded

STATES = {"ok": 381, "fault": 12, "unknown": 3, "offline": 4}
FOOTER = Text("127.0.0.1:7702   every 2 s   Ctrl-C ends")


@pytest.fixture(scope="module")
def statuses() -> dict[str, SchedulerStatus]:
    return {
        "calm": calm().status,
        "overloaded": overloaded().status,
        "empty": VirtualPatrol(SchedulerSettings(), []).status,
    }


def engine(**changes: Any) -> EngineStatus:
    plain: dict[str, Any] = {"checks_per_s": 12.34, "frames_waiting": 3, "workers_ready": 2}
    return EngineStatus("0", "1", 0, cameras_by_state=STATES, machine=MachineStatus(**(plain | changes)))


def drawn(status: SchedulerStatus, width: int = 80, height: int = 24, **changes: Any) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(render_schedule(engine(**changes), status, FOOTER, width, height))
    return out.getvalue().splitlines()


def lines(status: SchedulerStatus, **changes: Any) -> list[str]:
    out = io.StringIO()
    show_schedule(Console(file=out, width=80, force_terminal=False), engine(**changes), status)
    return out.getvalue().splitlines()


def row(shown: list[str], *words: str) -> str:
    """The one line that holds all the words."""
    (found,) = [line for line in shown if all(word in line for word in words)]
    return found


@pytest.mark.parametrize("name", ["calm", "overloaded", "empty"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 50), (100, 24), (120, 30), (200, 60)])
def test_the_view_fits_the_terminal(statuses: dict[str, SchedulerStatus], name: str, width: int, height: int) -> None:
    shown = drawn(statuses[name], width, height)
    assert len(shown) <= height
    assert max(map(text_width, shown)) <= width
    assert "…" not in "".join(shown)
    assert shown[-1].startswith("127.0.0.1:7702")


def test_a_patrol_that_keeps_its_periods_says_so(statuses: dict[str, SchedulerStatus]) -> None:
    shown = drawn(statuses["calm"])
    assert "patrol top · 400 cameras" in shown[0]
    assert "ok 381  fault 12  unknown 3  offline 4" in shown[1]
    assert "in balance: 2.5 visits/s asked for" in row(shown, "asked for")
    late = duration_text(statuses["calm"].classes[0].lag_p99_s)
    assert re.fullmatch(rf"key point +200 +2 min +- +2 min +100.0 % +0 s +{late}", row(shown, "key point"))
    assert re.fullmatch(r"offline +3 +≤ 4 min +- +- +- +0 s +0 s", row(shown, "offline", "≤"))
    assert row(shown, "unauthorized").split()[-1] == "2"
    assert row(shown, "timeout_keyframe").split()[-1] == "1"


def test_overload_is_said_with_what_was_asked_carried_and_stretched(statuses: dict[str, SchedulerStatus]) -> None:
    status = statuses["overloaded"]
    shown = " ".join(line.strip("│ ") for line in drawn(status))
    (stretched,) = [camera_class for camera_class in status.classes if camera_class.stretch > 1]
    assert stretched.name == "ordinary"
    assert (
        f"overload: {status.demand_per_s:.1f} visits/s asked for, this machine carries {status.capacity_per_s:.1f}; "
        f"periods stretched: ordinary x {stretched.stretch:.2f}"
    ) in shown
    assert "allow 12 of 16 visits in flight" in shown
    assert "out: 10.0.0.5; one camera of each probes, the others wait" in shown
    assert duration_text(stretched.period_s * stretched.stretch) in row(drawn(status), "ordinary", "%")


def test_full_caps_show_who_waits_for_them(statuses: dict[str, SchedulerStatus]) -> None:
    status = statuses["overloaded"]
    shown = drawn(status, height=30)
    assert row(shown, "visits  ", "■■■■■■").split()[:5] == ["visits", "■■■■■■", "12", "12", str(status.ready)]
    busy = status.busy_hosts[0]
    bar = "■■■■■■" if busy.in_flight else "······"
    expected = ["10.0.0.3", bar, str(busy.in_flight), "1", str(status.waiting_host)]
    assert row(shown, "10.0.0.3").split()[:5] == expected
    assert row(shown, "recorders").split()[:5] == ["recorders", "■■····", "12", "50", str(status.waiting_uplink or "-")]
    for reason, periods in status.shed.items():
        assert row(shown, f" {reason} ").endswith(f" {periods:,.0f}")


def test_a_machine_without_workers_or_cameras_is_told_from_a_calm_one(statuses: dict[str, SchedulerStatus]) -> None:
    assert "no worker is ready" in "\n".join(drawn(statuses["calm"], workers_ready=0))
    assert "patrol cameras import" in row(drawn(statuses["empty"]), "no cameras")


def test_lines_for_a_pipe_have_no_box_no_bar_and_every_county_and_platform(
    statuses: dict[str, SchedulerStatus],
) -> None:
    status = statuses["overloaded"]
    shown = lines(status)
    text = "\n".join(shown)
    assert not set("│╭■·\x1b") & set(text)
    for name in (*status.county_lags, *(host.name for host in status.busy_hosts), *status.shed, *status.failing):
        assert name in text
    assert [line for line in shown if line.startswith("#")] == [
        "# class", "# caps", "# platforms", "# failing because of", "# missed because of", "# worst counties",
    ]  # fmt: skip


def test_a_terminal_shows_the_worst_counties_that_have_room() -> None:
    many = [camera(n, county=f"{130000 + n}", uplink=f"nvr-{n % 3}") for n in range(60)]
    status = VirtualPatrol(SchedulerSettings(key_period_s=60, ordinary_period_s=60), many).run(400).status
    low, high = drawn(status, height=24), drawn(status, height=60)
    assert len(low) == 24
    shown = [[line.split()[-3] for line in view if " 130" in line] for view in (low, high)]
    worst = sorted(status.county_lags, key=lambda county: (-status.county_lags[county], county))
    assert shown[0] == worst[: len(shown[0])]
    assert len(shown[0]) < len(shown[1]) == len(worst) == 20


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0, "0 s"), (0.26, "0.3 s"), (9.04, "9 s"), (45.4, "45 s"), (119, "119 s"), (119.9, "2 min"), (900, "15 min"),
     (904, "15.1 min"), (7200, "2 h"), (100_000, "27.8 h"), (200_000, "2.3 d"), (1e9, "never")],
)  # fmt: skip
def test_durations_are_written_as_people_say_them(duration_s: float, text: str) -> None:
    assert duration_text(duration_s) == text


def planned(patrol: VirtualPatrol, camera_id: str) -> dict[str, str]:
    out = io.StringIO()
    show_plan(Console(file=out, width=80, force_terminal=False), patrol.plan(camera_id), Times("Asia/Shanghai", 0))
    headline, *facts = out.getvalue().splitlines()
    return {"": headline} | {line[:15].strip(): line[15:] for line in facts if line[:15].strip()}


def test_a_plan_is_told_in_a_headline_and_facts() -> None:
    patrol = VirtualPatrol(SchedulerSettings(), [camera(1)]).run(300)
    report = patrol.plan("c001")
    told = planned(patrol, "c001")
    assert told[""] == f"c001: due in {duration_text(report.due_in_s)}"
    assert told["because"] == "key point: one visit in 900 s"
    assert told["class"] == "key point; one visit in 15 min while its kitchen works"
    assert told["stands"] == "waits for its time"
    assert told["last visit"] == f"{duration_text(present(report.last_visit_ago_s))} ago, brought a keyframe"
    assert told["last keyframe"] == f"{duration_text(present(report.last_keyframe_ago_s))} ago"
    assert told["kitchen"] == "works now"


def test_a_plan_tells_of_failures_and_back_off() -> None:
    told = planned(VirtualPatrol(SchedulerSettings(), [camera(1)], lambda *_: FailureReason.REFUSED).run(100), "c001")
    assert told["because"] == ("its last visit failed (refused, 2 counted): it is backed off, never longer than 1350 s")
    assert told["last visit"].endswith("ago, brought no keyframe: refused (2 failures counted)")
    assert told["last keyframe"] == "none since the engine started"


def test_a_plan_tells_of_waiting_flying_resting_disabled_and_pushed_cameras() -> None:
    fleet = [
        camera(0, uplink="nvr"), camera(1, uplink="nvr"), camera(2, hours="tue 05:30-11:00"), camera(3, enabled=False),
        camera(4, push=True), camera(5, hours="tue 05:30-11:00"),
    ]  # fmt: skip
    settings = SchedulerSettings(offhours_period_s=0)
    patrol = VirtualPatrol(settings, fleet, wall_offset_ns=MONDAY_NOON_NS).run(30)
    patrol.handle(CheckNow(("c000", "c001")))
    assert planned(patrol, "c000")[""] == "c000: being visited now"
    waiting = planned(patrol, "c001")
    assert waiting["stands"] == "is due, waits for its recorder"
    assert waiting[""] == "c001: due since 0 s"
    resting = planned(patrol, "c002")
    assert resting["kitchen"] == "rests; works again Tue 2026-10-13 05:30 (UTC+8)"
    assert planned(patrol, "c003")[""] == "c003: not visited"
    pushed = planned(patrol, "c004")
    assert pushed["class"] == "push; a keyframe expected in 30 min while its kitchen works"
    assert "last visit" not in pushed
