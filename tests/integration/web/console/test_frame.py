"""The frame of the console: sign-in, cookies, forms, headers, languages, errors."""

import re

import httpx
import pytest

from engine.web.console.assets import assets
from tests.support.web.console import HERE, World, user
from tests.support.web.gateway import gateway

MISSING = ("/nope", "/../etc/passwd", "/assets/x/../../console.py", "/assets/x/nope.js", "/%2e%2e/%2e%2e/etc/passwd")


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(world: World) -> None:
    with world.user() as someone:
        reply = someone.get("/access/audit?actor=x")
        assert reply.status_code == 303
        assert reply.headers["location"] == "/console/signin?next=%2Faccess%2Faudit%3Factor%3Dx"
        form = someone.get(reply.headers["location"].removeprefix("/console"))
        assert 'name="next" value="/access/audit?actor=x"' in form.text
        signed = someone.post(
            "/signin", {"secret": world.tokens["admin"], "next": "/access/audit?actor=x"}, seen_on="/signin"
        )
        assert (signed.status_code, signed.headers["location"]) == (303, "/console/access/audit?actor=x")
        assert someone.get("/").status_code == 200


def test_the_cookie_is_for_the_console_alone_and_no_script_reads_it(world: World) -> None:
    with world.user() as someone:
        cookie = someone.sign_in(world.tokens["viewer"]).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/console" in cookie
    assert "Secure" not in cookie, "this gateway speaks no TLS"
    assert world.tokens["viewer"] not in cookie


def test_behind_a_proxy_with_tls_the_cookie_goes_over_tls_only(world: World) -> None:
    with gateway(world.served.address, behind_tls=True) as address, user(address) as someone:
        assert "Secure" in someone.sign_in(world.tokens["viewer"]).headers["set-cookie"]


@pytest.mark.parametrize("token", ["", "wrong", "a b", "\x00", "é", "x" * 200])
def test_a_wrong_token_does_not_get_in(world: World, token: str) -> None:
    with gateway(world.served.address) as address, user(address) as someone:
        reply = someone.sign_in(token)
        assert reply.status_code == 401
        assert "patrol_session" not in reply.headers.get("set-cookie", "")
        assert someone.get("/").status_code == 303


def test_an_address_may_fail_ten_times_a_minute(world: World) -> None:
    with gateway(world.served.address) as address, user(address) as someone:
        for _ in range(11):
            assert someone.sign_in(world.tokens["viewer"]).status_code == 303
        codes = [someone.sign_in("wrong").status_code for _ in range(11)]
        assert codes == [401] * 10 + [429]
        refused = someone.sign_in(world.tokens["viewer"])
        assert refused.status_code == 429
        assert world.tokens["viewer"] not in refused.text


def test_a_revoked_token_ends_its_sessions_at_the_next_click(world: World) -> None:
    with world.user("admin") as admin, world.user() as someone:
        made = admin.post("/access/create", {"display_name": "leaver", "role": "viewer"})
        found = re.search(r'id="secret">([^<]+)<', made.text)
        assert found is not None
        someone.sign_in(found[1])
        assert someone.get("/").status_code == 200
        number = re.search(r'name="token" value="(\d+)">[^/]*</p>\s*<button class="danger">[^<]* leaver<', made.text)
        assert number is not None
        assert admin.post("/access/revoke", {"token": number[1]}).status_code == 303
        reply = someone.get("/")
        assert reply.status_code == 303
        assert reply.headers["location"].startswith("/console/signin")
        assert "patrol_session=" in reply.headers["set-cookie"]
        assert "Max-Age=0" in reply.headers["set-cookie"]


def test_sign_out_takes_the_session(world: World) -> None:
    with world.user("viewer") as someone:
        assert someone.post("/signout").headers["location"] == "/console/signin"
        assert someone.get("/").status_code == 303


@pytest.mark.parametrize(
    ("origin", "token"),
    [
        ("http://evil.example", "own"),
        ("null", "own"),
        ("", "own"),
        ("own", ""),
        ("own", "x"),
        ("own", "other"),
        ("own", "AAAA" * 22),
    ],
)
def test_a_form_that_no_page_of_this_session_sent_is_refused(world: World, origin: str, token: str) -> None:
    with world.user("admin") as someone, world.user("viewer") as other:
        made = {"own": someone, "other": other}
        fields = {
            "display_name": "forged",
            "role": "admin",
            "form_token": made[token].form_token("/") if token in made else token,
        }
        headers = {"Origin": someone.origin if origin == "own" else origin} if origin else {}
        reply = someone.http.post("/console/access/create", data=fields, headers=headers)
        assert reply.status_code == 403
        assert "forged" not in someone.get("/access").text


