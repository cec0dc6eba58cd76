"""Examines the addresses that the engine listens on: are they free, and does the outside see more than it should."""

import errno
import socket
from collections.abc import Iterator

from engine.config.address import host_port, is_loopback
from engine.config.schema import Settings
from engine.doctor.diagnosis import Diagnosis, fault, ok


def listeners(settings: Settings) -> dict[str, str]:
    """Return the addresses by their key; empty ones are left out."""
    known = {
        "serve.grpc_listen": settings.serve.grpc_listen,
        "serve.metrics_listen": settings.serve.metrics_listen,
        "web.listen": settings.web.listen if settings.web.enabled else "",
        "intake.listen": settings.intake.listen,
    }
    return {key: address.removeprefix("tcp://") for key, address in known.items() if address}


def examine(settings: Settings, *, engine_runs: bool, tokens: int) -> Iterator[Diagnosis]:
    """Examine all addresses. `engine_runs`: an engine of this configuration runs, so that its ports are taken.
    `tokens`: how many are valid."""
    taken = False
    for key, address in listeners(settings).items():
        problem = None if engine_runs else _bindable(key, address)
        if problem is not None:
            taken = True
            yield problem
        if key in ("serve.grpc_listen", "web.listen") and not is_loopback(host_port(address)[0]) and not tokens:
            yield fault(
                "listeners",
                f"{key} = {address!r} is public, and there is no valid token",
                "make one: `patrol token create --name NAME --role admin`; or listen on 127.0.0.1",
            )
    if not taken:
        yield ok("listeners", "the engine's ports are its own" if engine_runs else "all ports are free")


def _bindable(key: str, address: str) -> Diagnosis | None:
    host, port = host_port(address)
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            return None
    except OSError as error:
        found = f"{key} = {address!r}: {error.strerror}"
        if error.errno == errno.EADDRINUSE:
            return fault("listeners", found, f"`ss -ltnp 'sport = :{port}'` names who listens there; or change {key}")
        if error.errno == errno.EACCES:
            return fault("listeners", found, f"ports below 1024 need a privilege; take a higher one in {key}")
        return fault("listeners", found, f"this machine does not have that address; correct {key}")
