"""The ledger and the page of a finding, as inspectors of two counties use them, in front of a real engine."""

import csv
import io
import random
import re
from collections.abc import Iterator
from html import unescape

import pytest
from PIL import Image

from engine.web.console.languages import language
from engine.web.console.screens.ledger import export, reasons
from tests.support.live_engine import REFUSING_CAMERAS
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of
from tests.support.web.console import User
from tests.support.web.ledger import FORMULA, HERE, SCRIPT, THERE, LedgerWorld, ledger_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerWorld]:
    with ledger_world(tmp_path_factory.mktemp("ledger")) as made:
        yield made


def rows_of(text: str) -> list[str]:
    """Return the numbers of the findings that a list shows."""
    return re.findall(r'id="finding-(\d+)"', text)


def forms_of(text: str) -> dict[str, str]:
    """Return the fields that all forms of a finding's page share."""
    names = ("finding", "expected_number")
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', text)[0] for name in names}


def finding_of(someone: User, taken: set[str] = set()) -> str:  # noqa: B006 (shared by the tests on purpose)
    """Return the number of a finding in the inspector's county that no test has had."""
    number = next((n for n in rows_of(someone.get("/ledger?order=oldest").text) if n not in taken), "")
    assert number, "the county has six findings; more tests want one of their own"
    taken.add(number)
    return number


def act(someone: User, number: str, step: str, why: str = "", **more: str) -> tuple[int, str]:
    """Send a form of a finding's page as it is now; return status and the page that follows."""
    path = f"/finding?finding={number}"
    fields = {**forms_of(someone.get(path).text), "step": step, "why": why, "request_id": f"{number}-{step}-{why[:9]}"}
    reply = someone.post("/finding/act", fields | more, seen_on=path)
    if reply.status_code == 303:
        return 303, someone.get(reply.headers["location"].removeprefix("/console")).text
    return reply.status_code, reply.text


def test_every_figure_leads_to_a_list_of_as_many(world: LedgerWorld) -> None:
    operator = world.users["operator"]
    page = operator.get("/ledger").text
    links = re.findall(r'<a class="(?:card count|chip[^"]*)" href="/console([^"]*)">(.*?)</a>', page, re.DOTALL)
    assert len(links) > 15
    counted = 0
    for path, content in links[:6] + links[-7:]:
        count = int(re.findall(r'(?:<b>|"big">)([\d,]+)', content)[0])
        listed = operator.get(path.replace("&amp;", "&")).text
        assert int(re.findall(r"([\d,]+) findings? in this list", listed)[0]) == count, path
        counted += count
    assert counted >= REFUSING_CAMERAS


def test_filters_narrow_the_list_and_say_when_nothing_fits(world: LedgerWorld) -> None:
    operator = world.users["operator"]
    assert len(rows_of(operator.get("/ledger").text)) == REFUSING_CAMERAS
    assert len(rows_of(operator.get(f"/ledger?region={HERE}").text)) == REFUSING_CAMERAS / 2
    assert len(rows_of(operator.get("/ledger?q=烹饪间3").text)) == 1
    assert len(rows_of(operator.get("/ledger?site=s1&state=all").text)) == 3
    assert rows_of(operator.get("/ledger?kind=covered").text) == []
    empty = operator.get("/ledger?since=2199-12-31")
    assert "The ledger has no finding that fits" in empty.text
    days = ("since=yesterday", "since=2999-01-01")
    for wrong in (*days, "level=village", "order=colour", "q=" + "x" * 101, "region=x1"):
        reply = operator.get(f"/ledger?{wrong}")
        assert reply.status_code == 400, wrong
        assert "This input cannot be used" in reply.text


