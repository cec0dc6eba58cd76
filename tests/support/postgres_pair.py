"""A PostgreSQL primary with a synchronous standby that can take over, each at an address of its own."""

from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import psycopg

from tests.support.cluster.processes import descendants, kill_all
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer, new_server
from tests.support.waiting import wait_until

_NAME = "patrol"
_START_S = 60
_NUMBERS = count(1)


class PostgresPair:
    """Two servers, of which one is the primary. What it has acknowledged, the standby has too.

    `url`: finds the one that can be written to.
    """

    def __init__(self, hosts: tuple[str, str], stack: ExitStack) -> None:
        self._stack = stack
        self._primary, self._standby = self._new(hosts[0]), self._new(hosts[1])
        self._primary.init()
        self._start(self._primary)
        with closing(_connect(self._primary)) as connection:
            connection.execute(f"CREATE DATABASE {_NAME} TEMPLATE template0")
        both = "&".join(f"host={server.host}:{server.port}" for server in (self._primary, self._standby))
        self.url = f"postgresql+psycopg://patrol@/{_NAME}?{both}&target_session_attrs=read-write"
        self.add_standby()

    def fail_over(self) -> None:
        """Lose the primary at once; have the standby take over."""
        kill_all(descendants(self._primary.pid))
        self._standby.promote()
        with closing(_connect(self._standby)) as connection:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")  # else a commit waits for a standby
            connection.execute("SELECT pg_reload_conf()")
        self._primary, self._standby = self._standby, self._primary

    def add_standby(self) -> None:
        """Have the server that is none become the standby, from nothing, and wait until it has all."""
        self._standby.copy_of(self._primary)
        self._start(self._standby)
        with closing(_connect(self._primary)) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            wait_until(lambda: _is_synchronous(connection), _START_S)

    def _new(self, host: str) -> PostgresServer:
        return self._stack.enter_context(new_server(host, free_port()))

    def _start(self, server: PostgresServer) -> None:
        server.start()
        self._stack.callback(_stop, server)


def _stop(server: PostgresServer) -> None:
    if (server.folder / "data" / "postmaster.pid").exists() and Path(f"/proc/{server.pid}").exists():
        server.stop("immediate")


def _connect(server: PostgresServer) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(f"host={server.folder} port={server.port} user=patrol dbname=postgres", autocommit=True)


def _is_synchronous(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    return connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone() is not None
