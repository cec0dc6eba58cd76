"""The parts of the first page and of the pages of rates, without an engine."""

import asyncio
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.demo.area_map import county_map
from engine.errors import ConfigError, InvalidArgumentError
from engine.web.console.areas.area_map import AreaMap, load_areas
from engine.web.console.areas.drawing import draw
from engine.web.console.areas.geojson import Area, read_areas, short_code
from engine.web.console.rates.period import period_of
from engine.web.console.rates.sums import KPIS, Sum, sums
from engine.web.console.today import kept, standing, trend
from engine.web.console.today.kept import Kept
from patrol.v1.patrol_pb2 import Kpi, KpiRow, Rate

TODAY = date(2026, 3, 4)
SQUARE = [[114.0, 36.0], [115.0, 36.0], [115.0, 37.0], [114.0, 37.0], [114.0, 36.0]]


def collection(*features: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def feature(code: Any = "130102", kind: str = "Polygon", coordinates: Any = None, name: str = "code") -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {name: code},
        "geometry": {"type": kind, "coordinates": [SQUARE] if coordinates is None else coordinates},
    }


def test_polygons_and_multi_polygons_with_code_or_adcode_are_read() -> None:
    areas = read_areas(
        collection(feature(), feature(130100, name="adcode"), feature("130000", "MultiPolygon", [[SQUARE], [SQUARE]]))
    )
    assert [area.code for area in areas] == ["130102", "1301", "13"]
    assert len(areas[2].rings) == 2
    assert areas[0].rings[0][0] == areas[0].rings[0][-1]
    assert short_code("110000") == "11"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{", "is no JSON"),
        (b"[]", "FeatureCollection"),
        (collection(), "0 features; allowed: 1 to 5000"),
        (collection(*[feature()] * 5001), "5001 features"),
        (collection(feature(), 7), "feature 2: is no object"),
        (collection(feature("")), "feature 1: has no code"),
        (collection(feature("<script>")), "allowed: 2, 4 or 6 digits"),
        (collection(feature(True)), "allowed: 2, 4 or 6 digits"),
        (collection(feature(kind="Point", coordinates=[1, 2])), "allowed: Polygon and MultiPolygon"),
        (collection(feature(coordinates=[[[1, 2], [3, 4]]])), "a ring of 3 points"),
        (collection(feature(coordinates=[[[1, 2], [3, 4], [500, 6], [1, 2]]])), "longitude -180 to 180"),
        (collection(feature(coordinates=[[[1, 2], ["x", 4], [5, 6], [1, 2]]])), "longitude -180 to 180"),
        (collection(feature(coordinates=[])), "no ring"),
        (collection(feature(coordinates="M0 0")), "no list"),
    ],
)
def test_a_bad_map_says_what_is_wrong_and_what_is_allowed(raw: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_areas(raw)


def test_a_map_file_must_be_a_regular_file_within_bounds(tmp_path: Path) -> None:
    for path, says in (
        ("/dev/zero", "regular file"),
        (str(tmp_path / "none"), "No such file"),
        (str(tmp_path), "no regular"),
    ):
        with pytest.raises(ConfigError, match=says) as caught:
            load_areas(path)
        assert str(caught.value).startswith("web.map_file: ")
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        os.truncate(file.fileno(), 20_000_001)
    with pytest.raises(ConfigError, match="20,000,000 bytes"):
        load_areas(str(large))


def test_a_bad_map_leaves_the_console_with_tiles(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    broken = AreaMap(str(bad))
    assert "is no JSON" in broken.problem
    assert asyncio.run(broken.drawing(frozenset({"130102"}))) is None
    none = AreaMap("")
    assert (none.problem, asyncio.run(none.drawing(frozenset({"13"})))) == ("", None)


def test_a_map_that_nobody_waits_for_is_drawn_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(collection(feature()))
    areas = AreaMap(str(path))

    async def run() -> bool:
        codes = frozenset({"130102"})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await areas.drawing(codes)
        first = await areas.drawing(codes)
        return first is not None and await areas.drawing(codes) is first

    assert asyncio.run(run())


def test_a_region_is_its_own_area_or_all_within_it() -> None:
    def square(code: str, x: float) -> Area:
        return Area(code, (tuple((x + dx, 36.0 + dy) for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))),))

    areas = [square("1301", 114), square("130102", 114), square("130202", 115), square("130203", 116)]
    drawing = draw(areas, ["1301", "1302", "1399"])
    assert drawing is not None
    paths = {shape.code: shape.path.count("M") for shape in drawing.shapes}
    assert paths == {"1301": 1, "1302": 2}
    assert draw(areas, ["21"]) is None


