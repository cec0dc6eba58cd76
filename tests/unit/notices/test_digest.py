"""Digests: periods, what counts when, how it is written."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.model.digest import DigestLine, DigestTally
from engine.model.findings import Finding, FindingState, Level, Subject
from engine.model.kpi import KpiName, Rate
from engine.model.verdict import Cause, FaultKind, Severity
from engine.notices import formatting
from engine.notices.csv_report import UTF8_BOM, findings_csv, league_csv
from engine.notices.digest import Digest, FindingPictures, FindingSnapshot, FindingsSummary, Period, Picture
from engine.notices.html_page import html
from engine.notices.vocabulary import _TEXTS, Lang, Words

ZONE = "Asia/Shanghai"
WEEK = Period.of_week("2026-W10")
BEGIN, END = WEEK.wall_ns(ZONE)
HOUR = 3600 * 10**9
ZH, EN = Words(Lang.ZH), Words(Lang.EN)


def finding(
    number: int = 1, state: FindingState = FindingState.OPEN, opened_ns: int = BEGIN + HOUR, **more: Any
) -> Finding:
    subject = Subject("c1", more.pop("cause_key", "covered"), "s1", "第一中学食堂", more.pop("region", "130102"))
    base = Finding(
        number, subject, state, Severity.BLIND, Level.SCHOOL, BEGIN + 25 * HOUR, opened_ns, opened_ns,
        standing=FindingState.OPEN,
    )  # fmt: skip
    return replace(base, **more)


def digest(*cases: FindingSnapshot, **more: Any) -> Digest:
    findings = FindingsSummary(cases, BEGIN)
    sections, left_out = findings.sections({"130102": "石家庄市长安区"})
    base = Digest(
        "1301", "石家庄市", WEEK, ZONE, END + HOUR, False, (), 7, (), findings.total, findings.by_severity,
        findings.by_level, sections, left_out,
    )  # fmt: skip
    return replace(base, **more)


def test_a_week_is_that_of_iso_8601_in_the_kitchens_time_zone() -> None:
    assert (WEEK.first, WEEK.last) == (date(2026, 3, 2), date(2026, 3, 8))
    assert formatting.moment(BEGIN, ZONE, year=True) == "2026-03-02 00:00"
    assert formatting.moment(END, ZONE, year=True) == "2026-03-09 00:00"
    assert Period.of_week("2026-w01").first == date(2025, 12, 29)
    assert Period.of_week("2026-W53").last == date(2027, 1, 3)


def test_before_a_week_comes_the_week_before() -> None:
    assert (WEEK.before.first, WEEK.before.last) == (date(2026, 2, 23), date(2026, 3, 1))


@pytest.mark.parametrize("text", ["2026-W54", "2025-W53", "2026W10", "W10", "2026-W", "2026-10"])
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="like 2026-W47"):
        Period.of_week(text)


@pytest.mark.parametrize("text", ["2026-02-29", "yesterday", ""])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="like 2026-11-24"):
        Period.of_day(text)


def test_findings_count_for_the_period_in_which_it_happened() -> None:
    earlier = BEGIN - 100 * HOUR
    closed, dismissed = FindingState.CLOSED, FindingState.DISMISSED
    findings = FindingsSummary(
        [
            FindingSnapshot(finding(1)),
            FindingSnapshot(finding(2, closed, changed_wall_ns=BEGIN + 2 * HOUR)),
            FindingSnapshot(finding(3, closed, earlier, changed_wall_ns=BEGIN + 2 * HOUR)),
            FindingSnapshot(finding(4, dismissed, earlier, changed_wall_ns=BEGIN)),
            FindingSnapshot(finding(5, FindingState.OVERDUE, earlier, overdue=True), BEGIN - HOUR),
            FindingSnapshot(
                finding(6, FindingState.SUPERVISED, earlier, supervised=True, level=Level.CITY), BEGIN - HOUR
            ),
            FindingSnapshot(finding(7, closed, earlier, changed_wall_ns=BEGIN + HOUR, supervised=True), BEGIN - HOUR),
        ],
        BEGIN,
    )
    assert findings.total == DigestTally(opened=2, closed=3, dismissed=1, standing=3, overdue=2, supervised=1)
    assert findings.by_level[Level.CITY] == DigestTally(standing=1, overdue=1, supervised=1)
    assert [case.finding.finding_id for case in findings.standing] == [6, 5, 1]


def test_a_finding_that_was_escalated_is_overdue_although_the_next_level_still_has_time() -> None:
    case = FindingSnapshot(finding(level=Level.COUNTY, deadline_wall_ns=END + HOUR), missed_wall_ns=BEGIN)
    assert case.overdue
    assert not FindingSnapshot(finding()).overdue


def test_how_long_something_is_overdue_is_said_in_days_and_hours() -> None:
    assert formatting.overdue_for(FindingSnapshot(finding(), END - 50 * HOUR), END, ZH) == "2 天 2 小时"
    assert formatting.overdue_for(FindingSnapshot(finding(), END - 48 * HOUR), END, EN) == "2 d"
    assert formatting.overdue_for(FindingSnapshot(finding(), END - HOUR // 2), END, EN) == "0 h"
    assert formatting.overdue_for(FindingSnapshot(finding()), END, EN) == ""


def test_a_rate_short_of_all_is_never_a_hundred_per_cent() -> None:
    assert formatting.percent(Rate(9999, 10_000)) == "99.9%"
    assert formatting.percent(Rate(10_000, 10_000)) == "100.0%"
    assert formatting.percent(Rate(2, 3)) == "66.7%"
    assert formatting.percent(Rate(0, 0)) == ""


def test_a_change_is_told_by_a_sign_and_not_by_colour() -> None:
    assert formatting.change(Rate(95, 100), Rate(90, 100), ZH) == "较上期 ▲ +5.0 个百分点"
    assert formatting.change(Rate(90, 100), Rate(95, 100), EN) == "▼ -5.0 points on the period before"
    assert formatting.change(Rate(1, 2), Rate(2, 4), ZH) == "较上期 持平"
    assert formatting.change(Rate(1, 2), Rate(0, 0), EN) == "nothing to compare with"
    assert formatting.change(Rate(1, 2), None, EN) == "nothing to compare with"


def test_every_text_is_there_in_both_languages() -> None:
    for key, (zh, en) in _TEXTS.items():
        assert zh, key
        assert en, key
        assert en.isascii(), key
    for words in (ZH, EN):
        assert all(words.kpi(name) and words.kpi_short(name) and words.kpi_formula(name) for name in KpiName)
        assert all(words.severity(severity) for severity in Severity)
        assert all(words.level(level) for level in Level)
        assert all(words.state(state) for state in FindingState)
        assert all(words.problem(kind) for kind in FaultKind)
    assert not [kind for kind in FaultKind if ZH.problem(kind) == kind]
    assert not [cause for cause in Cause if cause in ZH.problem(f"blurred/{cause}")]


def test_a_cause_is_named_beside_its_fault_and_an_unknown_word_stays() -> None:
    assert ZH.problem("too_dark/lights_off") == "过暗（未开灯）"
    assert EN.problem("offline") == "offline"
    assert EN.problem("melted/sun") == "melted (sun)"


def test_what_a_registry_says_is_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    overdue = finding(overdue=True)
    case = FindingSnapshot(replace(overdue, subject=replace(overdue.subject, site_name=evil)), BEGIN + 30 * HOUR, evil)
    page = html(digest(case, region_name=evil), Lang.ZH)
    assert evil not in page
    assert page.count("&lt;script&gt;") >= 3


def test_a_page_needs_nothing_else_and_can_be_printed() -> None:
    page = html(digest(FindingSnapshot(finding(overdue=True), BEGIN + 30 * HOUR, "切配间")), Lang.ZH)
    assert "http" not in page.replace("http-equiv", "")
    assert "@page" in page
    assert "break-before: page" in page
    assert '<html lang="zh-CN">' in page
    for word in ("石家庄市长安区", "镜头遮挡", "■ 无法看清", "切配间", "03-03 01:00", "5 天 18 小时"):
        assert word in page
    assert '<html lang="en">' in html(digest(), Lang.EN)


def test_a_page_says_which_cameras_that_are_offline_are_no_findings() -> None:
    assert "因平台运维原因（登记的密码或地址有误、编码不支持）离线的摄像头计为离线，但不立案。" in html(
        digest(), Lang.ZH
    )
    assert "count as offline, but are no findings." in html(digest(), Lang.EN)


def test_without_findings_and_figures_a_page_says_so() -> None:
    page = html(digest(), Lang.ZH)
    assert "期末无未结问题。" in page
    assert "期内无指标数据。" in page


def test_a_page_lists_so_many_findings_and_says_how_many_are_left_out() -> None:
    findings = FindingsSummary([FindingSnapshot(finding(number, overdue=True), BEGIN) for number in range(1, 6)], BEGIN)
    sections, left_out = findings.sections({}, listed_max=3)
    assert ([len(chapter.findings) for chapter in sections], left_out) == ([3], 2)
    assert "not listed here (the CSV has them): 2" in html(digest(sections=sections, left_out=left_out), Lang.EN)


def test_a_period_that_is_not_over_is_told_as_of_now() -> None:
    made = BEGIN + 40 * HOUR
    page = html(
        digest(FindingSnapshot(finding(overdue=True), BEGIN + 30 * HOUR), so_far=True, made_wall_ns=made), Lang.ZH
    )
    assert "（截至制表时）" in page
    assert "10 小时" in page


def test_a_sheet_opens_in_excel_and_no_name_is_a_formula() -> None:
    overdue = finding(overdue=True)
    case = FindingSnapshot(replace(overdue, subject=replace(overdue.subject, site_name='=HYPERLINK("x")')), BEGIN, "+1")
    text = findings_csv(digest(case), ZH, [case])
    assert text.startswith(f"{UTF8_BOM}编号,代码,区县,")
    assert '"\'=HYPERLINK(""x"")"' in text
    assert ",'+1," in text
    rows = league_csv(
        digest(league=(DigestLine(1, "130102", "长安区", {KpiName.CLARITY: Rate(3, 4, 6, 2)}, points=74.5),)), EN
    )
    assert "1,130102,长安区,74.5,0.750000,3,4,2,6," in rows


def test_without_a_period_the_digest_is_of_the_last_full_week() -> None:
    monday, sunday = END + HOUR, END - HOUR
    assert Period.last_week(monday, ZONE) == WEEK
    assert Period.last_week(sunday, ZONE).name == "2026-W09", "the week that is not over is not full"
    assert Period.last_week(sunday, "Pacific/Auckland") == WEEK, "it is Monday there"
    assert Period.last_week(Period.of_day("2027-01-04").wall_ns(ZONE)[0], ZONE).name == "2026-W53"


def test_every_open_finding_is_on_the_page_the_most_urgent_first() -> None:
    summary = FindingsSummary(
        [
            FindingSnapshot(finding(1, severity=Severity.COSMETIC)),
            FindingSnapshot(finding(2)),
            FindingSnapshot(finding(3, severity=Severity.COSMETIC, overdue=True), BEGIN + HOUR),
            FindingSnapshot(finding(4, FindingState.SUPERVISED, supervised=True, severity=Severity.COSMETIC)),
            FindingSnapshot(finding(5, FindingState.CLOSED, changed_wall_ns=BEGIN + HOUR)),
        ],
        BEGIN,
    )
    assert [case.finding.finding_id for case in summary.standing] == [4, 3, 2, 1]


def test_a_finding_shows_the_fault_beside_what_the_camera_showed_before() -> None:
    case = FindingSnapshot(finding(7), camera_name="切配间")
    shown = FindingPictures(Picture(b"fault", BEGIN + HOUR), Picture(b"good", BEGIN - HOUR), of_baseline=True)
    page = html(digest(case), Lang.ZH, {7: shown})
    for jpeg in (b"fault", b"good"):
        assert f"data:image/jpeg;base64,{formatting.base64_text(jpeg)}" in page
    for words in ("问题画面 · 03-02 01:00", "平时画面 · 03-01 23:00", "镜头遮挡", "切配间"):
        assert words in page
    last_good = html(digest(case), Lang.EN, {7: replace(shown, of_baseline=False)})
    assert "last good picture" in last_good
    assert "data:image" not in html(digest(case), Lang.ZH)


def test_a_finding_without_a_picture_says_why() -> None:
    offline = FindingSnapshot(finding(1, cause_key="offline"))
    assert "离线，无画面" in html(digest(offline), Lang.ZH, {1: FindingPictures()})
    gone = html(digest(FindingSnapshot(finding(1))), Lang.EN, {1: FindingPictures()})
    assert "no picture kept" in gone
    assert "no good picture to compare with" in gone


def test_findings_beyond_those_with_pictures_are_in_a_table_below() -> None:
    page = html(digest(*(FindingSnapshot(finding(number)) for number in (1, 2, 3))), Lang.EN, {1: FindingPictures()})
    assert page.count('<article class="case') == 1
    assert [number for number in (1, 2, 3) if f'<tr><td class="n">{number}</td>' in page] == [2, 3]
    assert "The others, without pictures" in page


def test_the_page_says_how_counties_are_ranked() -> None:
    line = DigestLine(1, "130102", "长安区", {KpiName.CLARITY: Rate(3, 4, 6, 2)}, points=74.5)
    page = html(digest(league=(line,)), Lang.ZH)
    assert "排名规则" in page
    assert "74.5" in page
    assert "Order: canteens" in html(digest(league=(line,), region="130102"), Lang.EN)