def test_a_token_of_a_county_sees_its_own_county_only(world: LedgerWorld) -> None:
    own = rows_of(world.users["inspector"].get("/ledger?state=all").text)
    everywhere = rows_of(world.users["operator"].get("/ledger?state=all").text)
    other = sorted(set(everywhere) - set(own))
    assert (len(own), len(other)) == (REFUSING_CAMERAS / 2, REFUSING_CAMERAS / 2)
    inspector = world.users["inspector"]
    assert rows_of(inspector.get(f"/ledger?region={THERE}").text) == []
    for path in ("/finding", "/finding/now", "/finding/actions", "/finding/pictures", "/pictures/finding.jpg"):
        assert inspector.get(f"{path}?finding={other[0]}").status_code == 404, path
    fields = {"finding": other[0], "step": "claim", "expected_number": "1"}
    assert inspector.post("/finding/act", fields, seen_on="/ledger").status_code == 404
    rows = list(csv.reader(io.StringIO(inspector.get("/ledger.csv?state=all").text)))
    assert {row[6] for row in rows[1:]} == {HERE}


def test_the_csv_opens_in_excel_and_runs_no_formula(world: LedgerWorld) -> None:
    reply = world.users["operator"].get(f"/ledger.csv?region={HERE}&state=all")
    assert reply.content.startswith(b"\xef\xbb\xbf")
    assert re.search(rf'filename="ledger-\d{{4}}-\d\d-\d\d-{HERE}', reply.headers["content-disposition"])
    rows = list(csv.reader(io.StringIO(reply.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + REFUSING_CAMERAS / 2
    assert "'" + FORMULA in {row[2] for row in rows}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "+"))]
    chinese = world.users["viewer"].get("/ledger.csv")
    assert chinese.content.decode("utf-8-sig").startswith("编号,国标编码,摄像头")
    assert "filename*=UTF-8''%E5%8F%B0%E8%B4%A6-" in chinese.headers["content-disposition"]


def test_the_view_for_paper_has_a_head_and_no_navigation(world: LedgerWorld) -> None:
    page = world.users["viewer"].get(f"/ledger?print=1&region={HERE}&severity=blind").text
    assert "<nav" not in page
    assert "<header" not in page
    assert "问题台账" in page
    assert re.search(r"严重程度不低于</dt> <dd>无法看清", page)
    assert re.search(r"制表时间 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", page)
    assert page.count("<tr>") == 1 + REFUSING_CAMERAS / 2
    assert SCRIPT not in page


def test_the_day_of_a_finding(world: LedgerWorld) -> None:
    """Opened, acknowledged, claimed too early, handed back, closed; each with who, role, when and why."""
    inspector, operator = world.users["inspector"], world.users["operator"]
    number = finding_of(inspector)
    page = inspector.get(f"/finding?finding={number}").text
    assert "acknowledge it, put it right, then claim it" in page
    assert SCRIPT not in page
    status, page = act(inspector, number, "acknowledge", "seen")
    assert (status, "You have acknowledged this finding" in page) == (303, True)
    status, page = act(inspector, number, "claim", "布已取下")
    told = "Your claim is recorded" in page or "The claim did not hold" in page  # the re-check may be quicker
    assert (status, told) == (303, True)

    def handed_back() -> str:
        now = inspector.get(f"/finding/now?finding={number}&seen=0").text
        return now if "The claim did not hold" in now else ""

    wait_until(handed_back)
    now = handed_back()
    assert "0 good and 1 bad checks after the claim" in now
    assert 'hx-swap-oob="true"' in now
    status, page = act(inspector, number, "close", "I say so")
    assert (status, "Your role may not do this" in page or "operator" in page) == (403, True)
    status, page = act(operator, number, "close", f"replaced; {SCRIPT}")
    assert (status, "The finding is closed." in page) == (303, True)
    steps = re.findall(r"<b>(?:<span[^>]*>▲</span> )?([a-z ]+)</b>\s*·", page)
    assert steps == [
        "opened", "acknowledged", "claimed", "recheck begun", "recheck failed", "closed",
    ]  # fmt: skip
    assert "inspector (inspector)" in page
    assert "&lt;script&gt;alert(1)" in page
    assert SCRIPT not in page
    assert "布已取下" in page
    status, page = act(operator, number, "supervise", "late") if "expected_number" in page else (400, page)
    assert "the finding has ended" in page.lower()


