"""Opens the listener of metrics and health as the configuration says, and has what it refuses counted and audited."""

import contextlib
from collections.abc import Callable, Sequence

from engine.clock import seconds, wall_ns
from engine.config.serve import ServeSettings
from engine.metrics import Metrics
from engine.metrics.status_server import StatusServer
from engine.runtime.certificate import TlsFiles
from engine.runtime.metrics_password import metrics_password
from engine.serve.access.refusals import HANDSHAKE, METRICS_CONNECT, SCRAPE, Refusals


def serve_status(
    settings: ServeSettings,
    metrics: Metrics,
    unready: Callable[[], Sequence[str]],
    refusals: Refusals,
    stack: contextlib.ExitStack,
    targets: Callable[[], str] | None = None,
) -> str:
    """Return the address of metrics and health; empty if they are not served. `unready`, `targets`: as of
    StatusServer.

    Raises ConfigError if TLS files or password cannot be used, ListenError if the address cannot be bound.
    """
    if not settings.metrics_listen:
        return ""
    tls = TlsFiles("serve.metrics_tls", settings.metrics_tls_cert_file, settings.metrics_tls_key_file)

    def refused(reason: str, host: str) -> None:
        if reason == HANDSHAKE:
            metrics.handshakes_failed("metrics", 1)
        else:
            metrics.scrape_refused(reason)
        refusals.add(METRICS_CONNECT if reason == HANDSHAKE else SCRAPE, reason, host=host)

    def expires(expires_wall_ns: int) -> None:
        metrics.certificate(seconds(expires_wall_ns - wall_ns()), "metrics")

    server = StatusServer(
        metrics.wsgi_app(),
        unready,
        password=metrics_password(settings),
        tls=tls if tls.cert else None,
        refused=refused,
        expires=expires,
        targets=targets,
    )
    address = server.start(settings.metrics_listen)
    stack.callback(server.close)
    return address
