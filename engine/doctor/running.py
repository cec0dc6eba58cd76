"""Asks the engine that runs whether it is ready, at the address of its metrics."""

import http.client
import ssl
from collections.abc import Iterator

from engine.config.address import host_port
from engine.config.serve import ServeSettings
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.errors import ConfigError
from engine.runtime.metrics_password import metrics_password

_ANSWER_S = 3.0
_BYTES_MAX = 16_384


def readiness(settings: ServeSettings) -> tuple[int, str] | None:
    """Return status and text of /readyz; None if nobody answers.

    The password goes only to a listener that shows the certificate of the configuration; without it the reasons are
    missing.
    """
    if not settings.metrics_listen:
        return None
    if not settings.metrics_tls_cert_file:
        return _ask(settings, None, _password(settings))
    try:
        pinned = ssl.create_default_context(cafile=settings.metrics_tls_cert_file)
    except (OSError, ssl.SSLError):
        answer = None
    else:
        pinned.check_hostname = False  # it is asked by its address
        pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        answer = _ask(settings, pinned, _password(settings))
    if answer is not None:
        return answer
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    return _ask(settings, unverified, "")


def _ask(settings: ServeSettings, context: ssl.SSLContext | None, password: str) -> tuple[int, str] | None:
    host, port = host_port(settings.metrics_listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_S)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=_ANSWER_S, context=context)
    try:
        connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {password}"} if password else {})
        reply = connection.getresponse()
        return reply.status, reply.read(_BYTES_MAX).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _password(settings: ServeSettings) -> str:
    """Return the password of the metrics; empty if there is none, or this user may not read it."""
    try:
        password = metrics_password(settings)
        return "" if password is None else password.text()
    except ConfigError:
        return ""


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
