"""The listener of /metrics with TLS and a password, over real sockets: who does not know it gets nothing."""

import base64
import contextlib
import http.client
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.checks import cross_key_errors
from engine.config.schema import Settings
from engine.config.serve import ServeSettings
from engine.doctor import running
from engine.errors import ConfigError
from engine.metrics import Metrics
from engine.metrics import status_server as module
from engine.metrics.status_server import CONNECTIONS_MAX, StatusServer
from engine.runtime.certificate import TlsFiles
from engine.runtime.metrics_password import MetricsPassword, metrics_password
from tests.support.certificates import certificate
from tests.support.connections import is_open, opened
from tests.support.waiting import wait_until

PASSWORD, OTHER = "p" * 40, "q" * 40
BEARER = f"Bearer {PASSWORD}"
TARGETS = '[{"targets": ["10.7.0.2:34567"], "labels": {"shard": "1"}}]'


class Guarded:
    """A listener with TLS and a password. `told`: what it told of who was refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem, _ = certificate(folder)
        self.file = folder / "password"
        self.file.write_text(f"{PASSWORD}\n", encoding="utf-8")
        self.reasons: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.expires: list[int] = []
        tls = TlsFiles("serve.metrics_tls", str(self.pem), str(folder / "key.pem"))
        self._server = StatusServer(
            Metrics("x").wsgi_app(), lambda: self.reasons, password=MetricsPassword(str(self.file)), tls=tls,
            refused=lambda *what: self.told.append(what), expires=self.expires.append, targets=lambda: TARGETS,
        )  # fmt: skip
        self.address = self._server.start("127.0.0.1:0")

    def ask(self, path: str, authorization: str = "", ca: Path | None = None) -> tuple[int, str, dict[str, str]]:
        context = ssl.create_default_context(cafile=ca or self.pem)
        connection = http.client.HTTPSConnection(self.address, timeout=10, context=context)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return reply.status, reply.read().decode(), headers

    def settings(self) -> ServeSettings:
        return ServeSettings(
            metrics_listen=self.address, metrics_tls_cert_file=str(self.pem),
            metrics_tls_key_file=str(self.folder / "key.pem"), metrics_password_file=str(self.file),
        )  # fmt: skip

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with contextlib.closing(Guarded(tmp_path)) as guarded:
        yield guarded


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "authorization", [BEARER, f"bearer  {PASSWORD}", basic("prometheus", PASSWORD), basic("", PASSWORD)]
)
def test_who_knows_the_password_scrapes(guarded: Guarded, authorization: str) -> None:
    status, text, _ = guarded.ask("/metrics", authorization)
    assert status == 200
    assert "patrol_build_info" in text
    assert guarded.told == []
    wait_until(lambda: guarded.expires)


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "password_missing"),
        (f"Bearer {OTHER}", "password_wrong"),
        ("Bearer", "password_wrong"),
        ("Bearer ", "password_wrong"),
        (basic(PASSWORD, ""), "password_wrong"),
        (basic("u", OTHER), "password_wrong"),
        ("Basic ???", "password_wrong"),
        (f"Digest {PASSWORD}", "password_wrong"),
        (PASSWORD, "password_wrong"),
    ],
)
def test_who_does_not_gets_nothing_and_is_told_of(guarded: Guarded, authorization: str, reason: str) -> None:
    status, text, headers = guarded.ask("/metrics", authorization)
    assert (status, "patrol_" in text) == (401, False)
    assert headers["www-authenticate"].startswith("Basic ")
    assert guarded.told == [(reason, "127.0.0.1")]


def test_who_does_not_know_the_password_does_not_learn_where_shards_are(guarded: Guarded) -> None:
    status, text, headers = guarded.ask("/sd", BEARER)
    assert (status, text, headers["content-type"]) == (200, TARGETS, "application/json")
    for authorization, reason in (("", "password_missing"), (f"Bearer {OTHER}", "password_wrong")):
        status, text, _ = guarded.ask("/sd", authorization)
        assert (status, "10.7" in text) == (401, False)
        assert guarded.told.pop() == (reason, "127.0.0.1")


def test_probes_need_no_password_but_reasons_do(guarded: Guarded) -> None:
    assert guarded.ask("/healthz")[:2] == (200, "ok\n")
    assert guarded.ask("/readyz")[:2] == (200, "ok\n")
    guarded.reasons = ["the disk of var/evidence is full"]
    status, text, _ = guarded.ask("/readyz")
    assert (status, "disk" in text) == (503, False)
    assert guarded.ask("/readyz", BEARER)[:2] == (503, "the disk of var/evidence is full\n")
    assert guarded.told == []


def test_a_caller_without_tls_gets_nothing_and_is_told_of(guarded: Guarded) -> None:
    host, port = guarded.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            while piece := caller.recv(4096):
                answer += piece
    assert b"patrol_" not in answer
    wait_until(lambda: guarded.told == [("handshake", "127.0.0.1")])
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=10):
        pass  # a probe that only connects is no attempt
    assert guarded.ask("/metrics", BEARER)[0] == 200
    assert len(guarded.told) == 1


def test_certificate_and_password_are_read_again(guarded: Guarded, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    pem, _ = certificate(new)
    guarded.file.write_text(OTHER, encoding="utf-8")
    for name in ("cert.pem", "key.pem"):
        Path(shutil.copy(new / name, tmp_path / f"{name}.new")).replace(tmp_path / name)

    def renewed() -> bool:
        with contextlib.suppress(ssl.SSLError):
            return guarded.ask("/metrics", f"Bearer {OTHER}", pem)[0] == 200
        return False

    wait_until(renewed, 30)
    assert guarded.ask("/metrics", BEARER, pem)[0] == 401
    guarded.file.write_text("short", encoding="utf-8")
    wait_until(lambda: guarded._server._password is not None and guarded._server._password._mark == _mark(guarded.file))
    assert guarded.ask("/metrics", f"Bearer {OTHER}", pem)[0] == 200, "one that cannot be used changes nothing"


def _mark(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def test_silent_connections_keep_no_scrape_away(guarded: Guarded) -> None:
    with opened(guarded.address, 300) as silent:
        assert [guarded.ask("/metrics", BEARER)[0] for _ in range(5)] == [200] * 5
        wait_until(lambda: sum(map(is_open, silent)) <= 2 * CONNECTIONS_MAX)
    assert module.HANDSHAKE not in {reason for reason, _ in guarded.told}


def test_the_doctor_asks_with_the_password_and_only_the_engine_itself(guarded: Guarded, tmp_path: Path) -> None:
    guarded.reasons = ["no worker is ready"]
    assert running.readiness(guarded.settings()) == (503, "no worker is ready")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    pem, _ = certificate(foreign)
    other = guarded.settings().model_copy(update={"metrics_tls_cert_file": str(pem)})
    answer = running.readiness(other)
    assert answer is not None
    assert (answer[0], "worker" in answer[1]) == (503, False), "it has another certificate: it is not told the password"
    unreadable = guarded.settings().model_copy(update={"metrics_password_file": str(tmp_path / "none")})
    answer = running.readiness(unreadable)
    assert answer is not None
    assert answer[0] == 503


def test_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_SECRET", f" {PASSWORD}\n")
    password = metrics_password(ServeSettings(metrics_password_env="METRICS_SECRET"))
    assert password is not None
    assert password.admits(BEARER)
    assert not password.admits("")
    assert metrics_password(ServeSettings()) is None


@pytest.mark.parametrize("text", ["", "short", "\n\n", "x" * 5000])
def test_a_password_that_is_no_good_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "password"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"serve\.metrics_password_file") as error:
        MetricsPassword(str(file))
    assert not text.strip() or text.strip() not in str(error.value)
    with pytest.raises(ConfigError, match=r"serve\.metrics_password_file"):
        MetricsPassword(str(tmp_path / "none"))


PUBLIC = {"metrics_listen": "0.0.0.0:7703"}
TLS = {"metrics_tls_cert_file": "c.pem", "metrics_tls_key_file": "k.pem"}


@pytest.mark.parametrize(
    ("serve", "refused"),
    [
        (PUBLIC, "serve.metrics_listen"),
        (PUBLIC | TLS, "serve.metrics_listen"),
        (PUBLIC | {"metrics_password_file": "p"}, "serve.metrics_listen"),
        (PUBLIC | TLS | {"metrics_password_file": "p"}, ""),
        (PUBLIC | TLS | {"metrics_password_env": "P"}, ""),
        (PUBLIC | {"metrics_public": True}, ""),
        ({"metrics_tls_cert_file": "c.pem"}, "serve.metrics_tls_cert_file"),
        ({"metrics_password_file": "p", "metrics_password_env": "P"}, "serve.metrics_password_file"),
        ({}, ""),
    ],
)
def test_a_public_address_needs_both_or_the_word_of_the_operator(serve: dict[str, object], refused: str) -> None:
    errors = cross_key_errors(Settings(serve=ServeSettings.model_validate(serve)))
    assert [error.startswith(refused) for error in errors] == ([True] if refused else [])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (Debian: prometheus)")
def test_the_example_for_prometheus_is_valid() -> None:
    folder = Path(__file__).parents[3] / "deploy" / "prometheus"
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", folder / "prometheus.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
