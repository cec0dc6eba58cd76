"""Settings of the feeders and demuxers: how a camera is visited."""

from typing import Literal

from engine.config.setting import Section, key


class FeedSettings(Section):
    """How cameras are visited."""

    schemes: tuple[str, ...] = key(
        ("rtsp", "rtsps", "rtmp", "http", "https"),
        "URL schemes that a camera may have. Add `file` only if the registry is under your control: it reads "
        "local files.",
        file_only=True,
    )
    demux_protocols: tuple[str, ...] = key(
        ("tcp", "tls", "http", "https", "rtmp", "hls", "crypto"),
        "Protocols that demuxers may use; `crypto` is encrypted HLS. The engine opens every connection itself, so "
        "`httpproxy`, `udp` and `rtp`, which FFmpeg could use, mean nothing any more.",
        hot=False,
        file_only=True,
    )
    deadline_s: float = key(12.0, "Longest duration of a visit, enforced outside FFmpeg.", unit="s", ge=0.5, le=120)
    connect_timeout_s: float = key(5.0, "Longest time until the TCP connection is open.", unit="s", ge=0.1, le=60)
    rtsp_transport: Literal["tcp", "udp"] = key(
        "tcp", "How RTP is carried: interleaved in the RTSP connection (tcp), or over UDP."
    )
    rtsp_fallback: bool = key(
        False,
        "An RTSP visit that ends in protocol_error or unsupported_codec is made once more through FFmpeg, in the time "
        "that is left of `deadline_s` but at least 1 s; it takes MJPEG over RTSP, and servers that bend the protocol. "
        "Needs `demuxers` above 0. `patrol check` does the same.",
    )
    allowed_networks: tuple[str, ...] = key(
        (),
        "Networks (CIDR, like 10.20.0.0/16) that a camera may lead to by a redirect or a playlist, beside the host and "
        "port of its own URL. Loopback, link-local and metadata addresses need an entry of their own, such as "
        "127.0.0.0/8: a wider network does not include them.",
        max_length=1000,
        file_only=True,
    )
    visit_bytes_max: int = key(
        134_217_728,
        "Most bytes that one visit receives, all that an HLS stream takes included; a server that sends more and no "
        "keyframe is a `flood`.",
        unit="B",
        ge=16_777_216,
        le=17_179_869_184,
    )
    redirects_max: int = key(3, "Most redirects (RTSP, HTTP) followed in one visit.", ge=0, le=10)
    tls_verify: bool = key(False, "Check the certificates of RTSPS and HTTPS cameras. Few cameras have valid ones.")
    visits_per_feeder_max: int = key(
        1000, "Most visits in flight in one feeder process.", ge=1, le=10_000, hot=False, file_only=True
    )
    feeders: int = key(
        1,
        "Number of feeder processes, which visit RTSP cameras (asyncio).",
        ge=1,
        le=64,
        hot=False,
        file_only=True,
    )
    demuxers: int = key(
        1,
        "Number of demuxer processes, which visit cameras of all other protocols (PyAV).",
        ge=0,
        le=64,
        hot=False,
        file_only=True,
    )
    demux_threads: int = key(
        16, "Most visits in flight in one demuxer process.", ge=1, le=256, hot=False, file_only=True
    )
    demux_stuck_max: int = key(
        4, "A demuxer process with this many stuck threads is replaced.", ge=1, le=64, hot=False, file_only=True
    )
    demuxer_memory_max: int = key(
        1_073_741_824,
        "Most memory of a demuxer process. Near it, the visit that holds most ends as `flood`, and the process is "
        "replaced when its other visits have ended; the kernel refuses it twice as much.",
        unit="B",
        ge=268_435_456,
        le=68_719_476_736,
        hot=False,
        file_only=True,
    )
