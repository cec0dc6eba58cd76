"""A Ray cluster that somebody else runs on this machine: a head without cores, and a machine with some."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import wait_until

HEAD, WORKER = "127.0.0.3", "127.0.0.4"
_START_S = 120


class ExistingRay:
    """The cluster. `address`, `client_address`: of its head, and of its server for clients. `mode`: of its tokens."""

    def __init__(self, folder: Path, stack: ExitStack, mode: str = "token") -> None:
        self._folder, self._stack, self._mode = folder, stack, mode
        self._files = Path(tempfile.mkdtemp(prefix="patrol-ray-"))  # short: the paths of sockets are
        stack.callback(shutil.rmtree, self._files, ignore_errors=True)
        self.token = folder / "token"
        self.token.touch(0o600)
        self.token.write_text("0123456789abcdef" * 4)
        port, client_port = free_port(), free_port()
        self.address, self.client_address = f"{HEAD}:{port}", f"ray://{HEAD}:{client_port}"
        self._start(
            "head", "--head", f"--port={port}", f"--ray-client-server-port={client_port}", "--num-cpus=0",
            f"--node-ip-address={HEAD}", "--include-dashboard=false",
        )  # fmt: skip
        self._start(
            "worker", f"--address={self.address}", "--num-cpus=1", f"--node-ip-address={WORKER}",
            "--node-name=worker-1", "--labels=city=1301",
        )  # fmt: skip

    def _start(self, name: str, *arguments: str) -> None:
        log = self._folder / f"{name}.log"
        variables = {
            "RAY_AUTH_MODE": self._mode,
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # addresses of the loopback interface are different machines
        }
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments,
                 "--object-store-memory=80000000", "--include-log-monitor=false", "--disable-usage-stats",
                 f"--temp-dir={self._files}/ray"],
                env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=file, stderr=file, process_group=0,
            )  # fmt: skip
        self._stack.callback(_stop, process)
        wait_until(lambda: "runtime started" in log.read_text() or process.poll() is not None, _START_S)
        assert process.poll() is None, log.read_text()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
