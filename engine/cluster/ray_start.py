"""Starts Ray's head with a password of Redis that no list of processes shows: `python -m engine.cluster.ray_start`.

`ray start --redis-password` puts it into the arguments of the head's processes and of all that these start, which every
user of the machine can read. Here Ray does not know it: gcs_server alone, which speaks with Redis, takes it from its
environment, as all programs with gflags can.
"""

import os
import sys
from pathlib import Path
from typing import Any

from ray._private import node as untyped_node
from ray._private import ray_constants as untyped_constants
from ray._private import services as untyped_services
from ray.scripts import scripts as untyped_scripts

from engine.cluster.head_memory import PASSWORD_VARIABLE

node: Any = untyped_node
constants: Any = untyped_constants
services: Any = untyped_services
scripts: Any = untyped_scripts
_FLAG = "redis_password"


def main() -> None:
    """Run `ray start` with the arguments of this process."""
    password = Path(os.environ.pop(PASSWORD_VARIABLE)).read_text(encoding="utf-8").strip()
    _hand_to_gcs_server(password)
    _hand_to_this_process(password)
    scripts.cli(["start", *sys.argv[1:]], prog_name="ray")


def _hand_to_gcs_server(password: str) -> None:
    start = services.start_ray_process

    def start_ray_process(command: list[str], process_type: str, *rest: Any, **named: Any) -> Any:
        if process_type == constants.PROCESS_TYPE_GCS_SERVER:
            command = [*command, f"--fromenv={_FLAG}"]
            named["env_updates"] = {**(named.get("env_updates") or {}), f"FLAGS_{_FLAG}": password}
        return start(command, process_type, *rest, **named)

    services.start_ray_process = start_ray_process


def _hand_to_this_process(password: str) -> None:
    """Ray asks Redis for the session of the head before."""
    ask = node.get_session_key_from_storage

    def get_session_key(host: str, port: int, user: str, _: str, *rest: Any) -> Any:
        return ask(host, port, user, password, *rest)

    node.get_session_key_from_storage = get_session_key


if __name__ == "__main__":
    main()
