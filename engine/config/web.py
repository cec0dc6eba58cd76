"""Settings of the web process: the HTTP gateway and the web console."""

from typing import ClassVar

from engine.config.setting import Section, key


class WebSettings(Section):
    """The web console (docs/console.md), and the API over HTTP and JSON (docs/http.md). A public address needs TLS and
    a token (`patrol token create`).
    """

    all_file_only: ClassVar[bool] = True

    enabled: bool = key(True, "Whether `patrol run` starts the web process.", hot=False)
    listen: str = key("127.0.0.1:7704", "Address of the HTTP server, host:port.", hot=False)
    tls_cert_file: str = key(
        "",
        "PEM file with the certificate chain. It and `tls_key_file` are read again within seconds when they change.",
        hot=False,
    )
    tls_key_file: str = key("", "PEM file with the private key.", hot=False)
    hosts: tuple[str, ...] = key(
        (),
        "Names by which callers may address the server, beside localhost and its own address. Needed behind a proxy. "
        "With a public address and no names here, every name is taken.",
        hot=False,
    )
    cors_origins: tuple[str, ...] = key(
        (), "Origins whose pages may call the API from a browser, such as https://console.example.", hot=False
    )
    console: bool = key(True, "Whether the web console is served beside the API.", hot=False)
    session_hours: float = key(
        12.0,
        "How long a sign-in to the console lasts; it is renewed while the user works.",
        unit="h",
        ge=0.1,
        le=720,
        hot=False,
    )
    session_key_file: str = key(
        "",
        "File with the key that seals the console's sessions; it is made if there is none. Empty: `patrol run` has "
        "it beside `record.evidence_dir` (`sessions.key`), `patrol web` makes a key at each start, which ends all "
        "sessions.",
        hot=False,
    )
    behind_tls: bool = key(
        False,
        "Whether a proxy before the server speaks TLS with browsers; they then send the console's cookie over TLS "
        "only.",
        hot=False,
    )
    map_file: str = key(
        "",
        "GeoJSON file with the areas of the console's map: a FeatureCollection of polygons whose property `code` or "
        "`adcode` is a region code of GB/T 2260; at most 20 MB and 5,000 features. Empty: regions are shown as tiles.",
        hot=False,
    )
    deadline_s: float = key(
        30.0, "Deadline of a call without the header Grpc-Timeout.", unit="s", ge=0.1, le=60, hot=False
    )
    body_bytes_max: int = key(
        1_048_576, "Largest JSON body, or line of an import.", unit="B", ge=65_536, le=16_777_216, hot=False
    )
    import_bytes_max: int = key(
        67_108_864, "Largest import, as lines of JSON.", unit="B", ge=65_536, le=1_073_741_824, hot=False
    )
    calls_max: int = key(64, "Most calls at once; more are refused with 503.", ge=1, le=4096, hot=False)
    uploads_max: int = key(
        4,
        "Most claims at once whose photographs make the body larger than `body_bytes_max`; more are refused with 503. "
        "Each takes up to 60 MB of memory.",
        ge=1,
        le=64,
        hot=False,
    )
    streams_max: int = key(200, "Most watches and checks at once; more are refused with 503.", ge=1, le=4096, hot=False)
    connections_max: int = key(
        1024,
        "Most connections at once, and at most half of the descriptors that the process may have. Beyond it the one "
        "that has waited longest without a request is closed; if none waits, more are refused with 503.",
        ge=1,
        le=65_536,
        hot=False,
    )
