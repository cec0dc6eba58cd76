"""Passing over runs of packets in compiled code gives what one packet after the other gives, in every state between.

Packets are those of encoders, and made ones of which most nearly go on with what was before. They are lost, repeated,
reordered and damaged, other packets and text come between them, and the stream is cut anywhere.
"""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed.packets.runs import COMPILED
from engine.feed.rtsp import assembler
from engine.feed.rtsp.session import Session
from engine.model.keyframe import Codec
from tests.support.feed.clips import encode, scene
from tests.support.feed.rtp_packets import interleave, rtp, stream
from tests.support.feed.session_pair import SessionPair

CODECS = [Codec.H264, Codec.H265]
PICTURES = [scene(160, 128, seed) for seed in range(1, 6)]
CODED = {codec: encode(codec, PICTURES, gop=2) for codec in CODECS}
SLICED = encode(Codec.H264, PICTURES, gop=2, options={"x264-params": "repeat-headers=1:scenecut=0:slices=3"})
CHANNEL = 0
FOREIGN = [
    interleave([rtp(b"\x65\x88", 9, 9, False)], 1),  # RTCP's channel
    interleave([b"\x80\xc8\0\6" + bytes(24)], CHANNEL),  # RTCP on the wrong channel
    interleave([rtp(b"\x7c\x05abc", 70, 9000, False, payload_type=97)], CHANNEL),
    interleave([b""], CHANNEL),
    interleave([b"\x80\x60" + bytes(10)], CHANNEL),
    interleave([rtp(b"\x01", 5, 5, False)], CHANNEL),
    b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n",
    b"OPTIONS rtsp://h/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"noise",
    b"$",
]


def opening(codec: Codec) -> bytes:
    """The server's responses up to PLAY's."""
    body = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec.name}/90000\r\na=control:t\r\n".encode()
    return (
        f"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
        + b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 1\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"
    )


def same_states(codec: Codec, data: bytes, cuts: list[int]) -> Session:
    """Give both ways the same pieces, and compare what they are after each; returns the one with compiled runs."""
    pair = SessionPair()
    pair.receive(opening(codec))
    assert pair.session.playing
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(places):
        pair.receive(data[begin:end])
    return pair.session


def flipped(packet: bytes, place: int, value: int) -> bytes:
    place %= len(packet)
    return packet[:place] + bytes([packet[place] ^ value]) + packet[place + 1 :]


Change = Callable[[list[bytes], int], list[bytes]]
CHANGES = st.one_of(
    st.just(lambda packets, at: packets[:at] + packets[at + 1 :]),
    st.just(lambda packets, at: packets[:at] + packets[at : at + 1] * 2 + packets[at + 1 :]),
    st.integers(1, 40).map(lambda by: lambda packets, at: packets[at + by :] + packets[at : at + by]),
    st.integers(1, 9).map(
        lambda by: lambda packets, at: packets[:at] + packets[at + by : at + by + 1] + packets[at : at + by]
        + packets[at + by + 1 :]
    ),
    st.sampled_from(FOREIGN).map(lambda other: lambda packets, at: packets[:at] + [other] + packets[at:]),
    st.tuples(st.integers(0, 22), st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128, 255])).map(
        lambda flip: lambda packets, at: packets[:at] + [flipped(packets[at], *flip)] + packets[at + 1 :]
    ),
    st.integers(1, 30).map(lambda size: lambda packets, at: packets[:at] + [packets[at][:-size]] + packets[at + 1 :]),
)  # fmt: skip


@st.composite
def damaged_streams(draw: st.DrawFn) -> tuple[Codec, bytes]:
    """Packets of a real encoder, with a few changes."""
    codec = draw(st.sampled_from(CODECS))
    coded = SLICED if codec is Codec.H264 and draw(st.booleans()) else CODED[codec]
    pictures = coded[draw(st.integers(0, 2)) :]
    mtu, markers = draw(st.sampled_from([60, 200, 700, 1400])), draw(st.integers(0, 4)) > 0
    packets = [interleave([packet]) for packet in stream(codec, pictures, mtu=mtu, markers=markers)]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(packets) - 1)))
        packets = draw(CHANGES)(packets, at) if packets else packets
    return codec, b"".join(packets)


@given(damaged_streams(), st.lists(st.integers(0, 200_000), max_size=12))
@settings(max_examples=300, deadline=None)
def test_runs_of_real_packets_leave_the_same_state(sent: tuple[Codec, bytes], cuts: list[int]) -> None:
    same_states(*sent, cuts)


