"""Every route of the console is tried by callers who may not, and with input that nobody types."""

import csv
import io
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import wall_ns
from engine.model.access import AuditQuery
from engine.model.camera import Camera
from engine.web import console
from engine.web.console.screens import access
from engine.web.console.sessions.sealed import Sessions
from tests.support.waiting import wait_until
from tests.support.web.console import HERE, THERE, World
from tests.support.web.gateway import gateway
from tests.support.web.scan import ANONYMOUS, GETS, POSTS, SECRET, TEXTS, USUAL, WRONG, Attacker, routes, there

ROUTES = [*(("GET", path, names.split()) for path, names in GETS.items())]
ROUTES += [("POST", path, names.split()) for path, names in POSTS.items()]
CLOSED = [(method, path, names) for method, path, names in ROUTES if path not in ANONYMOUS]
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "x-dns-prefetch-control": "off",
    "x-permitted-cross-domain-policies": "none",
}


@pytest.fixture(scope="module")
def attacked(world: World) -> World:
    """The two counties, with hostile names in one and secret ones in the other."""
    hub = world.served.hub
    for number, text in enumerate(TEXTS):
        hub.put(
            Camera(f"x{number}{text[:40]}", "rtsp://h/1", text, f"sx{number}", text, HERE, platform_status=text[:64])
        )
    hub.put(Camera("secret", "rtsp://h/2", SECRET, "secretsite", SECRET, THERE, uplink="secretuplink"))
    for camera in [
        camera for camera in hub.registry.cameras.values() if camera.site_id.startswith("s") and camera.name
    ]:
        hub.judge(camera.camera_id)
        hub.ledger.open(camera)
    return world


def session(world: World, name: str) -> tuple[str, str]:
    """Return cookie and form token of a new session."""
    with world.user(name) as someone:
        return str(someone.http.cookies["patrol_session"]), someone.form_token("/scheduler" if name == "admin" else "/")


@contextmanager
def attacker(world: World, name: str, language: str = "en") -> Iterator[Attacker]:
    cookie, token = session(world, name)
    sender = Attacker(world.address, cookie, token, language)
    try:
        yield sender
    finally:
        sender.close()


def kept(world: World) -> Any:
    """Return all that a change would change."""
    hub = world.served.hub
    tokens = [(token.token_id, token.revoked_wall_ns) for token in hub.store.access.tokens()]
    rows = sorted(hub.store.registry.cameras(), key=lambda camera: camera.camera_id)
    findings = {number: finding.number for number, finding in hub.ledger.all.items()}
    return rows, findings, dict(hub.pauses), len(hub.draws), tokens, hub.store.canteens.all(), list(hub.checked)


def usual(names: list[str]) -> dict[str, str]:
    return {name: USUAL[name] for name in names if name in USUAL}


def is_designed(reply: httpx.Response) -> bool:
    """Whether a refusal is a page that says what it is about, or leads somewhere."""
    if reply.status_code < 400:
        return True
    kind = reply.headers.get("content-type", "")
    return kind.startswith("text/html") and bool(re.search(r"<h[12]|role=\"alert\"|class=\"problem", reply.text))


def test_every_route_is_in_the_scan() -> None:
    assert routes() == {(method, path) for method, path, _ in ROUTES}


def test_every_field_that_a_handler_reads_is_in_the_scan() -> None:
    tried = {name for _, _, names in ROUTES for name in names} | {"form_token"}
    sources = [file.read_text(encoding="utf-8") for file in Path(console.__path__[0]).rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'forms\.[a-z]+\([\w.]+, "(\w+)"', text)}
    assert len(read) > 50
    assert read <= tried


