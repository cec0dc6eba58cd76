"""Settings of `patrol front`, the one door to several machines."""

from engine.config.setting import Section, key


class FrontSettings(Section):
    """How a front calls the shards. Where it listens, and with which certificate, is in `serve`."""

    shard_tls_ca_file: str = key(
        "",
        "PEM file of the authority that signed the certificates of the shards; empty: the shards answer without TLS.",
        hot=False,
        file_only=True,
    )
    shard_queue_frames_max: int = key(
        512,
        "Where gateways push to the front: most keyframes that wait for the engine of one shard. Of all shards "
        "together at most `intake.queue_frames_max` wait, none longer than `intake.stale_after_s`.",
        unit="frames",
        ge=1,
        le=100_000,
        hot=False,
        file_only=True,
    )
    shard_queue_bytes_max: int = key(
        67_108_864,
        "Most bytes of keyframes that wait for the engine of one shard; of all together `intake.queue_bytes_max`.",
        unit="B",
        ge=16_777_216,
        le=17_179_869_184,
        hot=False,
        file_only=True,
    )
    shard_tls_name: str = key(
        "",
        "The name in the certificates of the shards, if it is the same for all; empty: the host in each address.",
        max_length=253,
        hot=False,
        file_only=True,
    )
