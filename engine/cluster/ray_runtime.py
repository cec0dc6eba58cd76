"""Starts Ray's processes on this machine, closed to whoever has not the cluster's token."""

import contextlib
import hashlib
import importlib.util
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from engine.clock import monotonic_ns, ns
from engine.cluster.head_memory import PASSWORD_VARIABLE, check_redis, head_variables
from engine.cluster.members import NODE_LABEL
from engine.cluster.secret_files import require_secret
from engine.config.address import host_port
from engine.config.cluster import ClusterSettings
from engine.errors import ConfigError, PatrolError
from engine.runtime.log import logger

NAMESPACE = "patrol"
CONFIG_VARIABLE = "PATROL_CLUSTER_CONFIG"
"""Which configuration file the shards on a machine have: Ray's processes hand it down, so that no secret travels
through Ray."""
_VERSION_MIN = (2, 52)
"""The first version whose processes ask for a token; older ones run whatever anybody sends them (CVE-2023-48022)."""
_RECONNECT_S = 7 * 86_400
"""How long a machine goes on without Ray's head; Ray's own is a minute, after which it would end all that runs."""
_NOTICE = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
}
"""How soon Ray's head takes a machine for lost: after four asks in vain, a second apart, each of which may take two.
With Ray's own values it took 20 s. A machine that was only slow loses its shards, and gets others."""
_FORGOTTEN = "GCS returned an authentication error"
"""What Ray's process says before it ends because a head without memory took the place of the one that it knew."""
_DASHBOARD_NEEDS = ("aiohttp", "aiohttp_cors", "opencensus", "opentelemetry", "prometheus_client")
_TOKEN_BYTES = 32
_START_S = 60.0
_STOP_S = 10.0
_ASK_AGAIN_S = 0.2
_ALONE = ("127.0.0.1", "localhost", "::1")
"""Addresses with which no other machine can join."""
_NAME_DIGITS = 8
_STORE_BYTES = 80_000_000
"""Memory of Ray's object store; nothing is put there, and this is the least that Ray takes."""


def require_ray() -> None:
    """Raise ConfigError if Ray is not installed, or of a version that anybody could make run anything."""
    try:
        version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        raise ConfigError(
            "Ray is not installed, and several machines need it: pip install 'kitchen-patrol[cluster]'"
        ) from None
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < _VERSION_MIN:
        raise ConfigError(
            f"ray {version}: its processes run what anybody sends them; install {_VERSION_MIN[0]}.{_VERSION_MIN[1]} or "
            "later"
        )


def node_name(settings: ClusterSettings) -> str:
    """Return the name of this machine in the cluster."""
    return settings.node or socket.gethostname()


def token_file(settings: ClusterSettings, config: Path) -> Path:
    """Return the file with the cluster's token."""
    return Path(settings.token_file) if settings.token_file else config.absolute().parent / "ray_token"


