"""Settings of the listeners."""

from engine.config.setting import Section, key


class ServeSettings(Section):
    """Listeners. Outside loopback they need TLS, and a token in the database (`patrol token create`)."""

    grpc_listen: str = key("127.0.0.1:7702", "gRPC address, host:port.", hot=False)
    metrics_listen: str = key("127.0.0.1:7703", "Prometheus address, host:port; empty: none.", hot=False)
    metrics_public: bool = key(False, "Metrics may be read by all who reach metrics_listen.", hot=False)
    tls_cert_file: str = key("", "PEM certificate chain.", hot=False)
    tls_key_file: str = key("", "PEM private key.", hot=False)
    page_size_max: int = key(1000, "Largest page of a list call.", unit="rows", ge=1, le=10_000, hot=False)
    watchers_max: int = key(256, "Watch and check-now calls open at once.", ge=1, le=4096, hot=False)
    watch_queue_max: int = key(
        4096, "News kept in memory for all watchers; one that falls further behind is cut.", ge=16, le=65_536, hot=False
    )
    audit_days: int = key(400, "How long the audit log is kept.", unit="days", ge=1, le=10_000, hot=False)
