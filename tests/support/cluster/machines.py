"""Machines of a test: network namespaces with an address each, where this machine allows them."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

_NOBODY = "02:00:00:00:00:fe"
"""An address of the network's lowest layer that no machine has: what is sent there is lost without a word."""
_BRIDGE, _NETWORK = "patrolt{0}", "10.97.{0}."
_SERVICES = 3
_FIRST = 11


@dataclass(frozen=True, slots=True)
class Machine:
    """`address`: of the machine in the cluster's network. `prefix`: of commands that run there."""

    name: str
    address: str
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """`machines`: by name. `services`: addresses outside of them, for a database and such; each can be cut off from a
    machine alone. `has_cuts`: whether `cut` can be called."""

    machines: Mapping[str, Machine]
    services: Sequence[str]
    has_cuts: bool = True

    @classmethod
    def on_loopback(cls, names: Sequence[str]) -> Self:
        """Machines that share the addresses of this one, and cannot be cut off."""
        return cls({name: Machine(name, "127.0.0.2") for name in names}, ("127.0.0.1",) * _SERVICES, has_cuts=False)

    @classmethod
    def make(cls, names: Sequence[str], stack: ExitStack) -> Self:
        """Make a namespace for each machine, until `stack` ends, on a bridge that this machine is on too. Without the
        rights for it: `on_loopback`."""
        if os.getuid() or shutil.which("ip") is None:
            return cls.on_loopback(names)
        for number in range(1, 255):
            bridge = _BRIDGE.format(number)
            if _ip("link", "add", bridge, "type", "bridge"):
                break
        else:
            return cls.on_loopback(names)
        stack.callback(_ip, "link", "del", bridge)
        network = _NETWORK.format(number)
        services = [f"{network}{last}" for last in range(1, _SERVICES + 1)]
        _require(*(_ip("addr", "add", f"{address}/24", "dev", bridge) for address in services))
        _require(_ip("link", "set", bridge, "up"))
        machines = {}
        for last, name in enumerate(names, _FIRST):
            space, near = f"patrol-{os.getpid()}-{last}", f"pt{os.getpid()}v{last}"
            if not _ip("netns", "add", space):
                return cls.on_loopback(names)
            stack.callback(_ip, "netns", "del", space)
            _require(
                _ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", space),
                _ip("link", "set", near, "master", bridge, "up"),
                _ip("-n", space, "addr", "add", f"{network}{last}/24", "dev", "eth0"),
                _ip("-n", space, "link", "set", "eth0", "up"),
                _ip("-n", space, "link", "set", "lo", "up"),
            )
            machines[name] = Machine(name, f"{network}{last}", ("ip", "netns", "exec", space))
        return cls(machines, services)

    def cut(self, name: str, addresses: Sequence[str]) -> None:
        """From now on nothing that a machine sends to these addresses arrives; of machines: in both directions."""
        self._each_way(_lose, name, addresses)

    def mend(self, name: str, addresses: Sequence[str]) -> None:
        """End a cut."""
        self._each_way(_find, name, addresses)

    def _each_way(self, change: Callable[[Machine, str], bool], name: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            _require(change(self.machines[name], address))
            for other in self.machines.values():
                if other.address == address:
                    _require(change(other, self.machines[name].address))


def _lose(machine: Machine, address: str) -> bool:
    return _ip(
        "-n", machine.prefix[-1], "neigh", "replace", address, "lladdr", _NOBODY, "dev", "eth0", "nud", "permanent"
    )


def _find(machine: Machine, address: str) -> bool:
    return _ip("-n", machine.prefix[-1], "neigh", "del", address, "dev", "eth0")


def _ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


def _require(*done: bool) -> None:
    assert all(done), "a network of this test could not be made"
