"""Keeps the engine of one shard running on this machine, as a process of its own, so that nothing of Ray is in it.

An engine that stands still is replaced: its lease has run out by then, and nobody else visits its cameras.

The engine ends when whoever runs this does, in whatever way, and gives the shard back. It is configured by the file of
this machine, read anew at each start.
"""

import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from engine.cluster.ray_runtime import CONFIG_VARIABLE
from engine.cluster.shard_process import order_of
from engine.cluster.shard_settings import at_address, shard_settings
from engine.config import load
from engine.errors import PatrolError
from engine.model.shard import ShardTask
from engine.runtime.log import logger
from engine.storage.db.database import DatabaseUnavailableError, require_answer

STOP_S = 15.0
_RESTART_S = 1.0
SILENT_LEASES = 2
"""Leases after which an engine that says nothing stands still."""
DATABASE_S = 2
"""How long the database may take to answer, each of its hosts."""


def config_here(config: str) -> Path:
    """Return the configuration file of this machine: what its environment says; otherwise the path of the others."""
    return Path(os.environ.get(CONFIG_VARIABLE, config))


class ShardRunner:
    """The engine of a shard, started again whenever it ends, until `stop`. Any thread may call.

    `node`, `address`: name and address of this machine in the cluster. `config`: path of the configuration file on
    machines whose environment does not say another.
    """

    def __init__(self, shard_no: int, node: str, address: str, config: str) -> None:
        self._shard_no, self._node, self._address = shard_no, node, address
        self._config = config_here(config)
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._addresses: dict[str, str] = {}
        self._starts = 0
        self._reaches_database = True
        self._logged = ""
        self._thread = threading.Thread(target=self._keep, name="shard", daemon=True)
        self._thread.start()

    def state(self) -> dict[str, Any]:
        """Return the shard's node, its engine's addresses (empty while it does not run), how often it started, and
        whether the database could be reached when it was to start."""
        return {
            "node": self._node,
            "addresses": self._addresses,
            "starts": self._starts,
            "database": self._reaches_database,
        }

    def stop(self) -> bool:
        """End the engine, which gives the shard back; return whether it ended in time. One that does not run is not
        waited for."""
        self._stopping.set()
        process = self._process
        if process is None:
            return True
        if process.stdin is not None:
            process.stdin.close()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            process.kill()
            return False
        return True

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self._run()
            except (PatrolError, OSError, ValueError) as error:
                # A file with a typo, a database that is away, an engine that ended before it was told what to run.
                self._log_once(str(error))
            self._process, self._addresses = None, {}
            self._stopping.wait(_RESTART_S)

    def _log_once(self, detail: str) -> None:
        """Say why the engine does not start; not again at each of the next tries."""
        if detail != self._logged:
            logger().error("the engine of a shard does not start", shard=self._shard_no, detail=detail)
        self._logged = detail

    def _run(self) -> None:
        """Run the engine once, unless `stop` was called. Raises PatrolError, OSError, or ValueError if `stop`
        closed its pipe."""
        settings = at_address(load(self._config), self._address)
        try:
            require_answer(settings.record.url, DATABASE_S)
        except DatabaseUnavailableError:
            self._reaches_database = False
            raise
        self._reaches_database = True
        task = ShardTask(self._shard_no, self._node, settings.cluster.lease_s)
        if self._stopping.is_set():
            return
        self._starts += 1
        self._logged = ""
        with subprocess.Popen(
            [sys.executable, "-m", "engine.cluster.shard_process"],
            env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},  # a token, too
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            self._process = process
            if process.stdin is None or process.stdout is None:
                return
            process.stdin.write(order_of(shard_settings(settings, self._shard_no), task))
            process.stdin.flush()
            if self._stopping.is_set():
                process.stdin.close()
            line = process.stdout.readline()
            self._addresses = json.loads(line) if line else {}
            limit_s = SILENT_LEASES * task.lease_s
            while line:
                if not select.select([process.stdout], [], [], limit_s)[0]:
                    logger().error("the engine of a shard stands still; it is replaced", shard=self._shard_no)
                    process.kill()  # its processes end with it, whatever they are stuck in
                line = process.stdout.readline()
            process.wait()
