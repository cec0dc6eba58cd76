"""A gateway in one page: extracts keyframes from a file or URL and pushes them into the engine's intake.

    python examples/gateway.py CAMERA_ID SOURCE [--intake tcp://127.0.0.1:7701 ...] [--count 10]

The protocol is documented in proto/patrol/v1/feed.proto; any language with ZeroMQ and Protocol Buffers can speak it.
"""

import argparse
import time
from collections.abc import Iterator

import av
import zmq

from patrol.v1 import feed_pb2

CODECS: dict[str, tuple[feed_pb2.Codec, str | None]] = {
    "h264": (feed_pb2.CODEC_H264, "h264_mp4toannexb"),
    "hevc": (feed_pb2.CODEC_H265, "hevc_mp4toannexb"),
    "mjpeg": (feed_pb2.CODEC_MJPEG, None),
}


def keyframes(source: str) -> Iterator[tuple[feed_pb2.Codec, bytes]]:
    """Yield codec number and payload of each keyframe; H.264 and H.265 as Annex-B with their parameter sets."""
    with av.open(source) as container:
        stream = container.streams.video[0]
        codec, to_annex_b = CODECS[stream.codec_context.name]
        annex_b = av.BitStreamFilterContext(to_annex_b, stream) if to_annex_b else None
        for packet in container.demux(stream):
            for unit in annex_b.filter(packet) if annex_b else [packet]:
                if unit.is_keyframe and unit.size:
                    yield codec, bytes(unit)


def main() -> None:
    """Push one keyframe a second, and print a line for each."""
    parser = argparse.ArgumentParser(description="Push keyframes into the patrol engine.")
    parser.add_argument("camera_id", help="the camera's id in the engine's registry")
    parser.add_argument("source", help="a file or URL")
    parser.add_argument("--intake", nargs="+", default=["tcp://127.0.0.1:7701"], help="several: those of fronts")
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
    socket.setsockopt(zmq.SNDHWM, 4)  # a busy engine makes this program wait, not queue
    socket.setsockopt(zmq.LINGER, 5000)
    socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for a front that is down while another is up
    for address in arguments.intake:
        socket.connect(address)
    for number, (codec, payload) in zip(range(arguments.count), keyframes(arguments.source), strict=False):
        header = feed_pb2.KeyframeHeader(camera_id=arguments.camera_id, codec=codec, arrival_wall_ns=time.time_ns())
        socket.send_multipart([b"PK1", header.SerializeToString(), payload])
        print(f"pushed keyframe {number + 1}: {len(payload)} bytes")
        time.sleep(1)


if __name__ == "__main__":
    main()
