"""The worked examples of docs/scheduler.md load, their arithmetic holds, and a small part of each keeps its word."""

import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.clock import NS_PER_S, ns
from engine.config import Settings, load
from engine.config.calendar import Calendar, load_calendar
from engine.config.capacity import Fleet, Load, capacity_shortfalls
from engine.scheduler.periods.windows import Windows
from engine.simulation.faults import Faults
from engine.simulation.fleet import generate_fleet
from engine.simulation.report import Report, simulate
from engine.simulation.simulation import Scenario
from engine.simulation.world import World

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
PLANS = ROOT / "examples" / "plans"
SHANGHAI = ZoneInfo("Asia/Shanghai")
MORNING = datetime.datetime(2026, 11, 23, 7, tzinfo=SHANGHAI)


def simulated(settings: Settings, cameras: int, cores: int, hours: float) -> Report:
    world = World(start=MORNING)
    fleet = generate_fleet(cameras, world, settings.scheduler, seed=1)
    wall_ns = round(MORNING.timestamp()) * NS_PER_S
    return simulate("plan", Scenario(settings, Calendar(), fleet, world, Faults(), cores, ns(hours * 3600), 1, wall_ns))


@pytest.mark.parametrize(
    ("plan", "key_points", "ordinary", "cores"),
    [("county", 576, 192, 4), ("hebei", 98_304, 32_768, 4), ("sessions_64", 3_072, 1_024, 2)],
)
def test_the_caps_of_a_plan_carry_its_cameras(plan: str, key_points: int, ordinary: int, cores: int) -> None:
    fleet = Fleet(Load(key_points, ordinary))
    assert list(capacity_shortfalls(load(PLANS / f"{plan}.toml"), fleet, cores)) == []


@pytest.mark.parametrize(
    ("plan", "cameras", "cores", "hours"),
    [("county", 768, 4, 0.5), ("hebei", 1024, 1, 2.0), ("sessions_64", 4096, 1, 0.5)],
)
def test_a_plan_keeps_its_periods_and_its_word(plan: str, cameras: int, cores: int, hours: float) -> None:
    report = simulated(load(PLANS / f"{plan}.toml"), cameras, cores, hours)
    assert report.figures["promises"]["broken"] == []
    assert report.figures["coverage"]["key_point"] == 1.0
    assert report.figures["bottlenecks"]["count"] == 0


def test_periods_that_the_sessions_cannot_carry_are_named_with_the_arithmetic() -> None:
    settings = load(PLANS / "sessions_64.toml")
    denser = settings.model_copy(update={"scheduler": settings.scheduler.model_copy(update={"key_period_s": 150.0})})
    report = simulated(denser, 4096, 1, 0.5)
    (worst,) = report.figures["bottlenecks"]["worst"][:1]
    assert worst["name"] == "platform-0"
    assert worst["wanted"] > worst["allowed"]
    assert report.figures["coverage"]["key_point"] < 0.9


def test_two_plans_are_drawn_to_one_scale_that_holds_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import pyplot as plt

    from engine.simulation import plot

    drawn: list[Any] = []
    monkeypatch.setattr(plt, "close", drawn.append)
    settings = load(PLANS / "county.toml")
    denser = settings.model_copy(update={"scheduler": settings.scheduler.model_copy(update={"key_period_s": 10.0})})
    reports = [simulated(plan, 64, 1, 0.25) for plan in (settings, denser)]
    plot.draw(reports, tmp_path / "two.png")
    left, right = drawn[0].axes[:2]
    assert left.get_ylim() == right.get_ylim()
    assert left.get_ylim()[1] > max(row.demand_per_s for row in reports[1].rows)


@pytest.mark.parametrize("plan", ["county", "hebei", "sessions_64"])
def test_the_page_rehearses_a_plan_as_the_plan_itself_says(plan: str) -> None:
    lines = (PLANS / f"{plan}.toml").read_text(encoding="utf-8").splitlines()
    (command,) = (line.removeprefix("#").strip() for line in lines if "patrol simulate" in line)
    assert command in (ROOT / "docs" / "scheduler.md").read_text(encoding="utf-8")


def test_the_example_calendar_closes_on_holidays_and_opens_in_exchange() -> None:
    windows = Windows(load_calendar(str(PLANS / "calendar.toml")), "mon-fri 06:00-18:00")

    def works(month: int, day: int, region: str = "130102", site_id: str = "") -> bool:
        noon = datetime.datetime(2026, month, day, 12, tzinfo=SHANGHAI)
        return windows.by_index[windows.index_of(site_id, region, "")].is_open(round(noon.timestamp()) * NS_PER_S)

    assert works(9, 1)
    assert not works(8, 31)
    assert not works(10, 1)
    assert works(10, 10)
    assert not works(10, 11)
    assert works(10, 11, site_id="130102-s17")
