"""A Redis server of Debian's package, on its own port, in its own folder."""

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port
from tests.support.waiting import wait_until

_START_S = 60


def missing() -> str:
    """Return why no server can run on this machine; empty if one can."""
    return "" if shutil.which("redis-server") else "needs Redis (Debian: redis-server)"


class RedisServer:
    """The server, with a password that its file has. `host`: where it listens. `keys`: of [cluster], with which Ray's
    head uses it."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self._host = host
        self._folder = folder / "redis"
        self._folder.mkdir()
        self.port = free_port()
        self.password = f"secret-of-redis-{os.getpid()}"
        self.password_file = self._folder / "password"
        self.password_file.touch(0o600)
        self.password_file.write_text(f"{self.password}\n")
        self.keys = f"redis_address = '{host}:{self.port}'\nredis_password_file = '{self.password_file}'\n"
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once; what it has on disk stays."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again, with what it has on disk."""
        self.kill()
        self._start()

    def names(self) -> set[str]:
        """The names of all its entries."""
        return set(self._call("--raw", "keys", "*").split("\n")) - {""}

    def _start(self) -> None:
        config = self._folder / "redis.conf"
        config.write_text(
            f"port {self.port}\nbind {self._host}\ndir {self._folder}\nappendonly yes\nappendfsync always\n"
            f"logfile {self._folder}/log\nrequirepass {self.password}\n"
        )
        self._process = subprocess.Popen(["redis-server", str(config)], stdin=subprocess.DEVNULL)
        wait_until(lambda: self._process.poll() is None and self._call("ping").strip() == "PONG", _START_S)

    def _call(self, *arguments: str) -> str:
        command = ["redis-cli", "-h", self._host, "-p", str(self.port), *arguments]
        variables = {**os.environ, "REDISCLI_AUTH": self.password}
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False).stdout
