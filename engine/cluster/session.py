"""Speaks with a cluster from a command of this machine. Ray reads its variables (ray_runtime.environment) when it is
imported: set them before this module is.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray as untyped_ray

from engine.clock import monotonic_ns, ns
from engine.cluster.actors import KEEPER, asks_for_token, keeper
from engine.cluster.ray_runtime import NAMESPACE
from engine.cluster.shard_runner import STOP_S
from engine.errors import ConfigError, PatrolError

ray: Any = untyped_ray
_CLIENT = "ray://"
_ANSWER_S = 10.0
_JOIN_S = 60.0
_LEAVE_S = 30.0
_ASK_AGAIN_S = 0.5


@contextmanager
def connected(address: str, listen: str, runs: Callable[[], bool] | None = None) -> Iterator[None]:
    """Be connected to the cluster whose head is at HOST:PORT, or whose server for clients is at ray://HOST:PORT.
    `listen`: the address of this machine, which is one of the cluster's; empty: Ray finds it. `runs`: whether Ray's
    processes run that were just started here; they get time to begin. Raises PatrolError if the cluster does not
    answer."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        give_up_ns = monotonic_ns() + (0 if runs is None else ns(_JOIN_S))
        while True:
            try:
                _connect(address, listen)
                break
            except PatrolError:
                if runs is None or not runs() or monotonic_ns() > give_up_ns:
                    raise
                ray.shutdown()
                time.sleep(_ASK_AGAIN_S)
        yield
    finally:
        ray.shutdown()
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray sets its own, and the default ones at its end


def _connect(address: str, listen: str) -> None:
    options: dict[str, Any] = {"address": address, "namespace": NAMESPACE}
    if address.startswith(_CLIENT):
        options |= {"logging_level": logging.WARNING}
    else:
        options |= {"log_to_driver": False, "configure_logging": False, "_node_ip_address": listen or None}
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, OSError, ValueError, ray.exceptions.RayError) as error:
        why = str(error).strip().partition("\n")[0]
        raise PatrolError(f"the cluster at {address} does not answer this machine: {why}") from error


def require_token() -> None:
    """Raise ConfigError if the cluster runs what anybody sends it, or cannot run the engine."""
    try:
        asks = ray.get(ray.remote(asks_for_token).options(num_cpus=0).remote(), timeout=6 * _ANSWER_S)
    except ray.exceptions.RayError as error:
        raise ConfigError(
            f"the cluster cannot run the engine: {str(error).strip().splitlines()[-1]}; its machines need this version "
            "of kitchen-patrol[cluster], in the Python that runs Ray"
        ) from error
    if not asks:
        raise ConfigError(
            "the cluster asks nobody for a token, so that whoever reaches it can run anything there; start Ray with "
            "RAY_AUTH_MODE=token on all machines"
        )


def start_keeper(config: Path) -> None:
    """Start the keeper unless it runs. `config`: the file of machines whose environment names none. Raises
    PatrolError."""
    _ask(keeper(str(config.absolute())).state.remote(), 6 * _ANSWER_S)


def end_keeper() -> dict[int, bool]:
    """Have all shards given back, and end the keeper; return which ran, and whether each was given back in order.
    Raises PatrolError."""
    actor = _keeper()
    shards: dict[int, bool] = _ask(actor.end.remote(), STOP_S + 3 * _ANSWER_S)
    ray.kill(actor)
    return shards


def keeper_state() -> dict[str, Any]:
    """Return what the keeper knows. Raises PatrolError if there is none."""
    state: dict[str, Any] = _ask(_keeper().state.remote())
    return state


def wait_for_node(name: str, runs: Callable[[], bool]) -> None:
    """Wait until the keeper knows a node. `runs`: whether its processes do. Raises PatrolError after a minute, or if
    they have ended."""
    give_up_ns = monotonic_ns() + ns(_JOIN_S)
    while name not in {node["name"] for node in keeper_state()["nodes"]}:
        if not runs():
            raise PatrolError("Ray's processes ended; ray.log in their folder says why")
        if monotonic_ns() > give_up_ns:
            raise PatrolError(
                f"the cluster does not know {name} after {_JOIN_S:.0f} s; ray.log in its folder may say why"
            )
        time.sleep(_ASK_AGAIN_S)


def drain(node: str) -> list[int]:
    """Have a node's shards run elsewhere; return which it had. Raises PatrolError."""
    shards: list[int] = _ask(_keeper().drain.remote(node))
    return shards


def leave(node: str) -> None:
    """Have a node's shards run elsewhere, and wait until they have left it, or for a while. Raises PatrolError."""
    drain(node)
    give_up_ns = monotonic_ns() + ns(_LEAVE_S)
    while node in keeper_state()["running"].values() and monotonic_ns() < give_up_ns:
        time.sleep(_ASK_AGAIN_S)


def readmit(node: str) -> None:
    """Place shards on a node again. Raises PatrolError."""
    _ask(_keeper().readmit.remote(node))


def _keeper() -> Any:
    try:
        return ray.get_actor(KEEPER, namespace=NAMESPACE)
    except ValueError as error:
        raise PatrolError("no keeper places shards on this cluster; `patrol cluster up` starts it") from error


def _ask(answer: Any, within_s: float = _ANSWER_S) -> Any:
    try:
        return ray.get(answer, timeout=within_s)
    except ray.exceptions.RayError as error:
        raise PatrolError(f"the keeper does not answer: {str(error).strip().splitlines()[-1]}") from error
