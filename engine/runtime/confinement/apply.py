"""Confines this process by a policy, as far as the kernel can."""

import contextlib
import resource
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.errors import ConfigError
from engine.runtime.confinement import landlock, seccomp
from engine.runtime.confinement.landlock import Access
from engine.runtime.confinement.system_call import renounce_new_privileges

ConfineMode = Literal["auto", "required", "off"]
PRIVILEGES, FILES, SYSTEM_CALLS = "privileges", "files", "system_calls"
PARTS = (PRIVILEGES, FILES, SYSTEM_CALLS)
"""no_new_privs, Landlock, seccomp."""
_NETWORK = (socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_NETLINK", 16))
_WITHOUT = {
    PRIVILEGES: "no_new_privs",
    FILES: "Landlock: Linux 5.13 and later, with landlock among its security modules",
    SYSTEM_CALLS: "seccomp, on x86_64 or aarch64",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What a process keeps. `readable`: files and folders. `network`: it may open connections. `listens`: it may listen
    on ports that the system chooses."""

    readable: frozenset[Path]
    network: bool = False
    listens: bool = False

    @property
    def families(self) -> tuple[int, ...]:
        """The families of sockets that it may open; those of this machine until the hub is reached."""
        return (socket.AF_UNIX, *(_NETWORK if self.network else ()))


@dataclass(slots=True)
class Confined:
    """What was done to this process. `parts`: those of PARTS that are in force."""

    families: tuple[int, ...] = ()
    parts: frozenset[str] = frozenset()
    _reached: bool = field(default=False, init=False)

    def hub_reached(self) -> None:
        """Open no more sockets of this machine: to be called once those to the hub are connected.

        Other services listen on such sockets and trust whoever reaches them: the hub's own calls, a database.
        """
        if not self._reached and SYSTEM_CALLS in self.parts:
            with contextlib.suppress(OSError):  # the filter that is in force stays
                seccomp.refuse_local_sockets(self.families)
        self._reached = True

    def report(self) -> dict[str, bool]:
        """Return for each of PARTS whether it is in force."""
        return {part: part in self.parts for part in PARTS}


def offered() -> frozenset[str]:
    """Return which of PARTS the kernel offers."""
    parts = set()
    if landlock.version():
        parts |= {PRIVILEGES, FILES}
    if seccomp.is_offered():
        parts |= {PRIVILEGES, SYSTEM_CALLS}
    return frozenset(parts)


def missing() -> list[str]:
    """Return what the kernel does not offer, in words."""
    return [_WITHOUT[part] for part in (FILES, SYSTEM_CALLS) if part not in offered()]


def require(mode: ConfineMode) -> None:
    """Raise ConfigError if `mode` is "required", and the kernel does not offer all."""
    if mode == "required" and (parts := missing()):
        raise ConfigError(_refusal([f"the kernel offers no {part}" for part in parts]))


def confine(policy: Policy, mode: ConfineMode) -> Confined:
    """Confine this process and all threads it will start; to be called while it has one.

    What is in force cannot be undone. Raises ConfigError if `mode` is "required" and a part is not to be had.
    """
    if mode == "off":
        return Confined()
    # A dump holds passwords of cameras. No other limit helps: processes are refused by the filter, files by Landlock,
    # and a limit on the size of files would end the log.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    require(mode)
    possible = offered()
    done: set[str] = set()
    try:
        if possible:
            renounce_new_privileges()
            done.add(PRIVILEGES)
        if FILES in possible:
            landlock.restrict(Access(policy.readable, policy.network, policy.listens))
            done.add(FILES)
        if SYSTEM_CALLS in possible:
            seccomp.restrict(policy.families)
            done.add(SYSTEM_CALLS)
    except OSError as error:
        if mode == "required":
            raise ConfigError(_refusal([f"the kernel refuses it: {error}"])) from error
    return Confined(policy.families, frozenset(done))


def _refusal(failures: Sequence[str]) -> str:
    return (
        f"runtime.confine = 'required': {'; '.join(failures)}; use a kernel that offers it, or set runtime.confine to "
        "'auto' to run with what there is"
    )
