"""Which coding an H.264 stream uses, and what of it the measurement of a keyframe says."""

from dataclasses import replace

import numpy as np
import pytest

from engine.decode.decoder import Decoder
from engine.media.nal import H264, unit_spans
from engine.media.parameter_sets import names_cavlc
from engine.model.keyframe import Codec
from engine.model.packed.measurement import pack_measurement, unpack_measurement
from tests.support.feed.clips import encode
from tests.support.judge_states import a_measurement

PICTURE = np.random.default_rng(4).integers(0, 255, (96, 128, 3), np.uint8)


def keyframe(codec: Codec, preset: str = "veryfast") -> bytes:
    return encode(codec, [PICTURE], gop=1, options={"preset": preset} if codec is Codec.H264 else None)[0]


@pytest.mark.parametrize(("pps", "cavlc"), [("68ce06", True), ("68ee3c80", False), ("68", True), ("", True)])
def test_the_coding_is_read_from_the_picture_parameter_set(pps: str, cavlc: bool) -> None:
    assert names_cavlc(bytes.fromhex(pps)) is cavlc


def test_a_decoded_picture_has_a_digest_of_its_parameter_sets_and_says_what_is_fragile() -> None:
    payload = keyframe(Codec.H264)
    sps = next(begin for begin, _ in unit_spans(payload) if H264.unit_type(payload[begin]) == H264.sps)
    changed = bytearray(payload)
    changed[sps + 2] ^= 0x40  # a constraint flag, of which nothing else depends
    decoder = Decoder()
    pictures = [decoder.decode(Codec.H264, data) for data in (payload, payload, bytes(changed))]
    digests = [picture.headers for picture in pictures]
    assert digests[0] == digests[1] != digests[2]
    assert not pictures[0].fragile, "x264 codes with CABAC"
    for fragile in (Codec.MJPEG, Codec.H265):
        assert decoder.decode(fragile, keyframe(fragile)).fragile
    assert decoder.decode(Codec.H264, keyframe(Codec.H264, "ultrafast")).fragile, "x264 codes with CAVLC"
    decoder.close()


def test_both_are_sent_to_the_hub() -> None:
    sent = replace(a_measurement(), headers=2**32 - 1, fragile=True)
    received = unpack_measurement(pack_measurement(sent))
    assert (received.headers, received.fragile) == (2**32 - 1, True)