def test_a_fault_of_the_console_is_a_page_too(attacked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with attacker(attacked, "admin") as sender:
        monkeypatch.setattr(access, "_TOKENS_SHOWN", "no number")
        reply = sender.get("/access")
        assert reply.status_code == 500
        assert "Something went wrong" in reply.text
        assert "Traceback" not in reply.text
        assert "no number" not in reply.text
        monkeypatch.undo()
        assert sender.get("/access").status_code == 200


def test_without_a_session_every_page_leads_to_sign_in(attacked: World, tmp_path: Path) -> None:
    """No cookie, one of another key, one that has expired, one that is none."""
    now_s, admin, key = wall_ns() // 10**9, attacked.tokens["admin"], tmp_path / "key"
    key.write_bytes(b"k" * 32)
    stranger = Sessions(b"x" * 32, 12).seal(admin, now_s)
    with gateway(attacked.served.address, session_key_file=str(key), session_hours=12) as address:
        old = Attacker(address, Sessions(b"k" * 32, 12).seal(admin, now_s))
        assert old.get("/camera", {"id": "c1"}).status_code == 200
        old.cookie = Sessions(b"k" * 32, 12).seal(admin, now_s - 12 * 3600 - 1)
        remote = {"X-Forwarded-For": "203.0.113.7"}  # the engine bounds what one of this machine may try
        before = kept(attacked)
        others = [Attacker(attacked.address, cookie) for cookie in ("", stranger, "x", "gAAAA" * 900)]
        for sender in (old, *others):
            plain = re.search(r'name="form-token" content="([^"]*)', sender.get("/signin").text)
            assert plain is not None
            sender.form_token = unescape(plain[1])
            for method, path, names in CLOSED:
                reply = sender.send(method, path, usual(names), **remote)
                assert (reply.status_code, reply.text) == (303, ""), (method, path)
                assert reply.headers["location"].startswith("/console/signin")
            sender.close()
    assert kept(attacked) == before


def test_a_forged_form_changes_nothing(attacked: World) -> None:
    _, foreign_token = session(attacked, "admin")
    before = kept(attacked)
    with attacker(attacked, "admin") as sender:
        host = sender.origin.removeprefix("http://")
        for _, path, names in [route for route in ROUTES if route[0] == "POST"]:
            fields = usual(names)
            for token in ("", "x", "é", "A" * 88, foreign_token):
                reply = sender.post(path, {**fields, "form_token": token})
                assert reply.status_code == 403, (path, token)
                assert is_designed(reply), path
            for origin in ("http://evil.example", "null", "", f"http://{host}.evil.example", "http://["):
                assert sender.post(path, fields, Origin=origin).status_code == 403, (path, origin)
            for site in ("cross-site", "same-site", "none"):
                assert sender.post(path, fields, **{"Sec-Fetch-Site": site}).status_code == 403, (path, site)
            assert sender.get(path, fields).status_code != 500
    assert kept(attacked) == before


def test_a_countys_token_reaches_nothing_of_another_county(attacked: World) -> None:
    gets, posts = there(attacked)
    assert len(gets) + len(posts) >= 40
    before, problems = kept(attacked), []
    for name in ("operator_here", "viewer_here"):
        with attacker(attacked, name) as sender:
            replies = [("GET", path, fields, sender.get(path, fields)) for path, fields in gets]
            replies += [("POST", path, fields, sender.post(path, fields)) for path, fields in posts]
        for method, path, fields, reply in replies:
            typed = "|".join(map(re.escape, filter(None, fields.values()))) or "(?!)"
            told = SECRET in re.sub(typed, "", reply.text)
            wanted = (403, 404) if path != "/registry/add" else (400, 403)  # its form names the field
            if reply.status_code not in wanted or told or not is_designed(reply):
                problems.append(f"{name} {method} {path} {fields}: {reply.status_code}")
    assert problems == []
    assert kept(attacked) == before


def test_lists_of_a_countys_token_have_its_own_county_only(attacked: World) -> None:
    lists = [path for path in GETS if path not in ANONYMOUS and not path.startswith(("/access", "/scheduler"))]
    with attacker(attacked, "operator_here") as sender:
        for path in lists:
            for fields in (
                {},
                {"region": THERE},
                {"q": SECRET, "query": SECRET},
                {"region": "", "site_id": "secretsite"},
            ):
                reply = sender.get(path, fields)
                typed = [item for item in fields.values() if item]
                found = re.sub("|".join(map(re.escape, typed)) or "(?!)", "", reply.text)
                assert SECRET not in found, (path, fields)
                assert "secret" not in found.replace("secretsite", ""), (path, fields)


def test_refused_attempts_are_in_the_audit_log(attacked: World) -> None:
    number = str(next(n for n, f in attacked.served.hub.ledger.all.items() if f.subject.camera_id == "secret"))
    camera = {"id": "secret"}
    row = {"url": "rtsp://h/9", "key_point": "other", "site_kind": "other"}
    tried = {
        "/finding/act": {"finding": number, "step": "acknowledge", "why": "x", "expected_number": "1"},
        "/canteen/edit": {"id": "secretsite", "address": "x"},
        "/camera/edit": {**camera, **row},
        "/camera/reset": camera,
        "/camera/pause": {**camera, "reason": "x"},
        "/camera/resume": camera,
        "/camera/delete": {**camera, "typed": "secret"},
        "/access/create": {"display_name": "x", "role": "admin", "region": THERE},
    }
    wanted = {"AcknowledgeFinding", "UpdateCanteen", "UpdateCamera", "ResetBaseline", "PausePatrol"}
    wanted |= {"ResumePatrol", "DeleteCamera", "CreateToken"}
    with attacker(attacked, "operator_here") as sender:
        for path, fields in tried.items():
            assert sender.post(path, fields).status_code in (403, 404), path

    def told() -> set[str]:
        entries = attacked.served.hub.store.access.entries(AuditQuery(actor=f"{HERE}operator_here", page_size=500))
        return {entry.method.partition("/")[2] for entry in entries}

    wait_until(lambda: wanted <= told())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_names_are_text_wherever_they_are_shown(attacked: World, language: str) -> None:
    hub = attacked.served.hub
    chosen_texts = list(enumerate(TEXTS))[:: 1 if language == "en" else 3]
    seen: dict[str, int] = dict.fromkeys((text for _, text in chosen_texts), 0)
    findings = {finding.subject.camera_id: number for number, finding in hub.ledger.all.items()}
    with attacker(attacked, "admin", language) as sender:
        for number, text in chosen_texts:
            camera = f"x{number}{text[:40]}"
            key = f"{language}{number}"
            fields = {"display_name": f"{text} {language}", "role": "viewer"}
            assert sender.post("/access/create", fields).status_code == 200
            canteen = {"id": f"sx{number}", "address": text, "contact_name": text, "contact_phone": "+86 311 1234567"}
            assert sender.post("/canteen/edit", {**canteen, "request_id": f"c{key}"}).status_code == 303
            act = {"finding": str(findings[camera]), "step": "supervise", "why": text, "request_id": f"f{key}"}
            assert sender.post("/finding/act", act).status_code == 303
            assert sender.post("/camera/pause", {"id": camera, "reason": text}).status_code == 303
            pages = [sender.post("/scheduler/config/check", {"toml": f"# {text}"})]
            pages += [sender.post("/camera/edit", {"id": camera, "display_name": text, "url": "no", "hours": text})]
            pages += [sender.post("/registry/import", {}, {"file": (f"{text}.csv", f"camera_id,url\n{text},{text}\n")})]
            pages += [sender.get(pages[-1].headers.get("location", "").removeprefix("/console"))]
            for method, path, names in ROUTES:
                if method == "GET":
                    chosen = {"id": camera, "finding": str(findings[camera]), "draw": "1"}
                    chosen |= {"id": f"sx{number}"} if path.startswith("/canteen") else {}
                    chosen |= {"q": text, "query": text, "site": text[:60]} if path not in ("/wall/live",) else {}
                    chosen = {name: chosen[name] for name in names if name in chosen}
                    pages += [
                        sender.send("GET", path, chosen),
                        sender.send("GET", path, {**chosen, "q": "", "query": ""}),
                    ]
            for page in pages:
                kind = page.headers.get("content-type", "")
                assert page.status_code < 500 or page.url.path.endswith("/alive"), page.url
                if kind.startswith("text/html"):
                    assert not re.search(r"<script>|<img src=x|<script(?![^>]* src=|[^>]*json)", page.text), page.url
                    seen[text] += unescape(page.text).count(text)
                if kind.startswith("text/csv"):
                    cells = [cell for row in csv.reader(io.StringIO(page.text)) for cell in row]
                    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))], page.url
                    seen[text] += any(text in cell for cell in cells)
    assert min(seen.values()) > 10, seen