def test_a_form_is_bounded(world: World) -> None:
    with world.user("admin") as someone:
        assert someone.post("/access/create", {"display_name": "x" * 70_000}).status_code == 413
        assert someone.post("/access/create", {f"f{n}": "" for n in range(3000)}).status_code in (400, 413)
        reply = someone.http.post("/console/access/create", json={}, headers={"Origin": someone.origin})
        assert reply.status_code == 415


def test_every_reply_has_the_headers(world: World) -> None:
    with world.user("viewer") as someone:
        for path in ("/", "/signin", "/nope", "/alive", assets()["console.css"].path):
            headers = someone.get(path).headers
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy, path
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            for name, value in (
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
            ):
                assert headers[name] == value
        assert someone.get("/").headers["cache-control"] == "no-store"


def test_pages_have_no_script_or_style_of_their_own(world: World) -> None:
    with world.user("admin") as someone:
        for path in ("/", "/signin", "/access", "/access/audit", "/scheduler", "/scheduler/config", "/nope"):
            page = someone.get(path).text
            assert re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", page) is None, path


def test_a_page_comes_in_the_language_that_the_browser_asks_for_and_the_user_chooses(world: World) -> None:
    with world.user("viewer", language="en") as someone:
        assert '<html lang="en"' in someone.get("/").text
        chosen = someone.post("/choose", {"language": "zh", "theme": "dark", "back": "/wall?x=1"})
        assert chosen.headers["location"] == "/console/wall?x=1"
        page = someone.get("/")
        assert '<html lang="zh-CN" data-theme="dark"' in page.text
        assert page.headers["content-language"] == "zh"


def test_what_does_not_exist_is_a_page(world: World) -> None:
    with world.user("viewer") as someone:
        for path in MISSING:
            reply = someone.get(path)
            assert reply.status_code == 404, path
            assert "root:" not in reply.text
        assert "There is no such page or item" in someone.get("/nope").text


def test_the_first_path_leads_to_the_console_and_programs_find_their_page(world: World) -> None:
    with httpx.Client(base_url=f"http://{world.address}") as http:
        assert http.get("/").headers["location"] == "/console/"
        assert "CameraService/ListCameras" in http.get("/api").text
    with gateway(world.served.address, console=False) as address, httpx.Client(base_url=f"http://{address}") as http:
        assert "CameraService/ListCameras" in http.get("/").text
        assert http.get("/console/").status_code == 404


def test_assets_are_kept_by_their_hash(world: World) -> None:
    with world.user() as someone:
        path = assets()["console.js"].path
        reply = someone.get(path)
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
        assert someone.get("/assets/000000000000/console.js").headers["cache-control"] == "no-cache"


def test_a_caller_of_another_name_or_page_does_not_reach_the_console(world: World) -> None:
    with world.user("viewer") as someone:
        assert someone.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_the_navigation_shows_what_the_role_may_see(world: World) -> None:
    with world.user("admin") as admin, world.user("viewer_here") as viewer:
        assert 'href="/console/access"' in admin.get("/").text
        assert 'href="/console/scheduler"' in admin.get("/").text
        page = viewer.get("/").text
        assert 'href="/console/access"' not in page
        assert 'href="/console/scheduler"' not in page
        for path in ("/access", "/access/audit", "/scheduler", "/scheduler/config"):
            assert viewer.get(path).status_code == 403, path


def test_metrics_count_pages_by_name(world: World) -> None:
    with world.user("viewer") as someone, httpx.Client(base_url=f"http://{world.address}") as http:
        someone.get("/")
        assert 'patrol_web_request_seconds_count{route="console/today",status="200"}' in http.get("/metrics").text


def test_calls_of_the_console_carry_the_users_token(world: World) -> None:
    with world.user("operator_here") as someone:
        assert f"{HERE}operator_here" in someone.get("/").text
