"""Settings of the servers: gRPC API and metrics."""

from typing import ClassVar, Literal

from engine.config.setting import Section, key


class ServeSettings(Section):
    """The gRPC API and metrics. A public gRPC address needs TLS and a token (`patrol token create`)."""

    all_file_only: ClassVar[bool] = True

    grpc_listen: str = key("127.0.0.1:7702", "Address of the gRPC server, host:port.", hot=False)
    metrics_listen: str = key(
        "127.0.0.1:7703",
        "Address of /metrics, /healthz and /readyz, and of /sd at a front, host:port; empty: none.",
        hot=False,
    )
    metrics_tls_cert_file: str = key(
        "",
        "PEM file with the certificate chain of `metrics_listen`; it may be that of gRPC. Empty: no TLS. It and the "
        "files below are read again within seconds when they change.",
        hot=False,
    )
    metrics_tls_key_file: str = key("", "PEM file with the private key.", hot=False)
    metrics_password_file: str = key(
        "",
        "File with the password of the metrics, 16 characters or more; scrapes send it as Bearer token, or with any "
        "user as Basic. Empty: none. /healthz and /readyz need none.",
        hot=False,
    )
    metrics_password_env: str = key(
        "", "Name of the environment variable that has the password, in place of the file.", hot=False
    )
    metrics_public: bool = key(
        False,
        "`metrics_listen` may be a public address without TLS and a password: everybody who can reach it may read the "
        "metrics, and whether the engine is ready.",
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
    token_calls_per_s_max: float = key(
        200.0,
        "Most calls a second with one token, on average; more are refused with RESOURCE_EXHAUSTED (HTTP 429) and the "
        "time to wait. 0: no limit.",
        unit="1/s",
        ge=0,
        le=100_000,
        hot=False,
    )
    address_calls_per_s_max: float = key(
        1000.0,
        "The same for all calls of one address, with whatever token; of IPv6, for all addresses of a /64 network. "
        "Raise it if a proxy stands before the engine, behind which all callers have one address.",
        unit="1/s",
        ge=0,
        le=100_000,
        hot=False,
    )
    failed_calls_per_s_max: float = key(
        10.0,
        "The same for calls of one address without a valid token; they never keep out calls with one.",
        unit="1/s",
        ge=0,
        le=100_000,
        hot=False,
    )
    calls_burst_s: float = key(
        10.0,
        "For how many seconds' worth of these limits calls may come at once, after a pause.",
        unit="s",
        ge=0.1,
        le=600,
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