def wrong_replies(sender: Attacker, cases: Any) -> list[str]:
    found = []
    for method, path, fields in cases:
        try:
            reply = sender.send(method, path, fields)
        except httpx.InvalidURL:
            continue
        if reply.status_code >= 500 or not is_designed(reply):
            told = {name: str(value)[:30] for name, value in fields.items()}
            found.append(f"{method} {path} {told}: {reply.status_code} {reply.text[:80]!r}")
    return found


def test_the_way_back_leads_into_the_console(attacked: World) -> None:
    ways = {"/wall?q=厨房": "/console/wall?q=%E5%8E%A8%E6%88%BF", "//[": "/console/", "//evil.example": "/console/"}
    with attacker(attacked, "viewer") as sender:
        for back, location in ways.items():
            reply = sender.post("/choose", {"back": back})
            assert (reply.status_code, reply.headers["location"]) == (303, location)


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.long)])
def test_no_field_brings_down_a_page(attacked: World, share: int) -> None:
    """Each field of each route with each wrong value, or one in `share`; what it changes is allowed to the caller."""
    cases = [
        (method, path, {**usual(names), name: value})
        for method, path, names in ROUTES
        for name in names
        for value in WRONG
        if path not in ("/signin", "/camera/check", "/alive")
        and name.removeprefix("was_") == name
        and not (path == "/wall/live" and value == "x" * 9000)
    ]
    random.Random(1).shuffle(cases)
    with attacker(attacked, "admin") as sender:
        assert wrong_replies(sender, cases[::share]) == []


