"""Asks the engine that runs whether it is ready, at the address of its metrics."""

import http.client
from collections.abc import Iterator

from engine.config.address import host_port
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning

_ANSWER_S = 3.0
_BYTES_MAX = 16_384


def readiness(metrics_listen: str) -> tuple[int, str] | None:
    """Return status and text of /readyz; None if nobody answers."""
    if not metrics_listen:
        return None
    host, port = host_port(metrics_listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        reply = connection.getresponse()
        return reply.status, reply.read(_BYTES_MAX).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def examine(answer: tuple[int, str] | None, *, locked: bool) -> Iterator[Diagnosis]:
    """Judge the answer of /readyz. `locked`: some engine holds the database."""
    if answer is None:
        if locked:
            yield fault(
                "engine",
                "holds the database, and does not answer at serve.metrics_listen",
                "its log says why; if it is stuck, stop it (`systemctl restart patrol`)",
            )
        else:
            yield ok("engine", "does not run")
        return
    status, text = answer
    if status == 200:
        yield ok("engine", "runs and is ready")
    elif status == 503:
        yield fault("engine", f"is not ready: {text.replace(chr(10), '; ')}", "docs/operating.md#health, and the log")
    else:
        yield warning("engine", f"/readyz answers {status}", "something else listens at serve.metrics_listen")
