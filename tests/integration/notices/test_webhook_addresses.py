"""Where a notice goes: to the host of its URL, looked up once, and not to this machine unless the URL says so."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from engine.config.notices import EndpointSettings
from engine.hub.webhook_addresses import is_refused
from engine.notices.attempt import AttemptResult, Outcome
from engine.notices.cloud_events import trial_notice
from engine.notices.webhook import send_once
from tests.support.certificates import certificate
from tests.support.webhook_receivers import SECRET_LINE, Receiver, Reply, receiving


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Have hook.example resolve to these addresses, one a lookup, the last for ever; returns what was looked up."""
    real = socket.getaddrinfo
    looked_up: list[str] = []

    def lookup(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host in ("hook.example", b"hook.example"):
            host = answers[min(len(looked_up), len(answers) - 1)]
            looked_up.append(host)
        return real(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return looked_up


def send(folder: Path, url: str, *, refuse: Any = is_refused, **more: Any) -> AttemptResult:
    (folder / "secret").write_text(SECRET_LINE)
    endpoint = EndpointSettings(name="county", url=url, secret_file=str(folder / "secret"), timeout_s=5, **more)
    return send_once(endpoint, trial_notice("county", time.time_ns()), "urn:a", time.time_ns(), refuse)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_configuration_may_name_this_machine(tmp_path: Path, host: str) -> None:
    with receiving(Receiver()) as receiver:
        assert send(tmp_path, receiver.url.replace("127.0.0.1", host)).outcome is Outcome.DELIVERED
        assert receiver.requests[0].headers["host"] == f"{host}:{receiver.port}"
        assert receiver.requests[0].genuine


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1"])
def test_a_name_that_resolves_to_this_machine_is_not_sent_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolving(monkeypatch, address)
    with receiving(Receiver()) as receiver:
        result = send(tmp_path, receiver.url.replace("127.0.0.1", "hook.example"), plain_http=True)
        assert result.outcome is Outcome.UNREACHABLE
        assert "this machine or its surroundings" in result.detail
        assert receiver.requests == []


def test_the_address_that_was_checked_is_the_one_that_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a second lookup would find this machine, and is not made."""
    looked_up = resolving(monkeypatch, "192.0.2.1", "127.0.0.1")
    with receiving(Receiver()) as receiver:
        url = receiver.url.replace("127.0.0.1", "hook.example")
        result = send(tmp_path, url, plain_http=True)
        assert result.outcome in (Outcome.UNREACHABLE, Outcome.TIMEOUT)
        assert receiver.requests == []
    assert looked_up == ["192.0.2.1"]


def test_the_certificate_must_be_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is made to an address, and the certificate is held against the name all the same."""
    pem, tls = certificate(tmp_path)  # for 127.0.0.1
    resolving(monkeypatch, "127.0.0.1")
    with receiving(Receiver(), tls) as receiver:
        own = receiver.url.replace("http:", "https:")
        assert send(tmp_path, own, ca_file=str(pem)).outcome is Outcome.DELIVERED
        foreign = own.replace("127.0.0.1", "hook.example")
        result = send(tmp_path, foreign, refuse=lambda host, address: False, ca_file=str(pem))
        assert result.outcome is Outcome.UNREACHABLE
        assert "certificate" in result.detail.lower()
        assert len(receiver.requests) == 1


def test_a_redirect_is_not_followed_and_a_proxy_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(Receiver()) as other, receiving(Receiver()) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
        receiver.reply = lambda _: Reply(307, {"location": other.url})
        assert send(tmp_path, receiver.url).outcome is Outcome.REDIRECTED
        assert len(receiver.requests) == 1
        assert other.requests == []
