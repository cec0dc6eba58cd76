"""Runs a temporary PostgreSQL cluster from Debian's package, behind a socket in its folder."""

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
    """A cluster; `database()` creates an empty database and returns its URL."""

    def __init__(self, binaries: Path, folder: Path, prefix: list[str]) -> None:
        self.folder = folder
        self._binaries = binaries
        self._prefix = prefix

    def init(self) -> None:
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "patrol", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", str(_START_S), "-l",
                  str(self.folder / "log"), "-o", options, "start")  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        """Stop the server. `mode`: of pg_ctl; immediate is an abort without a checkpoint."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

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
def server() -> Iterator[PostgresServer]:
    """Run a server and delete its cluster afterwards."""
    binaries = _binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="patrol-pg-"))
    prefix = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    folder.chmod(0o755)
    server = PostgresServer(binaries, folder, prefix)
    try:
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
