"""A worker keeps freed memory for its next picture, and still sees what a decoder did not write."""

import os
import subprocess
import sys

from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.model.keyframe import Codec
from engine.runtime.memory import keep_freed_memory, resident_bytes
from tests.support.feed.clips import encode, scene

CUTS = 24


def holes() -> tuple[int, int, int]:
    """Decode whole pictures and cut ones by turns in memory that is reused. Returns how many cut ones gave a picture,
    how many of these have a word for the damage, and by how many bytes this process grew over the second half."""
    assert keep_freed_memory()
    whole = [encode(Codec.H265, [scene(width, height)])[0] for width, height in ((1280, 720), (704, 576))]
    decoder = Decoder()
    pictures = named = 0
    sizes: list[int] = []
    for number in range(CUTS):
        payload = whole[number % 2]
        assert not decoder.decode(Codec.H265, payload).damage
        try:
            picture = decoder.decode(Codec.H265, payload[: len(payload) * (8 + number % 12) // 24])
        except DecodeError:
            continue
        pictures += 1
        named += "missing_area" in picture.damage
        sizes.append(resident_bytes({"own": os.getpid()})["own"])
    return pictures, named, sizes[-1] - sizes[len(sizes) // 2]


def test_holes_are_seen_in_memory_that_is_used_again_and_it_does_not_grow() -> None:
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pictures, named, growth = map(int, done.stdout.split())
    assert pictures >= CUTS // 2
    assert named == pictures
    assert growth < 4 << 20


if __name__ == "__main__":
    print(*holes())
