"""The link: carries packets between the TUN devices of two network namespaces, and loses and delays some.

    python -m tests.support.network.relay NAMESPACE NAMESPACE

It does in a process what tc netem does in kernels that have it. Lines on stdin say what the link does from then on:
`LOSS DELAY_S` (of each packet, each way), or `cut`. It prints `ready`, and ends with its stdin.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x1001
_CLONE_NEWNET = 0x40000000
_PACKET_BYTES_MAX = 65_536
_WAITING_MAX = 20_000
DEVICE = "link0"


def main() -> None:
    """Carry packets until stdin ends."""
    ends = [_open_device(namespace) for namespace in sys.argv[1:3]]
    loss, delay_s, is_cut = 0.0, 0.0, False
    dice, numbers = random.Random(1), itertools.count()
    waiting: list[tuple[float, int, int, bytes]] = []
    print("ready", flush=True)
    while True:
        wait_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select([0, *ends], [], [], wait_s)
        if 0 in readable:
            words = os.read(0, 1000).decode().split("\n")
            if words == [""]:
                return
            is_cut = words[-2] == "cut"
            if not is_cut:
                loss, delay_s = map(float, words[-2].split())
        now_s = time.monotonic()
        for number, end in enumerate(ends):
            if end in readable:
                packet = os.read(end, _PACKET_BYTES_MAX)
                if not is_cut and dice.random() >= loss and len(waiting) < _WAITING_MAX:
                    heapq.heappush(waiting, (now_s + delay_s, next(numbers), ends[1 - number], packet))
        while waiting and waiting[0][0] <= now_s:
            _, _, to, packet = heapq.heappop(waiting)
            if not is_cut:
                with suppress(OSError):  # a device that is down loses it
                    os.write(to, packet)


def _open_device(namespace: str) -> int:
    """Make the device in a namespace; return its descriptor. It stays there when this process goes on to another."""
    with Path(f"/run/netns/{namespace}").open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _TUN_WITHOUT_HEADER))
    return device


if __name__ == "__main__":
    main()
