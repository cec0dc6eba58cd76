"""RTSP servers in a process of their own: good ones, silent ones, and ones that flood whoever visits them.

    with rtsp_peers() as port:      rtsp://127.0.0.1:{port}/good, /options, /frames, ...

The path chooses what the server does. `python -m tests.support.feed.rtsp_peers [ADDRESS]` prints the port and serves
until its stdin ends.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from engine.model.keyframe import Codec
from tests.support.expect import present
from tests.support.feed.clips import encode, scene
from tests.support.feed.rtp_packets import interleave, rtp, stream

_BODY = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
_OPTIONS = b"OPTIONS rtsp://h/1 RTSP/1.0\r\nCSeq: 7\r\n\r\n"
_LATE = b"RTSP/1.0 200 OK\r\nCSeq: 9999\r\n\r\n"
FLOODS: dict[str, bytes] = {
    "options": _OPTIONS * 2000,
    "late": _LATE * 2000,
    "frames": b"$\x00\x00\x00" * 16_000,
    "other_channel": (b"$\x09\x00\x04abcd") * 8_000,
    "slices": interleave([rtp(b"\x41\x9a" + bytes(20), number, number, True) for number in range(2000)]),
    "audio": interleave([rtp(bytes(160), number, number, True, payload_type=8) for number in range(2000)]),
    "fragments": interleave([rtp(b"\x7c\x05" + bytes(1300), number, 90, False) for number in range(200)]),
    "endless_fragments": interleave([rtp(b"\x7c\x85" + bytes(1300), number, 90, False) for number in range(200)]),
    "parameter_sets": interleave(
        [rtp(b"\x68" + number.to_bytes(3, "big") + bytes(9), number, 90, False) for number in range(4000)]
    ),
    "digits": b"$\x00\x00\x0d" + bytes([0x80, 0xE0]) + bytes(11),
    "noise": bytes(65_536),
    "noise_without_end": b"RTSP" * 4000,
}
"""By path: what the server sends after PLAY, again and again."""


def main() -> None:
    """Serve until stdin ends."""
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    with socket.create_server((address, 0), backlog=1024) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        print(server.getsockname()[1], flush=True)
        sys.stdin.read()
    os._exit(0)


@contextlib.contextmanager
def rtsp_peers() -> Iterator[int]:
    """Start the servers; gives their port."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "tests.support.feed.rtsp_peers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        try:
            yield int(present(process.stdout).readline())
        finally:
            process.kill()


def _accept(server: socket.socket) -> None:
    pictures = encode(Codec.H264, [scene(128, 96, seed) for seed in range(1, 5)], gop=2)
    good = interleave(stream(Codec.H264, pictures[1:], mtu=300))
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, good), daemon=True).start()


def _serve(connection: socket.socket, good: bytes) -> None:
    with connection, contextlib.suppress(OSError):
        request = connection.recv(4000)
        name = request.split(b" ")[1].rpartition(b"/")[2].decode()
        if name == "silent":
            while connection.recv(4000):
                pass
            return
        length = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
        connection.sendall(length + _BODY)
        for sequence in (2, 3):
            connection.recv(4000)
            connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: %d\r\nSession: 1\r\n\r\n" % sequence)
        if name == "good":
            connection.sendall(good)
            while connection.recv(4000):
                pass
            return
        while True:
            connection.sendall(FLOODS[name])


if __name__ == "__main__":
    main()
