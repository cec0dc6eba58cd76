"""Which addresses webhooks may have. Pure."""

from engine.feed.destinations import Address, Destinations

_NO_NETWORKS = Destinations(())


def is_refused(host: str, address: Address) -> bool:
    """Return whether a webhook to `host`, which resolves to `address`, must not be sent there.

    An address of this machine or its surroundings (loopback, link-local, a cloud's metadata) is refused unless the URL
    gives it literally, as the operator may who writes the configuration; a name that resolves to one is not enough.
    """
    return _NO_NETWORKS.refusal(host, address, named=True) is not None
