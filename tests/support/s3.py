"""A real store that speaks S3: rclone serves a folder as one, each folder in it is a bucket."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import wait_until

KEY, SECRET = "patrol-test", "not-a-secret-of-anybody"


class S3Server:
    """`folder`: has the buckets. It can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve the folder, until `stop`."""
        program = Path(sys.executable).with_name("rclone")
        login, listen = ("--auth-key", f"{KEY},{SECRET}"), ("--addr", f"127.0.0.1:{self.port}")
        self._process = subprocess.Popen(
            [program, "serve", "s3", *login, *listen, "--config", "/dev/null", str(self.folder)],
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, 20)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """End it; what it has stored stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def s3_server(folder: Path, bucket: str) -> Iterator[S3Server]:
    """Serve a folder with one bucket while the block runs."""
    (folder / bucket).mkdir(parents=True)
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
