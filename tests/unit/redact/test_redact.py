"""No form in which a secret is written passes the redaction; what is no secret stays readable."""

import base64
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.config.describe import toml
from engine.redact import KnownSecrets, redact, redact_url, secrets_in, without_secrets_of
from engine.redact.known import SECRETS_MAX
from engine.redact.names import is_secret_name
from tests.support.secrets import TEXTS, VENDOR_URLS

_IN_QUERY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$*+,@:"
_WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=8, max_size=24).map(
    lambda word: f"Zq{word}9"
)
_ANY = st.tuples(_WORDS, st.text(_IN_QUERY, max_size=8), _WORDS).map("".join)


@pytest.mark.parametrize("url", VENDOR_URLS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_password_is_masked_in_each_form_of_url_and_text(url: str, text: str) -> None:
    clean = redact(text.format(url.format("Zq7secretX9")))
    assert "Zq7secretX9" not in clean
    assert "***" in clean


@given(_ANY, st.sampled_from(VENDOR_URLS), st.sampled_from(TEXTS))
def test_no_part_of_a_secret_passes_whatever_characters_it_has(secret: str, url: str, text: str) -> None:
    assume(":" not in secret or "//{}@" not in url)  # what stands before the colon is a name there
    clean = redact(text.format(url.format(secret)))
    assert secret[:10] not in clean
    assert secret[-10:] not in clean


@given(_ANY, st.sampled_from(VENDOR_URLS), st.sampled_from(TEXTS))
def test_what_is_redacted_stays_as_it_is(secret: str, url: str, text: str) -> None:
    clean = redact(text.format(url.format(secret)))
    assert redact(clean) == clean
    whole = redact_url(url.format(secret))
    assert redact_url(whole) == redact(whole) == whole


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_redacted_without_an_error(before: str, after: str) -> None:
    for joint in ("", "://", "=", "@", "password=", "%3d"):
        clean = redact(before + joint + after)
        assert redact_url(redact_url(before + joint + after)) is not None
        assert isinstance(clean, str)


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://10.0.0.1:554/Streaming/Channels/101?transportmode=unicast",
        "rtsp://[2001:db8::1]:554/live?channel=1&subtype=0",
        "http://media.example:8080/live/kitchen.flv?user=admin&channel=1",
        "rtsp://10.0.0.1/user=admin_channel=1_stream=0.sdp",
        "rtsp://10.0.0.1/user=admin_password=_channel=1_stream=0.sdp",
        "nothing listens on that port",
        "scheduler.key_period_s = '3': allowed: a number",
        "serve.tls_key_file = '/etc/patrol/key.pem': no such file",
        "unknown key 'x'; keys: a, b = c",
        "frames=3 monkeys=4 keyframe=5 bypassed=1",
        "write to a@b.example, see docs/install.md#wheels",
        "https://docs.example/page#anchor is a page",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_file_of_all_settings_holds_no_secret() -> None:
    assert "".join(map(redact, toml().splitlines(keepends=True))) == toml()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Basic YWRtaW46c2VjcmV0", "Authorization: ***"),
        ("answered with Bearer abcdefghijkl.mnop", "answered with Bearer ***"),
        ("{'password': 'a b', 'user': 'c'}", "{'password': '***', 'user': 'c'}"),
        ('{"accessToken":"ab\\"}', '{"accessToken":"***\\"}'),
        ("notices.endpoints.0.secret = 'abc'", "notices.endpoints.0.secret = '***'"),
        ("made kp_abcdefghijklmnopqrstuvwxyz", "made ***"),
        ("Basic authentication is asked for", "Basic authentication is asked for"),
        ("rtsp://admin:secret/1", "rtsp://admin:***/1"),
    ],
)
def test_secrets_outside_of_urls(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize(
    "name",
    ["password", "Password2", "user_password", "admin_pwd", "psw", "accessToken", "access_token", "api-key", "txSecret",
     "AWSAccessKeyId", "X-Amz-Credential", "%70wd", "auth", "authBasic", "streamKey", "user[pass]"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["user", "channel", "keyframe", "passes", "monkey", "authority", "sidecar", ""])
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


def test_what_is_said_of_a_camera_holds_its_secret_in_no_form() -> None:
    url = "rtsp://admin:p%40ssWort1@10.0.0.1/1"
    basic = base64.b64encode(b"admin:p@ssWort1").decode()
    said = without_secrets_of(url, f"the server says p@ssWort1, p%40ssWort1, {basic}, and xp@ssWort1x")
    assert said == "the server says ***, ***, ***, and x***x"
    assert without_secrets_of("rtsp://admin:1234@h/1", "1234 of 12345 packets") == "*** of 12345 packets"


def test_known_secrets_are_masked_as_words_of_their_own() -> None:
    known = KnownSecrets()
    for url in ("rtsp://u:Hik12345@h", "rtsp://u:12345@h", "rtsp://u:camera@h", "rtsp://u:13990100111320000001@h"):
        known.add(url)
    text = "Hik12345, xHik12345, 12345: camera 13990100111320000001"
    assert known.mask(text) == "***, xHik12345, 12345: camera 13990100111320000001"


def test_known_secrets_are_bounded_and_the_oldest_are_forgotten() -> None:
    known = KnownSecrets(most=2)
    for number in range(4):
        known.add(f"rtsp://u:Secret-{number}@h")
    assert known.mask("Secret-0 Secret-1 Secret-2 Secret-3") == "Secret-0 Secret-1 *** ***"
    assert SECRETS_MAX >= 131_000  # a province's cameras


@given(_WORDS, st.sampled_from(VENDOR_URLS))
def test_the_secret_of_a_url_is_known_by_itself(secret: str, url: str) -> None:
    known = KnownSecrets()
    known.add(url.format(secret))
    assert any(secret in each for each in secrets_in(url.format(secret)))
    if "%" not in url:
        assert secret not in known.mask(f"a library says {secret}")


def test_many_secrets_with_the_same_beginning_take_no_longer() -> None:
    known, number = KnownSecrets(), 20_000
    began_s = time.process_time()
    for each in range(number):
        known.add(f"rtsp://u:Hik1-{each:05}x@10.0.0.1/1")
    assert known.mask("Hik1-00000x Hik1-19999x Hik1-20000x") == "*** *** Hik1-20000x"
    assert time.process_time() - began_s < 20  # a second; quadratic it takes minutes
