"""The pages of rates against a running engine: their figures are those of the API, over any days and by any unit."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest

from tests.support.digests import COUNTIES, SCHOOLS
from tests.support.web.browser import chromium, needs_chromium, page_of, sign_in
from tests.support.web.console import User, user
from tests.support.web.gateway import caller
from tests.support.web.rated_city import DAYS, HOURS, RatedCity, rated_city

LAST = COUNTIES[-1]
"""The county that is hardly measured."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RatedCity]:
    with rated_city(tmp_path_factory.mktemp("city")) as city:
        yield city


@pytest.fixture(scope="module")
def admin(city: RatedCity) -> Iterator[User]:
    with user(city.web, city.tokens["admin"]) as someone:
        yield someone


@pytest.fixture(scope="module")
def closed(city: RatedCity) -> dict[str, Any]:
    """The query of the days before today, whose counts no longer change."""
    first, last = city.today - timedelta(days=DAYS), city.today - timedelta(days=1)
    return {"period": "own", "from": first.isoformat(), "to": last.isoformat()}


def asked_days(closed: dict[str, Any]) -> dict[str, Any]:
    """Return the same days for the API over HTTP."""
    query: dict[str, int] = {}
    for field, name in (("fromDay", "from"), ("toDay", "to")):
        year, month, day = closed[name].split("-")
        query |= {f"{field}.year": int(year), f"{field}.month": int(month), f"{field}.day": int(day)}
    return query


def text_of(page: httpx.Response) -> str:
    assert page.status_code == 200, page.text[:500]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def rows_of(reply: httpx.Response) -> list[dict[str, str]]:
    assert reply.status_code == 200, reply.text[:500]
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.content.startswith("\ufeff".encode())
    return list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))


def api(city: RatedCity, path: str, **query: Any) -> Any:
    with caller(city.web, city.tokens["admin"]) as http:
        reply = http.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()


def clarity(rates: list[dict[str, Any]]) -> tuple[int, int]:
    found = next(rate for rate in rates if rate["kpi"] == "KPI_CLARITY")
    return int(found.get("numerator", 0)), int(found.get("denominator", 0))


@pytest.mark.parametrize("by", ["province", "city", "county", "canteen"])
def test_the_table_is_that_of_the_api(city: RatedCity, admin: User, closed: dict[str, Any], by: str) -> None:
    table = api(city, "/v1/kpis:query", by=f"KPI_BY_{by.upper()}", pageSize=1000, **asked_days(closed))
    rows = rows_of(admin.get("/kpis/table.csv", params={"by": by, **closed}))
    assert len(rows) == len(table["rows"]) == {"province": 1, "city": 1, "county": 6, "canteen": 48}[by]
    for row, expected in zip(rows, table["rows"], strict=True):
        assert row["code"] == expected.get("siteId", expected["region"])
        numerator, denominator = clarity(expected["rates"])
        assert (int(row["Clarity compliance · numerator"]), int(row["Clarity compliance · denominator"])) == (
            numerator,
            denominator,
        )
        assert int(row["days"]) == DAYS
    page = text_of(admin.get("/kpis", params={"by": by, **closed}))
    numerator, denominator = clarity(table["total"]["rates"])
    assert f"{numerator:,} of {denominator:,}" in page
    assert f"{DAYS} days have figures" in page


def test_days_add_up_to_the_period(city: RatedCity, admin: User, closed: dict[str, Any]) -> None:
    rows = rows_of(admin.get("/kpis/table.csv", params={"times": 1, **closed}))
    assert [row["day"] for row in rows] == [
        (city.today - timedelta(days=ago)).isoformat() for ago in range(DAYS, 0, -1)
    ]
    total = api(city, "/v1/kpis:query", by="KPI_BY_COUNTY", **asked_days(closed))["total"]["rates"]
    assert sum(int(row["Clarity compliance · numerator"]) for row in rows) == clarity(total)[0]
    assert sum(int(row["Clarity compliance · denominator"]) for row in rows) == clarity(total)[1]


