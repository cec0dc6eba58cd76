"""Settings of the servers: gRPC API and metrics."""

from typing import ClassVar, Literal

from engine.config.setting import Section, key


class ServeSettings(Section):
    """The gRPC API and metrics. A public gRPC address needs TLS and a token (`patrol token create`)."""

    all_file_only: ClassVar[bool] = True

    grpc_listen: str = key("127.0.0.1:7702", "Address of the gRPC server, host:port.", hot=False)
    metrics_listen: str = key(
        "127.0.0.1:7703", "Address of /metrics, /healthz and /readyz, host:port; empty: none.", hot=False
    )
    metrics_public: bool = key(
        False,
        "Everybody who can reach `metrics_listen` may read the metrics, and whether the engine is ready.",
        hot=False,
    )
    tls_cert_file: str = key(
        "",
        "PEM file with the certificate chain. It and the files below are read again within seconds when they change.",
        hot=False,
    )
    tls_key_file: str = key("", "PEM file with the private key.", hot=False)
    tls_client_ca_file: str = key(
        "",
        "PEM file of the authority whose certificates callers of gRPC must have, beside their token (mTLS); empty: "
        "they need none.",
        hot=False,
    )
    page_size_max: int = key(1000, "Most rows on one page of a list call.", unit="rows", ge=1, le=10_000, hot=False)
    watchers_max: int = key(256, "Most watch and check-now calls open at once.", ge=1, le=4096, hot=False)
    watch_queue_max: int = key(
        4096,
        "Most events kept in memory for all watchers; a watcher that falls further behind is disconnected.",
        ge=16,
        le=65_536,
        hot=False,
    )
    reflection: Literal["token", "open", "off"] = key(
        "token",
        "Who may ask the server which services and messages there are (gRPC reflection, which grpcurl uses): callers "
        "with a token, everybody (`open`), or nobody.",
        hot=False,
    )
    connections_max: int = key(
        512,
        "Most gRPC connections at once, and at most half of the descriptors that the process may have; more are "
        "closed. The HTTP gateway's own do not count.",
        ge=1,
        le=65_536,
        hot=False,
    )
    audit_days: int = key(
        400, "How long the audit log keeps changes, and attempts at changes.", unit="days", ge=1, le=10_000, hot=False
    )
    audit_reads_days: int = key(
        90,
        "How long the audit log keeps what changed nothing: pictures that were shown, and refused calls.",
        unit="days",
        ge=1,
        le=10_000,
        hot=False,
    )
