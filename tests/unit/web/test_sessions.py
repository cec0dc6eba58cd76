"""Sessions: what is sealed comes back, what was changed or is too old does not, and forms belong to their session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InvalidArgumentError
from engine.web.console.sessions.key import session_key
from engine.web.console.sessions.sealed import Sessions
from engine.web.console.sessions.sign_in import own_path

KEY, OTHER = bytes(32), bytes([1]) * 32
NOW_S = 1_800_000_000


@given(st.text(max_size=200))
def test_a_sealed_token_comes_back_and_nothing_of_it_can_be_read(token: str) -> None:
    sessions = Sessions(KEY, 12)
    cookie = sessions.seal(token, NOW_S)
    opened = sessions.open(cookie, NOW_S + 3600)
    assert opened is not None
    assert (opened.token, opened.begin_s) == (token, NOW_S)
    assert len(token) < 4 or token not in cookie


def test_a_cookie_ends_after_its_hours_and_under_another_key() -> None:
    cookie = Sessions(KEY, 12).seal("t", NOW_S)
    assert Sessions(KEY, 12).open(cookie, NOW_S + 12 * 3600) is not None
    assert Sessions(KEY, 12).open(cookie, NOW_S + 12 * 3600 + 1) is None
    assert Sessions(OTHER, 12).open(cookie, NOW_S) is None


@given(st.integers(0, 150), st.integers(1, 127))
def test_a_changed_cookie_is_none(place: int, change: int) -> None:
    sessions = Sessions(KEY, 12)
    cookie = sessions.seal("secret", NOW_S)
    place %= len(cookie)
    changed = cookie[:place] + chr(ord(cookie[place]) ^ change) + cookie[place + 1 :]
    opened = sessions.open(changed, NOW_S)
    assert opened is None or opened.token == "secret"  # the last character of base64 has bits that say nothing


@pytest.mark.parametrize("cookie", ["", "x", "é", "gAAAA" * 1000, "\x00"])
def test_rubbish_is_no_session(cookie: str) -> None:
    assert Sessions(KEY, 12).open(cookie, NOW_S) is None


def test_a_forms_token_belongs_to_one_session_and_differs_in_each_page() -> None:
    sessions = Sessions(KEY, 12)
    mine = sessions.open(sessions.seal("t", NOW_S), NOW_S)
    other = sessions.open(sessions.seal("t", NOW_S), NOW_S)
    first, second = sessions.form_token(mine), sessions.form_token(mine)
    assert first != second
    assert sessions.is_form_token(first, mine)
    assert sessions.is_form_token(second, mine)
    assert not sessions.is_form_token(first, other)
    assert not sessions.is_form_token(first, None)
    assert sessions.is_form_token(sessions.form_token(None), None)


@given(st.text(max_size=120))
def test_no_text_is_a_forms_token(text: str) -> None:
    assert not Sessions(KEY, 12).is_form_token(text, None)


def test_a_renewed_cookie_keeps_the_forms_of_its_session() -> None:
    sessions = Sessions(KEY, 12)
    first = sessions.open(sessions.seal("t", NOW_S), NOW_S)
    assert first is not None
    second = sessions.open(sessions.seal("t", NOW_S + 9, first.secret), NOW_S + 9)
    assert sessions.is_form_token(sessions.form_token(first), second)


def test_the_key_is_made_once_for_this_user_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "sessions.key"
    key = session_key(path)
    assert session_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert session_key(None) != session_key(None)


def test_a_file_that_is_no_key_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "sessions.key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="32"):
        session_key(path)
    with pytest.raises(ConfigError, match="session_key_file"):
        session_key(path / "sessions.key")


def test_its_folder_is_made_for_this_user_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "var" / "patrol" / "sessions.key"
    key = session_key(path)
    assert session_key(path) == key
    assert {folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)} == {0o700}


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "javascript:alert(1)", ""]
)
def test_after_sign_in_nobody_is_sent_elsewhere(path: str) -> None:
    assert own_path(path) == "/"


def test_after_sign_in_the_page_that_was_asked_for_comes() -> None:
    assert own_path("/cameras/a%2Fb?x=1") == "/cameras/a%2Fb?x=1"
    with pytest.raises(InvalidArgumentError):
        own_path("/x\r\nSet-Cookie: a")