def test_who_is_late_learns_what_happened_and_keeps_what_was_typed(world: LedgerWorld) -> None:
    inspector, operator = world.users["inspector"], world.users["operator"]
    number = finding_of(inspector)
    seen = forms_of(inspector.get(f"/finding?finding={number}").text)["expected_number"]
    assert act(operator, number, "supervise", "the county is slow")[0] == 303
    status, page = act(inspector, number, "acknowledge", "typed <b>text</b>", expected_number=seen)
    assert status == 409
    assert "while you decided" in page
    assert "the county is slow" in page
    assert "typed &lt;b&gt;text&lt;/b&gt;</textarea>" in page
    status, page = act(inspector, number, "acknowledge", "typed text")
    assert status == 303
    assert "supervised" in page
    assert page.count('class="raised"') == 1


def test_a_dismissal_can_be_undone(world: LedgerWorld) -> None:
    inspector, operator = world.users["inspector"], world.users["operator"]
    number = finding_of(inspector)
    assert act(operator, number, "dismiss", "the school is closed")[0] == 303
    assert "the finding has ended" in inspector.get(f"/finding?finding={number}").text
    status, page = act(operator, number, "reopen", "it is not")
    assert (status, "The finding stands again" in page) == (303, True)
    assert re.search(r"<b>reopened</b>", page)
    status, page = act(operator, number, "reopen", "once more")
    assert status == 400
    assert "Nothing was recorded" in page


def test_a_form_that_is_sent_twice_acts_once(world: LedgerWorld) -> None:
    inspector = world.users["inspector"]
    number = finding_of(inspector)
    path = f"/finding?finding={number}"
    fields = {**forms_of(inspector.get(path).text), "step": "acknowledge", "request_id": f"twice-{number}"}
    for _ in range(2):
        assert inspector.post("/finding/act", fields, seen_on=path).status_code == 303
    assert inspector.get(path).text.count("<b>acknowledged</b>") == 1


def test_forms_that_make_no_sense_are_refused_in_words(world: LedgerWorld) -> None:
    inspector = world.users["inspector"]
    number = rows_of(inspector.get("/ledger").text)[0]
    for fields, text in (
        ({"finding": number, "step": "erase"}, "allowed: acknowledge, claim"),
        ({"finding": number}, "use a button"),
        ({"finding": "../1", "step": "claim"}, "whole numbers"),
        ({"finding": number, "step": "claim", "expected_number": "-1"}, "whole numbers"),
        ({"finding": number, "step": "dismiss", "why": ""}, "why"),
        ({"finding": number, "step": "claim", "why": "x" * 501}, "501"),
    ):
        reply = inspector.post("/finding/act", fields, seen_on="/ledger")
        assert reply.status_code in (400, 403), fields
        assert text in reply.text, fields


def test_a_viewer_reads_and_gets_no_forms(world: LedgerWorld) -> None:
    viewer = world.users["viewer"]
    number = rows_of(viewer.get("/ledger").text)[0]
    page = viewer.get(f"/finding?finding={number}").text
    assert "您可以查看台账" in page
    assert 'action="/console/finding/act"' not in page
    fields = {"finding": number, "step": "acknowledge", "expected_number": "0"}
    assert viewer.post("/finding/act", fields, seen_on="/ledger").status_code == 403


def test_nothing_is_swapped_while_nothing_happens(world: LedgerWorld) -> None:
    viewer = world.users["viewer"]
    number = rows_of(viewer.get("/ledger?state=all").text)[0]
    seen = re.findall(r'id="facts"[^>]*data-number="(\d+)"', viewer.get(f"/finding?finding={number}").text)[0]
    assert viewer.get(f"/finding/now?finding={number}&seen={seen}").status_code == 204


