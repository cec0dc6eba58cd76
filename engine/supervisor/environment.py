"""What children inherit of the environment: all but proxies. Pure.

Nobody configured a proxy who started the engine from a shell that has one: cameras and webhooks are reached directly.
"""

from collections.abc import Mapping


def child_environment(environment: Mapping[str, str], *, serves_tls: bool = False) -> dict[str, str]:
    """Return the environment of a child: without http_proxy and its like, in whatever case, and with gRPC quiet.

    `serves_tls`: gRPC is to tell of handshakes that fail, which it does nowhere else; what it says beside that is left
    out where its lines are read (engine/supervisor/child_stderr.py).
    """
    kept = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    return {"GRPC_VERBOSITY": "INFO" if serves_tls else "ERROR", **kept}
