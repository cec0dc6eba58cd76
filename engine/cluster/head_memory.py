"""Where Ray's head keeps what it knows, so that one that begins anew knows the machines that went on without it: Redis,
if the configuration names one."""

import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path

from engine.cluster.secret_files import read_secret
from engine.config.address import host_port
from engine.config.cluster import ClusterSettings
from engine.errors import ConfigError, PatrolError

PASSWORD_VARIABLE = "PATROL_REDIS_PASSWORD_FILE"  # noqa: S105 (the name of a variable)
"""Tells engine.cluster.ray_start where the password is."""
_ANSWER_S = 5.0
_ANSWER_BYTES_MAX = 4096
_END = b"\r\n"
_NAMESPACE_DIGITS = 16


def head_variables(settings: ClusterSettings, token: Path) -> dict[str, str]:
    """Return the variables that only the head's processes need. `token`: the file with the cluster's."""
    if not settings.redis_address:
        return {}
    variables = {"RAY_REDIS_ADDRESS": settings.redis_address, "RAY_external_storage_namespace": namespace(token)}
    if settings.redis_password_file:
        variables[PASSWORD_VARIABLE] = str(Path(settings.redis_password_file).absolute())
    return variables


def namespace(token: Path) -> str:
    """Return the cluster's own name in Redis: clusters whose tokens differ do not see each other's entries there, and a
    head on whatever machine finds its own again."""
    digest = hashlib.sha256(b"patrol:" + token.read_bytes().strip()).hexdigest()
    return f"patrol-{digest[:_NAMESPACE_DIGITS]}"


def check_redis(settings: ClusterSettings) -> None:
    """Ask Redis whether it answers this machine; Ray itself would try for minutes, and not say why.

    Raises ConfigError if the password file is not fit, or Redis wants another; PatrolError if nothing answers.
    """
    if not settings.redis_address:
        return
    asks = [_command("PING")]
    if settings.redis_password_file:
        file = Path(settings.redis_password_file)
        password = read_secret(file, "cluster.redis_password_file", "give the file with the password of Redis")
        asks.insert(0, _command("AUTH", password))
    where = f"cluster.redis_address = {settings.redis_address!r}"
    try:
        answer = _exchange(host_port(settings.redis_address), asks)
    except OSError as error:
        raise PatrolError(
            f"{where}: Redis does not answer: {error.strerror or error}; start it, or correct the address"
        ) from error
    wrong = next((line[1:] for line in answer.splitlines() if line.startswith("-")), "")
    if wrong:
        raise ConfigError(f"{where}: Redis says {wrong!r}; cluster.redis_password_file has its password")
    if not answer.endswith("+PONG"):
        raise ConfigError(f"{where}: what answers there is not Redis")


def _exchange(address: tuple[str, int], asks: Sequence[bytes]) -> str:
    answer = b""
    with socket.create_connection(address, timeout=_ANSWER_S) as connection:
        connection.sendall(b"".join(asks))
        while answer.count(_END) < len(asks) and len(answer) < _ANSWER_BYTES_MAX:
            received = connection.recv(_ANSWER_BYTES_MAX)
            if not received:
                break
            answer += received
    return answer.decode(errors="replace").strip()


def _command(*words: str) -> bytes:
    parts = [b"$%d" % len(word) + _END + word + _END for word in (word.encode() for word in words)]
    return b"*%d" % len(parts) + _END + b"".join(parts)
