"""The limit on open files: raises it, since the shells' usual 1,024 is less than a patrol has cameras under way, and
says how many of them callers may take."""

import resource

_LIMIT_MAX = 1 << 20
"""More than any process of the engine needs, and what kernels allow by default (fs.nr_open)."""


def raise_descriptor_limit() -> int:
    """Raise this process's soft limit on open files to the hard limit, and return it; children inherit it.

    Leaves the limit as it is where the system does not let it be raised.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = _LIMIT_MAX if hard == resource.RLIM_INFINITY else min(hard, _LIMIT_MAX)
    if soft == resource.RLIM_INFINITY or soft >= target:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):
        return soft
    return target


def connections_within(wanted: int, share: int = 2) -> int:
    """Return how many connections a listener may keep: `wanted`, but at most a half (or another `share`: 4 is a fourth)
    of the process's descriptors, so that database, evidence and the engine's own sockets always find one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft // share))
