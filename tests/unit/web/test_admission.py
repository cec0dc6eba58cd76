"""Which requests may reach the engine: by the name they call, the page they come from and the address of the caller."""

import pytest

from engine.web.admission import Admission, peer_text
from engine.web.errors import HttpError

LOCAL = Admission("127.0.0.1:7704")
PUBLIC = Admission("0.0.0.0:443")
BY_NAME = Admission("0.0.0.0:443", hosts=("patrol.example",), origins=("https://console.example",))
HERE = {"host": "127.0.0.1:7704"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:7704", "[::1]:7704", "localhost."])
def test_names_of_this_machine_are_taken(host: str) -> None:
    LOCAL.check_host({"host": host})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7704", "127.0.0.1.evil.example", "", "[::1", "a@b"])
def test_other_names_are_refused_against_rebinding(host: str) -> None:
    with pytest.raises(HttpError) as caught:
        LOCAL.check_host({"host": host})
    assert caught.value.http == 421


def test_a_public_listener_takes_every_name_unless_names_are_given() -> None:
    PUBLIC.check_host({"host": "anything.example"})
    BY_NAME.check_host({"host": "patrol.example:443"})
    with pytest.raises(HttpError):
        BY_NAME.check_host({"host": "anything.example"})


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("10.0.0.5", HERE),
        ("127.0.0.1", {"host": "patrol.example"}),
        ("127.0.0.1", HERE | {"x-forwarded-for": "10.0.0.5"}),
        ("127.0.0.1", HERE | {"forwarded": "for=10.0.0.5"}),
        ("127.0.0.1", HERE | {"via": "1.1 proxy"}),
    ],
)
@pytest.mark.parametrize("admission", [LOCAL, PUBLIC, BY_NAME])
def test_who_comes_from_elsewhere_needs_a_token(admission: Admission, peer: str, headers: dict[str, str]) -> None:
    with pytest.raises(HttpError) as caught:
        admission.check_anonymous(peer, headers)
    assert caught.value.http == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")
    assert not admission.is_trusted(peer, headers)


@pytest.mark.parametrize(
    "headers",
    [
        HERE | {"origin": "http://evil.example"},
        HERE | {"origin": "null"},
        HERE | {"origin": "http://localhost:3000"},
        HERE | {"sec-fetch-site": "cross-site"},
        HERE | {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_may_not_act_as_the_local_admin(headers: dict[str, str]) -> None:
    with pytest.raises(HttpError) as caught:
        LOCAL.check_anonymous("127.0.0.1", headers)
    assert caught.value.http == 403


@pytest.mark.parametrize(
    "headers", [HERE, HERE | {"origin": "http://127.0.0.1:7704", "sec-fetch-site": "same-origin"},
                HERE | {"sec-fetch-site": "none"}]
)  # fmt: skip
def test_callers_on_this_machine_are_taken(headers: dict[str, str]) -> None:
    LOCAL.check_anonymous("127.0.0.1", headers)
    LOCAL.check_anonymous("::1", headers)


def test_an_origin_that_the_operator_allows_is_taken() -> None:
    headers = {"host": "localhost", "origin": "https://console.example", "sec-fetch-site": "cross-site"}
    BY_NAME.check_anonymous("127.0.0.1", headers)


def test_addresses_look_as_in_grpc() -> None:
    assert peer_text("10.0.0.5", 80) == "ipv4:10.0.0.5:80"
    assert peer_text("::1", 80) == "ipv6:[::1]:80"
