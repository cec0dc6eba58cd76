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
    shard_tls_name: str = key(
        "",
        "The name in the certificates of the shards, if it is the same for all; empty: the host in each address.",
        max_length=253,
        hot=False,
        file_only=True,
    )