def test_no_mixture_of_fields_brings_down_a_page(attacked: World) -> None:
    characters = st.text(st.characters(codec="utf-8"), max_size=40)
    value = st.one_of(
        st.sampled_from((*WRONG, *TEXTS, "１²", "9999-12-31T23:59", "1", "c1", "2026-11-30", HERE)), characters
    )
    calm = [
        route
        for route in ROUTES
        if route[1] not in ("/signin", "/camera/check", "/access/revoke", "/wall/live", "/alive")
    ]

    with attacker(attacked, "admin") as sender:

        @settings(
            max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.sampled_from(calm), st.data())
        def holds(route: tuple[str, str, list[str]], data: Any) -> None:
            method, path, names = route
            chosen = data.draw(st.dictionaries(st.sampled_from(names or ["x"]), value, max_size=6))
            assert wrong_replies(sender, [(method, path, {**usual(names), **chosen})]) == []

        holds()


def test_a_form_with_too_much_or_of_another_kind_is_refused(attacked: World) -> None:
    before = kept(attacked)
    with attacker(attacked, "admin") as sender:
        own = {"X-Form-Token": sender.form_token, "Origin": sender.origin}
        for path in POSTS:
            big = b"why=" + b"x" * 21_000_000
            kinds: tuple[tuple[str, bytes], ...] = (
                ("application/json", b"{}"),
                ("multipart/form-data", b"x"),
                ("multipart/form-data; boundary=x; charset=undefined", _part(b"\xff")),
                ("multipart/form-data; boundary=x; charset=raw_unicode_escape", _part(rb"/\ud800")),
                ("application/x-www-form-urlencoded", b"&".join(b"a%d=" % n for n in range(2100))),
            )
            for kind, body in kinds:
                reply = sender.raw(path, body, **own, **{"Content-Type": kind})
                assert 400 <= reply.status_code < 500, (path, kind)
                assert is_designed(reply), (path, kind)
            if path in ("/finding/act", "/access/create", "/registry/import", "/scheduler/config/apply"):
                reply = sender.raw(path, big, **own, **{"Content-Type": "application/x-www-form-urlencoded"})
                assert reply.status_code == 413, path
    assert kept(attacked) == before


def _part(value: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="back"\r\n\r\n' + value + b"\r\n--x--\r\n"


def test_every_reply_has_the_headers_of_owasps_cheat_sheet(attacked: World) -> None:
    with attacker(attacked, "admin") as sender:
        for method, path, names in ROUTES:
            forged = {"form_token": "x"} if method == "POST" else {}
            for reply in (sender.send(method, path, {**usual(names), **forged}), sender.send(method, path, forged)):
                headers = reply.headers
                for name, value in HEADERS.items():
                    assert headers[name] == value, (path, name)
                policy = headers["content-security-policy"]
                own = path == "/kpis/digest.html" and reply.status_code == 200
                assert ("unsafe" in policy) == own, path
                for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"):
                    assert part in policy, (path, part)
                assert headers["referrer-policy"] in ("same-origin", "no-referrer")
                assert "camera=()" in headers["permissions-policy"]
                assert "server" not in headers
                assert "x-powered-by" not in headers
                kind = headers.get("content-type", "")
                if not path.startswith("/assets") and (reply.content or path == "/alive"):
                    assert "no-store" in headers["cache-control"] or kind == "image/jpeg", path
                    assert "public" not in headers["cache-control"], path


def test_a_cookie_of_an_ended_token_is_taken_back(attacked: World) -> None:
    with attacker(attacked, "admin") as admin:
        made = admin.post("/access/create", {"display_name": "leaver", "role": "viewer", "region": HERE})
        secret = re.search(r'id="secret">([^<]+)<', made.text)
        assert secret is not None
        number = max(token.token_id for token in attacked.served.hub.store.access.tokens())
        world = attacked._replace(tokens={"leaver": secret[1]})
        with attacker(world, "leaver") as sender:
            assert sender.get("/camera", {"id": "c2"}).status_code == 200
            assert admin.post("/access/revoke", {"token": str(number)}).status_code == 303
            _is_signed_out(sender)


def _is_signed_out(sender: Attacker) -> None:
    for method, path, names in CLOSED:
        reply = sender.send(method, path, usual(names))
        assert (reply.status_code, reply.text) == (303, ""), path
        assert "Max-Age=0" in reply.headers["set-cookie"], path
