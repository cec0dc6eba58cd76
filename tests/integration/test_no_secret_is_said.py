"""A whole engine with cameras that hold a secret in every form: nothing that it says, writes or shows has it."""

import json
import re
import secrets
import socketserver
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.config import load
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.digest import DigestQuery
from engine.storage.db.passwords.keys import source_of
from engine.storage.db.store import Store
from tests.support.secrets import VENDOR_URLS
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

_HOST = re.compile(r"10\.0\.0\.1(?::\d+)?|media\.example")


class _Echo(socketserver.BaseRequestHandler):
    """Answers with what it was asked, as servers do that tell their callers more than is good."""

    def handle(self) -> None:
        asked = self.request.recv(65_536).decode("latin-1")
        line = " ".join(asked.split())[:2000]
        protocol = "RTSP/1.0" if "RTSP/" in asked else "HTTP/1.1"
        numbers = re.search(r"(?i)cseq: *\d+", asked)
        head = f"{protocol} 404 no such stream: {line}\r\n{numbers.group() if numbers else 'X: 1'}\r\n"
        self.request.sendall(f"{head}Content-Length: 0\r\n\r\n".encode("latin-1"))


@contextmanager
def echo_server() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def configuration(folder: Path) -> Path:
    config = folder / "patrol.toml"
    config.write_text(
        f'[record]\nurl = "sqlite:///{folder}/var/p.db"\nevidence_dir = "{folder}/var/ev"\n'
        f'quarantine_dir = "{folder}/var/q"\nkey_file = "{folder}/patrol.key"\n'
        '[web]\nlisten = "127.0.0.1:0"\n[intake]\nlisten = "tcp://127.0.0.1:0"\n[worker]\ncount = 1\nspare = false\n'
        '[serve]\ngrpc_listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"\n'
        "[feed]\ndeadline_s = 6\nconnect_timeout_s = 3\n[ledger]\noffline_min_h = 0\n"
        "[scheduler]\nconfirm_spacing_s = 1\n"
        "key_period_s = 3\nordinary_period_s = 3\nsuspicious_period_s = 3\nbackoff_stream_first_s = 2\n"
        "backoff_connect_first_s = 2\nbackoff_lasting_first_s = 2\nbackoff_max_s = 3\noutage_cameras_min = 1000\n"
        '[log]\nlevel = "debug"\nformat = "json"\n'
    )
    return config


@contextmanager
def engine(config: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    command = [sys.executable, "-m", "engine.cli", "run", "--config", str(config)]

    def ready() -> dict[str, str] | None:
        lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
        return next((line for line in lines if line.get("event") == "ready" and "grpc" in line), None)

    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr) as process:
        try:
            yield process, wait_until(ready, 90, what="the engine is ready")
        finally:
            process.terminate()
            process.wait(30)


def kitchen_day() -> date:
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def said_by_commands(config: Path, server: str, secret: str, camera: str) -> Iterator[str]:
    commands: list[list[str]] = [
        ["cameras", "list", "--server", server, "--wide"], ["cameras", "list", "--server", server, "--json"],
        ["cameras", "show", camera, "--server", server, "--json"], ["cameras", "export", "-", "--server", server],
        ["cameras", "show", camera, "--config", str(config)], ["verdicts", camera, "--server", server],
        ["config", "show", "--config", str(config)], ["audit", "--server", server],
        ["cameras", "add", "x", "--url", f"rtsp://admin:{secret}@h:port/1", "--server", server],
        ["cameras", "add", "x", "--url", f"rtsp://admin:{secret} @h/1", "--server", server],
        ["cameras", "add", "x", "--url", f"gopher://{secret}@h/1", "--server", server],
        ["check", f"rtsp://127.0.0.1:1/user=admin_password={secret}_channel=1", "--json"],
    ]  # fmt: skip
    for words in commands:
        done = subprocess.run(
            [sys.executable, "-m", "engine.cli", *words], capture_output=True, text=True, check=False, timeout=120
        )
        yield f"{words}".replace(secret, "the secret") + done.stdout + done.stderr