def test_every_text_in_code_has_its_chinese() -> None:
    assert sorted({*export.TEXTS, *reasons.TEXTS} - set(language("zh").texts)) == []


def photograph(side_px: int = 900) -> bytes:
    """Return a JPEG of about 1 MB that says where it was taken."""
    picture = Image.frombytes("RGB", (side_px, side_px), random.Random(1).randbytes(3 * side_px * side_px))
    exif = Image.Exif()
    exif[0x010E] = "taken at 38.04 N 114.51 E"
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def test_a_claim_brings_photographs(world: LedgerWorld) -> None:
    inspector = world.users["inspector"]
    number = finding_of(inspector)
    path = f"/finding?finding={number}"
    fields = {**forms_of(inspector.get(path).text), "step": "claim", "why": "with pictures", "request_id": f"p{number}"}
    jpeg = photograph()
    assert b"38.04 N" in jpeg
    for names, status, told in (
        (["a.jpg"] * 4, 400, "up to 3"),
        (["a.txt"], 400, "photograph"),
        (["a.jpg", "b.jpg"], 303, ""),
        (["a.jpg", "b.jpg"], 303, ""),
    ):
        files = [("photographs", (name, jpeg if name.endswith("jpg") else b"text", "image/jpeg")) for name in names]
        reply = inspector.post("/finding/act", fields, seen_on=path, files=files)
        assert reply.status_code == status, reply.text
        assert told in reply.text
    page = inspector.get(path).text
    shown = set(re.findall(r'src="/console(/pictures/photograph.jpg[^"]*)"', page))
    assert len(shown) == 1, "the same photograph twice is one"
    kept = inspector.get(unescape(shown.pop()))
    assert kept.headers["content-type"] == "image/jpeg"
    assert b"38.04 N" not in kept.content
    assert page.count("<b>claimed</b>") == 1


@needs_chromium
def test_an_inspector_claims_with_the_keyboard_while_the_page_refreshes(world: LedgerWorld) -> None:
    """What is typed survives an event of somebody else; the late click is told what happened, and the next one acts."""
    number = finding_of(world.users["inspector"])
    cookies = [
        {"name": name, "value": value, "domain": "127.0.0.1", "path": "/console"}
        for name, value in world.users["inspector"].http.cookies.items()
    ]
    with chromium() as browser, page_of(browser, world.address) as page:
        page.context.add_cookies(cookies)
        page.goto("/console/ledger")
        page.locator(f"#finding-{number}").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/finding?finding={number}")
        page.get_by_text("Claim it is put right").first.focus()
        page.keyboard.press("Enter")
        page.locator("#why-claim").fill("the cable is back")
        assert act(world.users["operator"], number, "acknowledge", "meanwhile")[0] == 303
        page.locator("#timeline").get_by_text("meanwhile").wait_for()
        page.locator(".changed").wait_for()
        assert page.locator("#why-claim").input_value() == "the cable is back"
        page.locator("#why-claim").press("Tab")
        page.locator("#photographs").press("Tab")
        page.keyboard.press("Enter")
        page.locator(".refused").get_by_text("while you decided").wait_for()
        assert page.locator("#why-claim").input_value() == "the cable is back"
        page.locator("#photographs").set_input_files(
            [{"name": "put right.jpg", "mimeType": "image/jpeg", "buffer": photograph(2200)}]
        )
        page.wait_for_function("document.getElementById('photographs').files[0].size < 5e6")
        page.locator("#actions").get_by_role("button", name="Claim it is put right").click()
        page.wait_for_url("**done=claim*")
        page.locator("#facts").get_by_text("The claim did not hold").wait_for()
        assert page.locator("#timeline").get_by_text("the cable is back").is_visible()
        claim = page.locator("#timeline li", has_text="the cable is back").locator(".small-shots img")
        claim.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('.small-shots img').naturalWidth > 100")
