"""The county test's engine on three machines: three shards, and a front at the address that its clients know."""

import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from engine.client import CallError, PatrolClient
from engine.config import load
from engine.model.shard import ShardTask
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases
from engine.storage.db.store import Store
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.waiting import wait_until

_LEASE_S = 3.0


class CountyCluster:
    """Like county_day.PatrolProcess, but that `stop` loses the machine of the first county, and the front.

    `config`: of the engine alone at the same address, with a database of PostgreSQL and an archive.
    """

    def __init__(self, config: str, folder: Path, address: str, counties: list[str]) -> None:
        self.address = address
        self._config, self._folder, self._counties = config, folder, counties
        self.database_url = ""
        self._stack = ExitStack()
        self._engines: dict[int, ShardEngine] = {}
        self._front: subprocess.Popen[bytes] | None = None
        self._machines = 0

    def start(self, token: str = "") -> None:
        """Start the engines of shards that none runs, each on a machine of its own, and a front; return once it answers
        for all."""
        if not self.database_url:
            self.database_url = load(self._file("front", self.address)).record.url
            Store.open(self.database_url).close()
            database = connect(parse_url(self.database_url))
            Leases(database).assign({county: number for number, county in enumerate(self._counties, 1)})
            database.dispose()
        for number in range(1, len(self._counties) + 1):
            if number not in self._engines:
                self._engines[number] = self._engine(number)
        for engine in self._engines.values():
            engine.addresses()
        command = [sys.executable, "-m", "engine.cli", "front", "--config", str(self._file("front", self.address))]
        self._front = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with PatrolClient(self.address, token=token, timeout_s=5) as client:

            def answers() -> bool:
                try:
                    client.status()
                    return True
                except CallError as error:
                    if error.status != "UNAVAILABLE":
                        raise
                    return False

            wait_until(answers, 60, what="an answer of the front", poll_s=0.1)

    def stop(self) -> None:
        """Lose the machine of the first county with its disk, and the front."""
        lost = self._engines.pop(1)
        lost.send_all(signal.SIGKILL)
        lost.process.wait()
        shutil.rmtree(lost.log.parent)
        self._stop_front()

    def close(self) -> None:
        """End all that runs."""
        self._stop_front()
        self._stack.close()

    def _stop_front(self) -> None:
        if self._front is not None:
            self._front.kill()
            self._front.wait()
            self._front = None

    def _engine(self, number: int) -> ShardEngine:
        self._machines += 1
        name = f"machine-{self._machines}"
        settings = load(self._file(name, "127.0.0.1:0"))
        return self._stack.enter_context(ShardEngine(settings, ShardTask(number, name, _LEASE_S), self._folder / name))

    def _file(self, name: str, address: str) -> Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        text = self._config.replace(f'grpc_listen = "{self.address}"', f'grpc_listen = "{address}"')
        path = folder / "patrol.toml"
        path.write_text(text.replace("{machine}", str(folder)), encoding="utf-8")
        return path
