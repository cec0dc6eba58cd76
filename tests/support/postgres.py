"""Runs temporary PostgreSQL servers from Debian's package, each behind a socket in its folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

_NUMBERS = count(1)
_START_S = 60


class PostgresServer:
    """A server; `database()` creates an empty database and returns its URL. `host`: where it listens too; empty: at its
    socket only."""

    def __init__(self, binaries: Path, folder: Path, prefix: list[str], host: str = "", port: int = 5432) -> None:
        self.folder, self.host, self.port = folder, host, port
        self._binaries = binaries
        self._prefix = prefix

    def init(self) -> None:
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "patrol", "-A", "trust", "-E", "UTF8", "--no-sync")
        if self.host:
            with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all,replication patrol samenet trust\n")

    def start(self) -> None:
        options = (
            f"-c listen_addresses={self.host} -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        )
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", str(_START_S), "-l",
                  str(self.folder / "log"), "-o", options, "start")  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        """Stop the server. `mode`: of pg_ctl; immediate is an abort without a checkpoint."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def copy_of(self, primary: "PostgresServer") -> None:
        """Become a standby of a server that runs; whatever there was is gone."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        source = f"host={primary.folder} port={primary.port} user=patrol"
        self._run("pg_basebackup", "-d", source, "-D", str(self.folder / "data"), "-R", "-c", "fast", "--no-sync")

    def promote(self) -> None:
        """Take over: a standby becomes the primary."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "promote")

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def database(self) -> str:
        name = f"patrol_{os.getpid()}_{next(_NUMBERS)}"
        with psycopg.connect(f"host={self.folder} user=patrol dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql+psycopg://patrol@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._prefix, str(self._binaries / program), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")


def missing() -> str:
    """Return why no server can run on this machine; empty if one can."""
    if _binaries() is None:
        return "needs PostgreSQL (Debian: postgresql)"
    if os.getuid() == 0 and (shutil.which("runuser") is None or not _has_user()):
        return "needs the user postgres, as PostgreSQL does not run as root"
    return ""


@contextmanager
def new_server(host: str = "", port: int = 5432) -> Iterator[PostgresServer]:
    """Make a server that is not started yet, and delete its folder afterwards."""
    binaries = _binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="patrol-pg-"))
    prefix = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    folder.chmod(0o755)
    try:
        yield PostgresServer(binaries, folder, prefix, host, port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server() -> Iterator[PostgresServer]:
    """Run a server with an empty cluster, and delete it afterwards."""
    with new_server() as server:
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def _binaries() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


def _has_user() -> bool:
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return False
    return True