def said_by_api(client: PatrolClient, addresses: dict[str, str], secret: str) -> Iterator[str]:
    for status in client.cameras():
        camera_id = status.camera.camera_id
        yield repr(status)
        yield repr(list(client.verdicts(camera_id, 10)))
    for finding in client.findings.list():
        yield repr(finding)
        yield repr(list(client.findings.events(finding.finding_id)))
    client.update_camera(Camera("c00", f"rtsp://new:{secret}@127.0.0.1:1/1", name=f"rtsp://a:{secret}@h"), ["url"])
    wrong = f"rtsp://admin:{secret}@h:port/x"
    for call in (
        lambda: client.create_camera(Camera("bad", wrong)),
        lambda: client.create_camera(Camera("bad", f"rtsp://a:{secret} b@h/1")),
        lambda: client.camera(wrong),
        lambda: client.apply_config(f'[record]\nurl = "{wrong}"\nx = 1\n'),
        lambda: client.diff_config(f'[record]\nurl = "postgresql://a:{secret}@h/d"\n'),
        lambda: client.update_camera(Camera("c00", f"rtsp://***@other/1?token={secret}"), ["url"]),
    ):
        with pytest.raises(CallError) as caught:
            call()
        yield f"{caught.value} {caught.value.violations} {caught.value.metadata}"
    yield repr(list(client.access.audit_entries(AuditQuery())))
    yield repr(client.findings.digest(DigestQuery("1301", day=kitchen_day(), with_html=True)))
    for path in ("/v1/cameras", "/v1/findings", "/v1/cameras/c01", "/v1/auditEntries"):
        request = urllib.request.Request(f"http://{addresses['web']}{path}")
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                yield reply.read().decode()
        except urllib.error.HTTPError as error:
            yield error.read().decode()
    with urllib.request.urlopen(f"http://{addresses['metrics']}/metrics", timeout=30) as reply:
        yield reply.read().decode()


def said_to_the_system(pid: int) -> Iterator[str]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    for process in (str(pid), *listed.stdout.split()):
        for name in ("cmdline", "environ"):
            yield Path(f"/proc/{process}/{name}").read_bytes().decode("latin-1")


@pytest.mark.timeout(400)
def test_no_secret_is_said(tmp_path: Path) -> None:
    secret = f"Zq7{secrets.token_hex(5)}X9"
    config = configuration(tmp_path)
    settings = load(config)
    with echo_server() as port:
        cameras = [
            Camera(f"c{number:02}", _HOST.sub(f"127.0.0.1:{port}", url.format(secret), count=1), region="130102")
            for number, url in enumerate(VENDOR_URLS)
        ]
        store = Store.open(settings.record.url, source_of(settings.record))
        store.registry.upsert(cameras)
        store.close()
        log = tmp_path / "log"
        with engine(config, log) as (process, addresses), PatrolClient(addresses["grpc"], timeout_s=60) as client:

            def judged() -> bool:
                return all(status.latest is not None for status in client.cameras())

            wait_until(judged, 120, what="a verdict on every camera")
            wait_until(lambda: list(client.findings.list()), 60, what="a finding")
            said = [*said_by_api(client, addresses, secret), *said_to_the_system(process.pid)]
            said += said_by_commands(config, addresses["grpc"], secret, "c01")
            assert any("no such stream" in text for text in said)  # what the servers echo does arrive
        said.append(log.read_text())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"p.db", "patrol.key", "log"} <= {path.name for path in files}
    said += [f"{path.name}: {path.read_bytes().decode('latin-1')}" for path in files]
    assert [text[:300] for text in said if secret in text] == []
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "var").rglob("*") if path.is_file()}
    assert set(modes.values()) <= {"0o600"}, modes


def test_an_engine_takes_the_rights_of_others_and_says_so(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    settings = load(config)
    (tmp_path / "var" / "ev").mkdir(parents=True)
    (tmp_path / "var").chmod(0o755)
    store = Store.open(settings.record.url, source_of(settings.record))
    store.access.create_token(TokenOrder("a", Role.ADMIN), "test", wall_ns())
    store.close()
    (tmp_path / "var" / "p.db").chmod(0o644)
    log = tmp_path / "log"
    with engine(config, log):
        pass
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    changed = {Path(line["path"]).name: line["mode"] for line in lines if line["event"].startswith("others could read")}
    assert {"p.db": "0600", "ev": "0700", "var": "0700"}.items() <= changed.items()
