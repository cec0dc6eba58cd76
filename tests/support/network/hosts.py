"""Two hosts as network namespaces of this machine, joined by a link whose loss and delay a test sets. Needs root."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support.expect import present
from tests.support.network.relay import DEVICE

ROOT = Path(__file__).parents[3]
NEAR, FAR = "10.77.0.1", "10.77.0.2"
"""The addresses of the two hosts."""
_numbers = itertools.count(1)


class Hosts:
    """`near` and `far`: the namespaces' names."""

    def __init__(self, near: str, far: str, link: IO[str]) -> None:
        self.near = near
        self.far = far
        self._link = link

    def impair(self, loss: float, delay_s: float) -> None:
        """Lose this share of the packets, and delay the others, each way; ends a cut."""
        self._tell(f"{loss} {delay_s}")

    def cut(self) -> None:
        """Lose every packet."""
        self._tell("cut")

    def command(self, host: str, *words: str) -> list[str]:
        """Return the command line that runs a module of Python on a host."""
        return ["ip", "netns", "exec", host, sys.executable, "-m", *words]

    def _tell(self, line: str) -> None:
        self._link.write(line + "\n")
        self._link.flush()


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Make two hosts and a link without faults; skip the test where that is not allowed."""
    number = f"{os.getpid()}-{next(_numbers)}"
    near, far = f"patrol-near-{number}", f"patrol-far-{number}"
    with ExitStack() as stack:
        for host in (near, far):
            _run_or_skip("ip", "netns", "add", host)
            stack.callback(subprocess.run, ["ip", "netns", "del", host], check=False)
        if not Path("/dev/net/tun").exists():
            pytest.skip("needs /dev/net/tun")
        relay = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.network.relay", near, far],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            )
        )  # fmt: skip
        stack.callback(relay.kill)
        if present(relay.stdout).readline() != "ready\n":
            pytest.skip("needs the right to make a TUN device")
        for host, address in ((near, NEAR), (far, FAR)):
            for words in (f"addr add {address}/24 dev {DEVICE}", f"link set {DEVICE} up", "link set lo up"):
                subprocess.run(["ip", "-n", host, *words.split()], check=True)
        yield Hosts(near, far, present(relay.stdin))


def _run_or_skip(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"needs {command[0]} (Debian: iproute2): {error}")
    if done.returncode:
        pytest.skip(f"needs the right to make network namespaces: {done.stderr.strip()}")
