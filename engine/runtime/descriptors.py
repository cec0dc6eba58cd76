"""How many files and sockets this process may have open, and how many of them its callers may take."""

import resource


def connections_within(wanted: int) -> int:
    """Return how many connections a listener may keep: `wanted`, but at most half of the process's descriptors, so that
    database, evidence and the engine's own sockets always find one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft // 2))
