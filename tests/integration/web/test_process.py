"""The gateway's own process: TLS, `patrol web`, callers that do not read, too many connections."""

import asyncio
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.errors import ConfigError
from engine.web import process, replies, streams
from engine.web.replies import PieceResponse
from engine.web.streams import ReplyStream, line_response
from patrol.v1 import patrol_pb2
from tests.support.certificates import certificate
from tests.support.ports import free_port
from tests.support.serve.served import county_cameras, serving
from tests.support.waiting import wait_until
from tests.support.web.gateway import gateway


def test_tls_to_callers_and_to_the_engine(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    files: dict[str, Any] = {"tls_cert_file": str(pem), "tls_key_file": str(tmp_path / "key.pem")}
    with serving(tmp_path, **files) as served:
        served.hub.put(*county_cameras(2))
        with gateway(served.address, pem.read_bytes(), **files) as address:
            trust = ssl.create_default_context(cafile=str(pem))
            reply = httpx.get(f"https://{address}/v1/cameras", verify=trust)
            assert (reply.status_code, len(reply.json()["cameras"])) == (200, 2)
            assert reply.headers["strict-transport-security"].startswith("max-age=")


def test_tls_files_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    from engine.config import Settings
    from engine.config.web import WebSettings
    from engine.web import process

    (tmp_path / "bad.pem").write_text("nothing")
    for file in ("bad.pem", "missing.pem"):
        path = str(tmp_path / file)
        web = WebSettings(listen="127.0.0.1:0", tls_cert_file=path, tls_key_file=path)
        with pytest.raises(ConfigError, match=r"web\.tls_"):
            process.serve(Settings(web=web), "127.0.0.1:1", b"", print, lambda _: None)


def test_patrol_web_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        listen = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "engine.cli", "web", "--listen", listen, "--server", served.address]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

        def answers() -> bool:
            try:
                return httpx.get(f"http://{listen}/v1/status").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, timeout_s=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr is not None
        said = process.stderr.read()
        assert listen in said
        assert "Traceback" not in said


def test_patrol_web_refuses_a_public_address_without_tls() -> None:
    command = [sys.executable, "-m", "engine.cli", "web", "--listen", "0.0.0.0:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "web.tls_cert_file" in done.stderr


async def never(_: Any) -> None:
    """A `send` or `receive` of somebody who neither reads nor writes."""
    await asyncio.Event().wait()


def test_a_caller_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "SEND_S", 0.05)
    monkeypatch.setattr(streams, "SEND_S", 0.05)
    closed = []

    async def verdicts() -> Any:
        try:
            while True:
                yield patrol_pb2.WatchVerdictsResponse(resume_token="t")
        finally:
            closed.append(True)

    async def scenario() -> None:
        response = PieceResponse(b"x" * 200_000, media_type="image/jpeg")
        with pytest.raises(TimeoutError):
            await response({"type": "http", "method": "GET"}, never, never)  # type: ignore[arg-type]
        stream = ReplyStream(verdicts(), asyncio.get_running_loop().create_future())
        await stream.begin(comes_again=False)
        begun: list[Any] = []

        async def first_only(message: Any) -> None:
            begun.append(message)
            if len(begun) > 1:
                await never(message)

        async with asyncio.timeout(5):
            await line_response(stream)({}, never, first_only)  # type: ignore[arg-type]

    asyncio.run(scenario())
    assert closed == [True]


def test_connections_are_bounded(tmp_path: Path) -> None:
    with serving(tmp_path) as served, gateway(served.address, connections_max=2) as address, httpx.Client() as http:
        with http.stream("GET", f"http://{address}/v1/verdicts:watch"), httpx.Client() as other:
            assert other.get(f"http://{address}/healthz").status_code == 503
        wait_until(lambda: httpx.get(f"http://{address}/healthz").status_code == 200)


def own_address() -> str:
    """Return an address of this machine that is not its loopback; empty if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if address.startswith("127.") else address


@pytest.mark.skipif(not own_address(), reason="needs an address beside the loopback")
def test_while_there_is_no_token_a_public_address_serves_only_this_machine(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    files: dict[str, Any] = {"tls_cert_file": str(pem), "tls_key_file": str(tmp_path / "key.pem")}
    with serving(tmp_path) as served, gateway(served.address, listen="0.0.0.0:0", **files) as address:
        port = address.rpartition(":")[2]
        with httpx.Client(verify=False) as http:
            assert http.get(f"https://127.0.0.1:{port}/v1/tokens").status_code == 200
            remote = f"https://{own_address()}:{port}"
            for headers in ({}, {"Authorization": "Bearer kp_guess"}, {"Host": "localhost"}):
                reply = http.get(f"{remote}/v1/tokens", headers=headers)
                assert (reply.status_code, reply.json()["error"]["status"]) == (401, "UNAUTHENTICATED"), headers
            assert http.get(f"{remote}/metrics").status_code == 403
            assert http.get(f"{remote}/healthz").status_code == 200


def test_replies_do_not_wait_for_the_callers_acknowledgement() -> None:
    nodelay = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nodelay.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def accept_one() -> None:
        with process.bind("127.0.0.1:0") as listener:
            async with await asyncio.start_server(note, sock=listener):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                await reader.read()
                writer.close()

    asyncio.run(accept_one())
    assert nodelay == [1]
