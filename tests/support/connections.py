"""TCP connections that say nothing, and whether a server has closed them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def opened(address: str, number: int) -> Iterator[list[socket.socket]]:
    """Open so many connections to host:port, which are closed at the end."""
    host, _, port = address.rpartition(":")
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(number)]


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has not closed the connection."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False