@pytest.mark.parametrize("codec", CODECS)
def test_a_cut_at_every_place_leaves_the_same_state(codec: Codec) -> None:
    data = interleave(stream(codec, CODED[codec][1:3], mtu=300))
    step = max(1, len(data) // 400)  # the places move on by one from run to run of the inner loop
    for first in range(0, len(data), step):
        assert same_states(codec, data, [first, first + 1]).keyframe is not None


SHORT = [
    b"",
    b"\x01",
    b"\x41\x9a",
    b"\x7c",
    b"\x7c\x05",
    b"\x7c\x01",
    b"\x02",
    b"\x02\x01",
    b"\x62\x01",
    b"\x62\x01\x13",
]
"""Payloads of slices and fragments that are cut off."""


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("short", SHORT)
def test_a_short_packet_at_the_end_of_what_came_leaves_the_same_state(codec: Codec, short: bytes) -> None:
    """What comes next is not there yet, so nothing behind the packet may be read."""
    keyframe = [interleave([packet]) for packet in stream(codec, CODED[codec][:1], mtu=200)]
    slices = [interleave([packet]) for packet in stream(codec, CODED[codec][1:2], mtu=200, sequence=9)]
    for before in (slices[:2], keyframe[:7]):
        numbers = before[-1][6:12]  # sequence number and timestamp
        packet = b"\x80\x60" + numbers + b"\0\0\0\1" + short
        same_states(codec, b"".join([*before, interleave([packet])]), [])
        following = (int.from_bytes(numbers[:2], "big") + 1 & 0xFFFF).to_bytes(2, "big")
        packet = b"\x80\x60" + following + numbers[2:] + b"\0\0\0\1" + short
        same_states(codec, b"".join([*before, interleave([packet])]), [])


FLAGS = [0x00, 0x00, 0x00, 0x00, 0x80, 0x40, 0xC0, 0x20]
"""Of fragments: most in the middle, some first or last, some both, one with the reserved bit."""


@st.composite
def made_packets(draw: st.DrawFn) -> tuple[Codec, bytes]:
    """Packets that mostly go on with those before: numbers in order, one timestamp, one NAL unit."""
    codec = draw(st.sampled_from(CODECS))
    h264 = codec is Codec.H264
    kinds = [5, 5, 5, 5, 7, 1, 6, 20] if h264 else [19, 19, 19, 19, 33, 1, 39, 50]
    sequence, stamp, kind = draw(st.sampled_from([7, 65_533])), draw(st.sampled_from([5, 2**32 - 1])), kinds[0]
    sets = [b"\x67ab", b"\x68ab"] if h264 else [b"\x40\1ab", b"\x42\1ab", b"\x44\1ab"]
    sent: list[bytes] = []
    for unit in sets:
        sent.append(interleave([rtp(unit, sequence, stamp, False)]))
        sequence += 1
    begun = False
    for _ in range(draw(st.integers(1, 25))):
        unusual = draw(st.integers(0, 11))
        kind = draw(st.sampled_from(kinds)) if unusual == 0 else kind
        sequence += draw(st.integers(-1, 2)) if unusual == 1 else 0
        stamp = (stamp + 9) % 2**32 if unusual == 2 else stamp
        flags = draw(st.sampled_from(FLAGS)) if begun else 0x80
        begun = True
        content = draw(st.binary(max_size=20)) if unusual != 3 else b""
        head = bytes([0x7C, flags | kind]) if h264 else bytes([0x62, 1, flags | kind])
        if unusual == 4:
            head = (
                bytes([kind, kind]) if h264 else bytes([kind << 1, 1, kind])
            )  # no fragment, but for its first byte one
        packet = rtp(head + content, sequence, stamp, unusual == 5, 97 if unusual == 6 else 96)
        sent.append(interleave([packet], 1 if unusual == 7 else CHANNEL))
        if unusual == 8:
            sent.append(draw(st.sampled_from(FOREIGN)))
        sequence += 1
    return codec, b"".join(sent)


@given(made_packets(), st.lists(st.integers(0, 2_000), max_size=6), st.one_of(st.just(8 << 20), st.integers(20, 200)))
@settings(max_examples=800, deadline=None)
def test_runs_of_made_packets_leave_the_same_state(sent: tuple[Codec, bytes], cuts: list[int], bound: int) -> None:
    """`bound`: of a keyframe's bytes; a small one is reached in the middle of a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembler, "PAYLOAD_BYTES_MAX", bound)
        same_states(*sent, cuts)


@pytest.mark.parametrize("codec", CODECS)
def test_most_packets_of_a_keyframe_are_passed_in_runs(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests above compare a session with itself."""
    data = interleave(stream(codec, CODED[codec], mtu=60)[:-1])
    counts = {"single": 0}
    push = assembler.Assembler.push

    def counting(self: assembler.Assembler, packet: object) -> object:
        counts["single"] += 1
        return push(self, packet)  # type: ignore[arg-type]

    monkeypatch.setattr(assembler.Assembler, "push", counting)
    session = Session("rtsp://h/1", "n", None, COMPILED)
    session.begin()
    session.receive(opening(codec))
    session.receive(data)
    keyframe = session.keyframe
    assert keyframe is not None
    assert counts["single"] < 12
    assert len(keyframe.payload) > 20 * 60