def make_token(path: Path) -> None:
    """Make the token unless it is there; only this user can read it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_TOKEN_BYTES))
    logger().info("the cluster's token is new; copy this file to the other machines", path=str(path))


def environment(settings: ClusterSettings, config: Path, head: str = "") -> dict[str, str]:
    """Return the variables of Ray's processes. `head`: empty if it is this machine. Raises ConfigError if there is no
    token, or others can read it."""
    token = token_file(settings, config)
    require_secret(token, "cluster.token_file", "copy the token of the cluster there")
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token.absolute()),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(_RECONNECT_S),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        **_NOTICE,
        CONFIG_VARIABLE: str(config.absolute()),
        # Ray takes 127.0.0.1 for a mistake, and listens at all addresses instead, unless it is told that it is alone.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if settings.listen in _ALONE and not head else "1",
    }


class RayNode:
    """Ray's processes on this machine, until `close`. `head`: HOST:PORT of the head to join; empty: they are the
    head. `log`: what they say at the start and the end."""

    def __init__(self, settings: ClusterSettings, config: Path, cores: float, head: str = "") -> None:
        """Raises ConfigError if the settings, or the folder of Ray's files, are not fit for it; PatrolError if another
        head, or no Redis, is where they say."""
        if head and settings.listen in _ALONE:
            raise ConfigError(
                f"cluster.listen = {settings.listen!r}: no other machine can reach it; give this machine's address in "
                "the cluster's network"
            )
        if settings.listen not in _ALONE:
            logger().warning(
                "Ray's traffic is not encrypted; its network must be the cluster's own", at=settings.listen
            )
        self.address = head or f"{settings.listen}:{settings.port}"
        self._host_port = host_port(self.address)
        folder = own_folder(settings)
        self.log = folder / "ray.log"
        variables = environment(settings, config, head)
        if not head:
            variables |= self._begun(settings, folder, token_file(settings, config))
        start = ["engine.cluster.ray_start"] if PASSWORD_VARIABLE in variables else ["ray.scripts.scripts", "start"]
        with self.log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603 (what it runs is made here)
                [sys.executable, "-m", *start, "--block", *_arguments(settings, folder, cores, head)],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def _begun(self, settings: ClusterSettings, folder: Path, token: Path) -> dict[str, str]:
        """Make sure that the head can begin here; return its own variables. Raises ConfigError, PatrolError."""
        if self.head_answers:
            raise PatrolError(f"{self.address}: something listens there already; is it another `patrol cluster up`?")
        check_redis(settings)
        if settings.dashboard_listen:
            _require_dashboard()
        # Ray takes a machine that waits for this head for the head itself, if the head before is named here.
        (folder / "ray" / "ray_current_cluster").unlink(missing_ok=True)
        return head_variables(settings, token)

    def wait(self) -> None:
        """Wait until the head can be reached. Raises PatrolError."""
        give_up_ns = monotonic_ns() + ns(_START_S)
        while not self.head_answers:
            if not self.running:
                raise PatrolError(f"Ray did not start: {self._last_words()}")
            if monotonic_ns() > give_up_ns:
                raise PatrolError(f"Ray's head at {self.address} does not answer")
            time.sleep(_ASK_AGAIN_S)

    @property
    def head_answers(self) -> bool:
        """Whether the head can be reached; Ray itself would try for minutes."""
        try:
            with socket.create_connection(self._host_port, timeout=1.0):
                return True
        except OSError:
            return False

    @property
    def running(self) -> bool:
        """Whether they run."""
        return self._process.poll() is None

    def why_ended(self) -> str:
        """Return why they run no more."""
        if _FORGOTTEN in self.log.read_text(encoding="utf-8", errors="replace"):
            return (
                f"Ray's head at {self.address} began anew, and does not know this machine any more (with "
                "cluster.redis_address it would): its shards moved; start this again, and the machine joins anew"
            )
        return f"Ray's processes ended; {self.log} says why"

    def close(self) -> None:
        """End them, and with them the shards that this machine runs."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            logger().warning("Ray's processes do not end, and are killed")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _last_words(self) -> str:
        return " ".join(self.log.read_text(encoding="utf-8", errors="replace").split()[-40:])


def own_folder(settings: ClusterSettings) -> Path:
    """Return the folder of Ray's logs and sockets. Its name is short, since the path of a socket may have 107 bytes,
    and can be guessed, so that one that is there has to be this user's alone. Raises ConfigError."""
    name = hashlib.sha256(node_name(settings).encode()).hexdigest()[:_NAME_DIGITS]
    folder = Path("/tmp") / f"patrol-ray-{os.getuid()}-{name}"  # noqa: S108 (it is examined)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(f"{folder}: is not a folder of this user alone, and Ray's files belong there; remove it")
    return folder


def _require_dashboard() -> None:
    """Raise ConfigError if what Ray's dashboard needs is not installed: Ray would only write that into a log."""
    missing = [name for name in _DASHBOARD_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"cluster.dashboard_listen: Ray's dashboard needs {', '.join(missing)}; pip install 'ray[default]', or "
            "leave the key empty"
        )


def _dashboard(listen: str) -> list[str]:
    if not listen:
        return ["--include-dashboard=false"]
    host, port = host_port(listen)
    return ["--include-dashboard=true", f"--dashboard-host={host}", f"--dashboard-port={port}"]


def _arguments(settings: ClusterSettings, folder: Path, cores: float, head: str) -> list[str]:
    labels = {NODE_LABEL: node_name(settings), **settings.labels}
    own = (
        [f"--address={head}"]
        if head
        else [
            "--head",
            f"--port={settings.port}",
            f"--ray-client-server-port={settings.port + 1}",
            *_dashboard(settings.dashboard_listen),
        ]
    )
    return [
        *own,
        f"--node-ip-address={settings.listen}",
        f"--num-cpus={max(1, round(cores))}",
        f"--object-store-memory={_STORE_BYTES}",
        "--disable-usage-stats",
        "--include-log-monitor=false",
        "--labels=" + ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
        f"--temp-dir={folder}/ray",  # which Ray opens to everybody: the folder around it stays closed
    ]