def test_a_single_day_is_shown_by_hour(city: RatedCity, admin: User) -> None:
    yesterday = (city.today - timedelta(days=1)).isoformat()
    asked = asked_days({"from": yesterday, "to": yesterday})
    hours = api(city, "/v1/kpis:query", by="KPI_BY_PROVINCE", eachHour=True, **asked)["rows"]
    rows = rows_of(admin.get("/kpis/table.csv", params={"period": "yesterday", "times": 1}))
    assert [row["hour"] for row in rows] == [f"{hour:02}:59" for hour in HOURS]
    for row, expected in zip(rows, hours, strict=True):
        coverage = next(rate for rate in expected["rates"] if rate["kpi"] == "KPI_PATROL_COVERAGE")
        assert row["Patrol coverage · numerator"] == coverage["numerator"]
        assert row["Patrol coverage · denominator"] == coverage["denominator"]
    page = admin.get("/kpis", params={"period": "yesterday"})
    assert "By hour: the day as it had come by then" in page.text
    assert 'data-unit="hour"' in page.text


def test_a_county_opens_with_its_canteens(admin: User, closed: dict[str, Any]) -> None:
    page = admin.get("/kpis", params={"region": COUNTIES[0], **closed})
    shown = text_of(page)
    assert "By canteen" in shown
    assert f"{COUNTIES[0]}-0" in shown or SCHOOLS[0] in shown
    assert page.text.count('<th scope="row">') == DAYS + len(SCHOOLS)


def test_the_league_is_that_of_the_api(city: RatedCity, admin: User, closed: dict[str, Any]) -> None:
    league = api(city, "/v1/kpis:league", kpi="KPI_CLARITY", by="KPI_BY_COUNTY", **asked_days(closed))["rows"]
    rows = rows_of(admin.get("/kpis/league.csv", params={"rate": "clarity", **closed}))
    assert [row["code"] for row in rows] == [row["row"]["region"] for row in league]
    assert [row["place"] for row in rows] == [str(row.get("place", "")) for row in league]
    assert rows[-1]["code"] == LAST
    assert rows[-1]["why no place"] == "only 72 of 216 count; a place needs half"
    page = text_of(admin.get("/kpis/league", params={"rate": "clarity", **closed}))
    assert "no place: only 72 of 216 count" in page
    coverage = rows_of(admin.get("/kpis/league.csv", params={"rate": "display_screen", **closed}))
    assert all(row["place"] for row in coverage)


def test_the_change_is_against_the_days_before(city: RatedCity, admin: User) -> None:
    day = (city.today - timedelta(days=2)).isoformat()
    before = (city.today - timedelta(days=3)).isoformat()
    now = rows_of(admin.get("/kpis/league.csv", params={"period": "own", "from": day, "to": day}))
    then = rows_of(admin.get("/kpis/league.csv", params={"period": "own", "from": before, "to": before}))
    rates = {row["code"]: row["rate"] for row in then}
    for row in now:
        assert float(row["rate before"]) == pytest.approx(float(rates[row["code"]]), abs=1e-5)
        points = (float(row["rate"]) - float(row["rate before"])) * 100
        assert float(row["change in points"]) == pytest.approx(points, abs=1e-2)


def test_who_changes_the_days_alone_gets_them(city: RatedCity, admin: User) -> None:
    last = city.today.isoformat()
    first, other = ((city.today - timedelta(days=ago)).isoformat() for ago in (6, 3))
    form = {"period": "7days", "shown": "7days", "to": last}
    assert f"{other} to {last}" in text_of(admin.get("/kpis", params={**form, "from": other}))
    assert f"{first} to {last}" in text_of(admin.get("/kpis", params={**form, "from": first}))
    assert f"{last} to {last}" in text_of(admin.get("/kpis", params={**form, "from": first, "period": "today"}))


