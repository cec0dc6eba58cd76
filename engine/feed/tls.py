"""TLS contexts for connections to cameras."""

import functools
import ssl


@functools.cache
def client_context(verify: bool) -> ssl.SSLContext:
    """Return a context with the system's authorities. `verify` False accepts any certificate."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