def test_the_demo_has_a_map_of_its_county(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(county_map())
    areas = load_areas(str(path))
    assert "139901" in {area.code for area in areas}
    drawing = asyncio.run(AreaMap(str(path)).drawing(frozenset({"139901"})))
    assert drawing is not None
    assert len(drawing.shapes) == 1


def test_too_little_known_is_never_drawn_as_good() -> None:
    def shade(name: str, **numbers: int) -> str:
        return standing.figure(standing.Tally(**numbers), name).shade

    assert shade("fault", cameras=10, ok=10) == "0"
    assert shade("fault", cameras=10, ok=4, unknown=6) == "none"
    assert shade("fault", cameras=10, unseen=10) == "none"
    assert shade("fault", cameras=100, ok=99, fault=1) == "1"
    assert shade("fault", cameras=10, ok=5, fault=5) == "4"
    assert shade("offline", cameras=10, ok=9, offline=1) == "3"
    assert shade("offline", cameras=10, unseen=6, ok=4) == "none"
    assert [shade("overdue", overdue=number) for number in (0, 2, 3, 10, 11)] == ["0", "1", "2", "3", "4"]
    assert len(standing.legend("fault")) == standing.CLASSES


def test_many_areas_are_put_together_and_nothing_is_lost() -> None:
    areas = {
        f"{city:04}{county:02}": standing.Tally(cameras=2, open=1) for city in range(1100, 1150) for county in range(20)
    }
    digits, found = standing.grouped(areas)
    assert (digits, len(found)) == (4, 50)
    assert sum(tally.cameras for tally in found.values()) == 2000
    assert standing.grouped({"130102": standing.Tally()})[0] == 6


def test_worst_first_and_what_is_not_known_before_what_is_good() -> None:
    areas = {
        "1": standing.Tally(cameras=10, ok=10),
        "2": standing.Tally(cameras=10, ok=8, fault=2),
        "3": standing.Tally(cameras=10, unseen=10),
        "4": standing.Tally(cameras=10, ok=9, fault=1),
    }
    assert standing.worst_first(areas, "fault") == ["2", "4", "3", "1"]


def test_a_value_is_made_once_for_many_and_shown_while_a_new_one_is_made() -> None:
    now, made = 0.0, 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0.01)
        return made

    async def run() -> list[Any]:
        nonlocal now
        store = Kept(lambda: now)
        first = await asyncio.gather(*(store.value("k", make) for _ in range(5)))
        now = kept.FRESH_S + 1
        old = await store.value("k", make)
        await asyncio.sleep(0.1)
        new = await store.value("k", make)
        now += kept.STALE_S + 1
        return [first, old, new, await store.value("k", make)]

    assert asyncio.run(run()) == [[1] * 5, 1, 2, 3]


def test_what_takes_long_is_kept_longer() -> None:
    now = 0.0

    async def slow() -> int:
        nonlocal now
        now += 0.5
        return int(now)

    async def run() -> bool:
        nonlocal now
        store = Kept(lambda: now)
        first = await store.value("k", slow)
        now += 19.0
        return bool(first == await store.value("k", slow)) and now == 19.5

    assert asyncio.run(run())


def test_an_error_is_told_to_who_waits_and_the_next_asks_anew() -> None:
    async def fail() -> int:
        raise ConfigError("no")

    async def good() -> int:
        return 7

    async def run() -> int:
        store = Kept()
        with pytest.raises(ConfigError):
            await store.value("k", fail)
        return int(await store.value("k", good))

    assert asyncio.run(run()) == 7


def rates(numerator: int, denominator: int) -> dict[Kpi, Sum]:
    return dict.fromkeys(KPIS, Sum(numerator, denominator, 10, 1))


def test_a_trend_compares_with_the_day_before_that_has_counts() -> None:
    days = {date(2026, 3, 1): rates(8, 10), date(2026, 3, 3): rates(9, 10), TODAY: rates(5, 10)}
    found = trend.trends(days, TODAY)
    assert (found.day, found.before) == (TODAY, date(2026, 3, 3))
    first = found.rates[0]
    assert first.before is not None
    assert (first.now.value, first.before.value, first.least, first.most, first.days) == (0.5, 0.9, 0.5, 0.9, 3)
    assert len(first.lines) == 1, "a day alone is no line, and the gap is not drawn over"
    assert trend.trends({}, TODAY).day is None


def test_rates_of_several_regions_add_up() -> None:
    rows = [
        KpiRow(rates=[Rate(kpi=Kpi.KPI_CLARITY, numerator=1, denominator=2, registered=4, not_measured=2)]),
        KpiRow(rates=[Rate(kpi=Kpi.KPI_CLARITY, numerator=3, denominator=3, registered=3)]),
    ]
    found = sums(rows)
    assert found[Kpi.KPI_CLARITY] == Sum(4, 5, 7, 2)
    assert found[Kpi.KPI_ONLINE].value is None


@pytest.mark.parametrize(
    ("preset", "first", "last", "days"),
    [
        ("today", TODAY, TODAY, 1),
        ("yesterday", date(2026, 3, 3), date(2026, 3, 3), 1),
        ("7days", date(2026, 2, 26), TODAY, 7),
        ("30days", date(2026, 2, 3), TODAY, 30),
        ("month", date(2026, 3, 1), TODAY, 4),
    ],
)
def test_presets(preset: str, first: date, last: date, days: int) -> None:
    period = period_of(preset, "2020-01-01", "2020-01-02", TODAY)
    assert (period.first, period.last, period.days) == (first, last, days)
    assert period.query == {"period": preset}


def test_own_days_and_what_is_no_period() -> None:
    period = period_of("own", "2026-01-01", "2026-01-31", TODAY)
    assert (period.days, period.query["to"]) == (31, "2026-01-31")
    assert period_of("own", "", "", TODAY).days == 1
    for first, last in (("2026-02-01", "2026-01-01"), ("2020-01-01", "2026-01-01"), ("x", ""), ("", "0001-01-01")):
        with pytest.raises(InvalidArgumentError):
            period_of("own", first, last, TODAY)
