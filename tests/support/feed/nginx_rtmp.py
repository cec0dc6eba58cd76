"""Runs nginx with its RTMP module on loopback."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import wait_until

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
APPS = (
    "application live { live on; wait_key on; } "
    "application strict { live on; idle_streams off; } "
    "application closed { live on; deny play all; } "
)
"""`live` lets callers wait for a stream that nobody publishes, `strict` refuses them, `closed` refuses everybody."""


@contextlib.contextmanager
def nginx_rtmp(folder: Path) -> Iterator[str]:
    """Serve APPS; yields rtmp://127.0.0.1:PORT. Skips the test where nginx is missing."""
    if shutil.which("nginx") is None or not MODULE.exists():
        pytest.skip("needs nginx with RTMP: apt-get install nginx libnginx-mod-rtmp")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/log;\n"
        "events { worker_connections 64; }\n"
        f"rtmp {{ server {{ listen 127.0.0.1:{port}; {APPS} }} }}\n"
    )
    with subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL) as process:

        def listens() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                return True
            return False

        try:
            wait_until(listens, 5, what=f"nginx, whose log is at {folder / 'log'}")
            yield f"rtmp://127.0.0.1:{port}"
        finally:
            process.kill()
