"""Settings of the intake: what gateways push, for which cameras each may, and what waits for a worker."""

from engine.config.setting import Section, key


class GatewaySettings(Section):
    """One gateway, by the name of its key file, with the cameras it may push for."""

    name: str = key(
        ...,
        "Name of its key file in `curve_clients_dir`, without `.key`.",
        pattern=r"^[^/\x00-\x1f]{1,100}$",
    )
    regions: tuple[str, ...] = key(
        (), "GB/T 2260 codes of 2, 4 or 6 digits: it may push for the cameras within these regions.", max_length=1000
    )
    cameras: tuple[str, ...] = key((), "Ids of single cameras that it may push for as well.", max_length=10_000)


class IntakeSettings(Section):
    """How keyframes arrive, and wait for a worker."""

    listen: str = key(
        "tcp://127.0.0.1:7701",
        "ZeroMQ PULL address that gateways push to; empty: no gateways. A front has none unless its file gives this "
        "key.",
        hot=False,
        file_only=True,
    )
    curve_secret_file: str = key(
        "",
        "CURVE key pair of the server, as written by zmq.auth.create_certificates; needed to listen on a public "
        "address.",
        hot=False,
        file_only=True,
    )
    curve_clients_dir: str = key(
        "",
        "Directory with the public keys of the gateways that may push, one file NAME.key each; it is read again every "
        "2 s, and a key that is gone is refused at once, on open connections too.",
        hot=False,
        file_only=True,
    )
    gateways: tuple[GatewaySettings, ...] = key(
        (),
        "For which cameras each gateway may push; one table `[[intake.gateways]]` each. As soon as there is one, a key "
        "without a table may push for none; while there is none, every key may push for every camera with `push`.",
        max_length=10_000,
        file_only=True,
    )
    push_ahead_max_s: float = key(
        300.0,
        "A pushed keyframe whose time is further ahead of our clock than this is refused.",
        unit="s",
        ge=0,
        le=86_400,
    )
    push_behind_max_s: float = key(
        14_400.0,
        "A pushed keyframe that is older than this is refused; a gateway may keep keyframes for so long while its line "
        "is down.",
        unit="s",
        ge=1,
        le=604_800,
    )
    connections_max: int = key(
        1024,
        "Most TCP connections of gateways at once, and at most a fourth of the descriptors that the hub may have. "
        "Beyond that those are closed that never said who they are, then those that were silent for longest; a gateway "
        "connects again by itself.",
        ge=1,
        le=65_536,
        hot=False,
        file_only=True,
    )
    queue_frames_max: int = key(
        2048,
        "Most keyframes that wait for a worker; at a front, for the engines of their shards. Half of the places are "
        "reserved for visits in flight, so it also limits those.",
        unit="frames",
        ge=1,
        le=100_000,
    )
    queue_bytes_max: int = key(
        268_435_456, "Most bytes that wait for a worker, or at a front.", unit="B", ge=8_388_608, le=17_179_869_184
    )
    payload_bytes_max: int = key(8_388_608, "Largest keyframe accepted.", unit="B", ge=65_536, le=8_388_608, hot=False)
    stale_after_s: float = key(30.0, "A keyframe that has waited longer than this is dropped.", unit="s", ge=1, le=3600)
