"""Headers that flip from picture to picture must not make a worker grow: its contexts are bounded in number."""

import subprocess
import sys

_PROGRAM = """
import os, random
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.media import nal
from engine.model.keyframe import Codec
from tests.support.feed.clips import encode, scene

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

payload = encode(Codec.H264, [scene(640, 480)])[0]
sets = [span for span in nal.unit_spans(payload) if payload[span[0]] & 31 in (7, 8)]
rng, decoder = random.Random(1), Decoder()
decoder.decode(Codec.H264, payload)
before_mb = resident_mb()
for _ in range(700):
    flipped = bytearray(payload)
    flipped[rng.randrange(*rng.choice(sets))] ^= 1 << rng.randrange(8)
    try:
        decoder.decode(Codec.H264, bytes(flipped))
    except DecodeError:
        pass
print(resident_mb() - before_mb)
"""


def test_seven_hundred_other_headers_grow_a_worker_by_less_than_80_mb() -> None:
    """It was 134 MB, and more with every picture: one context for each header that some picture had had."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=100, check=True)
    assert float(done.stdout) < 80