def test_a_period_without_figures_says_so(admin: User) -> None:
    assert "No day of this period has figures" in text_of(admin.get("/kpis?period=own&from=2020-01-01&to=2020-01-05"))
    assert "No day of this period has figures" in text_of(
        admin.get("/kpis/league?period=own&from=2020-01-01&to=2020-01-05")
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_digest_is_that_of_the_api_and_may_run_nothing(city: RatedCity, admin: User, language: str) -> None:
    query = {"region": "1301", "length": "day", "language": language}
    page = admin.get("/kpis/digest.html", params=query)
    made = api(
        city, "/v1/digest", regionPrefix="1301", period="DIGEST_PERIOD_DAY", withHtml=True, languageCode=language
    )["html"]

    def without_time(html: str) -> str:
        return re.sub(r"\d{2}:\d{2}(:\d{2})?", "", html)

    assert without_time(page.text) == without_time(made)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "'self'" not in policy
    assert "<script" not in page.text
    assert admin.get("/kpis").headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")


@pytest.mark.parametrize(
    "query",
    ["period=x", "by=<script>", "rate=all", "period=own&from=2026-13-01", "period=own&from=2026-01-02&to=2026-01-01",
     "period=own&from=0001-01-01&to=9999-12-31", "region=13x", "page_token=x"],
)  # fmt: skip
def test_bad_input_is_refused_with_a_page(admin: User, query: str) -> None:
    page = admin.get(f"/kpis{'/league' if query.startswith('rate') else ''}?{query}")
    assert page.status_code == 400
    assert "This input cannot be used" in page.text


def test_a_token_of_a_region_gets_rows_of_its_own_only(city: RatedCity, closed: dict[str, Any]) -> None:
    with user(city.web, city.tokens["county"]) as inspector:
        assert {row["code"] for row in rows_of(inspector.get("/kpis/league.csv", params=closed))} == {COUNTIES[0]}
        rows = rows_of(inspector.get("/kpis/table.csv", params={"by": "county", **closed}))
        assert {row["code"] for row in rows} == {COUNTIES[0]}
        page = inspector.get("/kpis", params=closed)
        assert not any(county in page.text for county in COUNTIES[1:])
        assert not any(county in inspector.get("/kpis/digest.html").text for county in COUNTIES[1:])
    with user(city.web) as nobody:
        for path in (
            "/kpis",
            "/kpis/league",
            "/kpis/table.csv",
            "/kpis/league.csv",
            "/kpis/digest",
            "/kpis/digest.html",
        ):
            assert nobody.get(path).status_code == 303


@needs_chromium
def test_rates_are_plotted_chosen_and_printed(city: RatedCity, closed: dict[str, Any]) -> None:
    with chromium() as browser, page_of(browser, city.web) as page:
        sign_in(page, city.tokens["admin"])
        page.get_by_role("link", name="KPIs", exact=True).click()
        page.wait_for_url("**/console/kpis")
        page.get_by_label("Days").select_option("own")
        page.locator("input[name=from]").fill(closed["from"])
        page.locator("input[name=to]").fill(closed["to"])
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/console/kpis?*period=own*")
        page.wait_for_selector("#plot canvas")
        drawn = page.evaluate(
            "() => { const canvas = document.querySelector('#plot canvas'); "
            "const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; "
            "return new Set(Array.from({ length: pixels.length / 4 }, (_, n) => "
            "pixels[4 * n] << 16 | pixels[4 * n + 1] << 8 | pixels[4 * n + 2])).size }"
        )
        assert drawn > 5, "lines of several colours"
        assert page.locator("#plot .u-legend .u-series").count() == 6
        page.get_by_role("link", name="League").click()
        page.wait_for_url("**/console/kpis/league?*")
        page.get_by_label("Rate").select_option("online")
        page.get_by_role("button", name="Show").press("Enter")
        page.wait_for_url("**/kpis/league?*rate=online*")
        assert "Online rate" in page.locator("h2").inner_text()
        page.get_by_role("link", name="Digest").click()
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Open the digest").click()
        digest = opened.value
        digest.wait_for_load_state()
        assert "/kpis/digest.html" in digest.url
        assert digest.locator("h1").count() >= 1
        assert len(digest.pdf()) > 10_000
