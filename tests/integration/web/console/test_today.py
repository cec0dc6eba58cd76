"""The first page against a running engine: its figures are those of the API, and each leads to its list."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.web.console.screens import today
from tests.support.digests import COUNTIES, SCHOOLS
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of, sign_in
from tests.support.web.console import User, user
from tests.support.web.gateway import caller, gateway
from tests.support.web.map_files import counties_map
from tests.support.web.rated_city import DAYS, RatedCity, rated_city

CAMERAS = len(COUNTIES) * len(SCHOOLS) * 3


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RatedCity]:
    with rated_city(tmp_path_factory.mktemp("city")) as city:
        with caller(city.web, city.tokens["admin"]) as http:
            wait_until(lambda: count(http)["total"].get("offlineCount", 0) == CAMERAS, timeout_s=90)
        yield city


@pytest.fixture(scope="module")
def admin(city: RatedCity) -> Iterator[User]:
    with user(city.web, city.tokens["admin"]) as someone:
        yield someone


def count(http: httpx.Client, **query: Any) -> Any:
    return http.get("/v1/cameras:count", params=query).json()


def text_of(page: httpx.Response) -> str:
    """Return what a page says, without tags; blanks are one blank."""
    assert page.status_code == 200, page.text[:500]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def links_to(page: httpx.Response, path: str) -> set[str]:
    return {unescape(link) for link in re.findall(r'href="/console([^"]*)"', page.text) if link.startswith(path)}


def test_the_figures_are_those_of_the_api(city: RatedCity, admin: User) -> None:
    page = admin.get("/?whole=1")
    shown = text_of(page)
    with caller(city.web, city.tokens["admin"]) as http:
        summary = http.get("/v1/findings:summarize", params={"filter.openOnly": True}).json()["total"]
        yesterday = city.today - timedelta(days=1)
        asked = {
            f"{name}.{part}": getattr(yesterday, part)
            for name in ("fromDay", "toDay")
            for part in ("year", "month", "day")
        }
        table = http.get("/v1/kpis:query", params={"by": "KPI_BY_PROVINCE", **asked}).json()["total"]
    assert f"offline {CAMERAS} 100.0% of {CAMERAS} cameras" in shown
    assert f"{summary['openCount']} open findings" in shown
    assert f"{summary.get('overdueCount', 0)} overdue of {summary['openCount']} open" in shown
    assert f"{summary.get('supervisedCount', 0)} supervised of {summary['openCount']} open" in shown
    assert len(table["rates"]) == 5
    assert f"since {yesterday}" in shown
    assert f"{CAMERAS} cameras newly offline" in shown


def test_every_area_leads_to_its_list(city: RatedCity, admin: User) -> None:
    page = admin.get("/?whole=1&show=offline")
    walls, ledgers = links_to(page, "/wall"), links_to(page, "/ledger")
    for county in COUNTIES:
        assert f"/wall?state=offline&region={county}" in walls
        assert f'id="area-of-{county}"' in page.text
        assert f"/?region={county}&show=offline" in links_to(page, "/?region")
    assert "/wall?state=offline" in walls
    assert "/ledger?overdue=1" in ledgers
    assert "/ledger?supervised=1" in ledgers
    yesterday = city.today - timedelta(days=1)
    assert f"/ledger?since={yesterday}" in ledgers
    assert f"/wall?state=offline&since={yesterday}&order=newest" in walls
    assert links_to(page, "/finding?finding=")
    overdue = admin.get("/?whole=1&show=overdue")
    assert f"/ledger?region={COUNTIES[0]}&overdue=1" in links_to(overdue, "/ledger")


def test_what_is_not_known_is_said_and_not_drawn_as_good(admin: User) -> None:
    """All cameras are offline: no share with a fault is known."""
    page = admin.get("/?whole=1&show=fault")
    tile = re.search(rf'<a class="tile ([^"]*)" id="area-of-{COUNTIES[0]}"[^>]*title="([^"]*)"', page.text)
    assert tile is not None
    assert tile[1] == "shade-none"
    assert "0 of 0 judged cameras with a fault" in tile[2]
    assert "24 offline" in tile[2]


def test_a_region_is_drilled_into_and_left_again(admin: User) -> None:
    page = admin.get(f"/?whole=1&region={COUNTIES[1]}")
    shown = text_of(page)
    assert "offline 24 100.0% of 24 cameras" in shown
    assert {"/?show=fault", "/?region=13&show=fault", "/?region=1301&show=fault"} <= links_to(page, "/?")
    assert f'id="area-of-{COUNTIES[0]}"' not in page.text
    assert f"/wall?state=offline&region={COUNTIES[1]}" in links_to(page, "/wall")


def test_a_token_of_a_region_sees_its_own_only(city: RatedCity) -> None:
    with user(city.web, city.tokens["county"]) as inspector:
        for path in ("/?whole=1", "/?whole=1&region=13", "/today/areas", "/today/worse"):
            page = inspector.get(path)
            for county in COUNTIES[1:]:
                assert f"area-of-{county}" not in page.text, path
                assert f"region={county}" not in page.text, path
        for path in ("/", "/today/areas", "/kpis", "/kpis/league", "/kpis/digest.html", "/kpis/table.csv"):
            foreign = inspector.get(path, params={"region": COUNTIES[1]})
            assert foreign.status_code == 404, path
            assert "lies outside your region" in foreign.text
        own = text_of(inspector.get("/?whole=1"))
        assert "offline 24 100.0% of 24 cameras" in own
        assert "a token of all regions sees them" in own
    with user(city.web, city.tokens["other"]) as stranger:
        assert "No camera is registered here" in text_of(stranger.get("/?whole=1"))
    with user(city.web) as nobody:
        assert nobody.get("/").status_code == 303
        assert nobody.get("/today/areas").status_code == 303


def test_what_is_kept_for_one_scope_is_not_shown_to_another(city: RatedCity, admin: User) -> None:
    for _ in range(2):
        assert f"of {CAMERAS} cameras" in text_of(admin.get("/today/areas"))
        with user(city.web, city.tokens["city"]) as viewer:
            assert f"of {CAMERAS} cameras" in text_of(viewer.get("/today/areas"))
        with user(city.web, city.tokens["county"]) as inspector:
            assert "of 24 cameras" in text_of(inspector.get("/today/areas"))


@pytest.mark.parametrize("query", ["region=1", "region=abcdef", "region=<b>", "show=x", "region=" + "1" * 900])
def test_bad_input_is_refused_with_a_page(admin: User, query: str) -> None:
    page = admin.get(f"/?{query}")
    assert page.status_code == 400
    assert "This input cannot be used" in page.text
    assert "<b>" not in page.text.partition("<main")[2].replace("<b>region</b>", "").replace("<b>show</b>", "")


def test_the_patrol_speaks_of_itself(admin: User) -> None:
    shown = text_of(admin.get("/today/health"))
    assert "No platform is out." in shown or "Platforms that are out: 127.0.0.1" in shown
    assert "Checks a second" in shown


def test_trends_have_a_text_beside_the_line(admin: User) -> None:
    page = admin.get("/today/rates")
    assert page.text.count('<svg class="spark"') == 5
    assert page.text.count("<polyline") >= 5
    assert f"in {DAYS + 1} days" in text_of(page) or f"in {DAYS} days" in text_of(page)


@needs_chromium
def test_clicks_lead_from_each_figure_to_its_list(city: RatedCity) -> None:
    with chromium() as browser, page_of(browser, city.web) as page:
        sign_in(page, city.tokens["admin"])
        for selector, target in (
            (".states a.count:has-text('offline')", "**/console/wall?state=offline"),
            (f"#area-of-{COUNTIES[2]}", f"**/console/wall?state=fault&region={COUNTIES[2]}"),
            (".part-urgent .figures a:has-text('overdue')", "**/console/ledger?overdue=1"),
            (".part-worse .figures a:has-text('offline')", "**/console/wall?state=offline&since=*"),
            (".part-rates a.rate >> nth=0", "**/console/kpis/league?rate=clarity&period=*"),
        ):
            page.goto("/console/")
            page.locator(selector).click()
            page.wait_for_url(target)
            if "kpis" in target:
                assert page.locator("h1").inner_text().startswith("League")
        page.goto("/console/")
        row = page.locator(".part-areas tbody tr").first
        name = row.locator("th a").inner_text()
        row.locator("th a").press("Enter")
        page.wait_for_url("**/console/?region=*")
        assert name in page.locator("h1").inner_text()
        page.locator(".trail a").first.click()
        page.wait_for_url("**/console/?show=fault")


@needs_chromium
def test_the_map_of_a_file_is_drawn_and_leads_on(city: RatedCity, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(counties_map(COUNTIES[:-1]))
    grpc = city.engine.addresses["grpc"]
    with gateway(grpc, map_file=str(path)) as address, chromium() as browser, page_of(browser, address) as page:
        sign_in(page, city.tokens["admin"])
        page.goto("/console/?whole=1&show=offline")
        assert page.locator("svg.map a").count() == len(COUNTIES) - 1
        assert page.locator(".tiles a").count() == 1, "what is not on the map is a tile"
        area = page.locator(f"svg.map #area-of-{COUNTIES[0]}")
        assert "24 of 24 visited cameras offline" in area.get_attribute("aria-label")
        assert area.locator("text").text_content() == "100.0%"
        area.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/console/wall?state=offline&region={COUNTIES[0]}")


def test_a_bad_map_is_said_to_operators_and_tiles_are_shown(city: RatedCity, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"type": "FeatureCollection", "features": [{"properties": {}}]}')
    with gateway(city.engine.addresses["grpc"], map_file=str(path)) as address:
        with user(address, city.tokens["admin"]) as operator:
            page = operator.get("/?whole=1")
            assert "feature 1: has no code" in text_of(page)
            assert f'id="area-of-{COUNTIES[0]}"' in page.text
        with user(address, city.tokens["county"]) as inspector:
            assert "bad.json" not in inspector.get("/?whole=1").text


@needs_chromium
def test_a_part_that_takes_long_comes_by_itself(city: RatedCity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(today, "FIRST_PAGE_S", 0.0)
    with gateway(city.engine.addresses["grpc"]) as address:
        with user(address, city.tokens["admin"]) as someone:
            page = someone.get("/")
            assert page.text.count("The engine is counting") == len(today.PARTS)
            assert "whole=1" in page.text, "a way without script"
        with chromium() as browser, page_of(browser, address) as shown:
            sign_in(shown, city.tokens["admin"])
            shown.wait_for_selector(f"#area-of-{COUNTIES[0]}")
            shown.wait_for_selector(".part-health .said")
            assert shown.get_by_text("The engine is counting").count() == 0
