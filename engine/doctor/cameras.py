"""Examines whether a sample of the cameras can be reached: names are resolved, and a TCP connection is opened."""

import random
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.feed.camera_url import DEFAULT_PORTS
from engine.model.camera import Camera

_THREADS = 16
_NAMED_MAX = 5


def sample(cameras: Sequence[Camera], size: int, seed: int) -> list[tuple[str, int]]:
    """Return host and port of up to `size` cameras that are visited, each address once."""
    addresses = {address for camera in cameras if not camera.push and (address := _address(camera.url)) is not None}
    draw = random.Random(seed)  # noqa: S311 (which cameras it is need not be a secret)
    return draw.sample(sorted(addresses), min(size, len(addresses)))


def examine(cameras: Sequence[Camera], size: int, timeout_s: float, seed: int) -> Iterator[Diagnosis]:
    """Connect to a sample, each within `timeout_s`."""
    addresses = sample(cameras, size, seed)
    if not addresses:
        return
    with ThreadPoolExecutor(_THREADS) as threads:
        failures = list(threads.map(lambda address: _failure(address, timeout_s), addresses))
    yield judge(addresses, failures)


def judge(addresses: Sequence[tuple[str, int]], failures: Sequence[str]) -> Diagnosis:
    """Judge what became of the connections. `failures`: why each failed, empty if it did not."""
    failed = [
        f"{host}:{port} ({why})" for (host, port), why in zip(addresses, failures, strict=True) if why
    ]  # fmt: skip
    found = f"{len(addresses) - len(failed)} of {len(addresses)} addresses accept a connection"
    if not failed:
        return ok("cameras", found)
    named = ", ".join(failed[:_NAMED_MAX]) + (", ..." if len(failed) > _NAMED_MAX else "")
    reasons = Counter(why for why in failures if why)
    remedy = _REMEDIES.get(reasons.most_common(1)[0][0], "`patrol check URL` says more of one camera")
    if len(failed) == len(addresses):
        return fault("cameras", f"{found}: {named}", remedy)
    return warning("cameras", f"{found}: {named}", remedy)


_REMEDIES = {
    "name unknown": "correct the host in the registry, or the name servers in /etc/resolv.conf",
    "no answer": "is the machine in the cameras' network (routes, VPN, firewall)? `patrol check URL` says more of one",
    "refused": "is the recorder up, is the port right? `patrol check URL` says more of one camera",
}


def _address(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return None
    return (host, port) if host and port else None


def _failure(address: tuple[str, int], timeout_s: float) -> str:
    try:
        socket.create_connection(address, timeout=timeout_s).close()
    except socket.gaierror:
        return "name unknown"
    except TimeoutError:
        return "no answer"
    except ConnectionRefusedError:
        return "refused"
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or "unusable host"
    return ""
