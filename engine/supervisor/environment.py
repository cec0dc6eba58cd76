"""What children inherit of the environment: all but proxies, or what a confined process needs. Pure.

Nobody configured a proxy who started the engine from a shell that has one: cameras and webhooks are reached directly.
"""

from collections.abc import Mapping

_NEEDED = frozenset(
    {
        "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF",
    }
)  # fmt: skip
_NEEDED_PREFIXES = ("LC_", "PYTHON", "NUMBA_", "OMP_", "MKL_", "OPENBLAS_", "MALLOC_", "COVERAGE_", "COV_")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""A process can be confined only while it has one thread; no kernel of ours uses linear algebra."""


def child_environment(environment: Mapping[str, str], *, serves_tls: bool = False) -> dict[str, str]:
    """Return the environment of a child: without http_proxy and its like, in whatever case, and with gRPC quiet.

    `serves_tls`: gRPC is to tell of handshakes that fail, which it does nowhere else; what it says beside that is left
    out where its lines are read (engine/supervisor/child_stderr.py).
    """
    kept = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    return {"GRPC_VERBOSITY": "INFO" if serves_tls else "ERROR", **kept}


def confined_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that is confined: what Python and its libraries read, and no secret that the
    operator keeps in a variable for the hub."""
    needed = {
        name: value for name, value in environment.items() if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)
    }
    return {**needed, **_ONE_THREAD}
