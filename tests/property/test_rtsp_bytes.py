"""However the bytes come in, the keyframe is the same; whatever they are, nothing worse than a failure comes out."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed.rtsp.rtp import parse
from engine.feed.rtsp.session import Session
from engine.feed.visit import _Visit  # noqa: F401 (the shell imports with it)
from engine.model.keyframe import Codec
from tests.support.expect import present
from tests.support.feed.clips import encode, scene
from tests.support.feed.rtp_packets import interleave, rtp, stream

PICTURES = [scene(128, 96, seed) for seed in range(1, 5)]
CODED = {codec: encode(codec, PICTURES, gop=2) for codec in (Codec.H264, Codec.H265)}


def dialogue(codec: Codec) -> bytes:
    name = "H264" if codec is Codec.H264 else "H265"
    body = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/90000\r\na=control:t\r\n".encode()
    heads = [
        f"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body,
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n",
    ]
    return b"".join(heads) + interleave(stream(codec, CODED[codec][1:], mtu=300))


WHOLE = {codec: dialogue(codec) for codec in CODED}


def run(pieces: list[bytes]) -> Session:
    session = Session("rtsp://h/1", "n")
    session.begin()
    for piece in pieces:
        session.receive(piece)
        session.drain_outgoing()
    return session


@given(st.sampled_from(list(CODED)), st.lists(st.integers(0, 20_000), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_the_stream_gives_the_same_keyframe(codec: Codec, cuts: list[int]) -> None:
    whole = WHOLE[codec]
    places = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    pieces = [whole[a:b] for a, b in itertools.pairwise(places)]
    assert run(pieces).keyframe == run([whole]).keyframe
    assert run([whole]).keyframe is not None


@given(st.lists(st.binary(max_size=400), max_size=10))
@settings(max_examples=300, deadline=None)
def test_random_bytes_end_in_a_failure_or_in_waiting(pieces: list[bytes]) -> None:
    run(pieces)
    run([WHOLE[Codec.H264][:500], *pieces])


@given(st.sampled_from(list(CODED)), st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 255)), max_size=20))
@settings(max_examples=150, deadline=None)
def test_flipped_bytes_never_break_the_session(codec: Codec, flips: list[tuple[int, int]]) -> None:
    broken = bytearray(WHOLE[codec])
    for place, value in flips:
        broken[place % len(broken)] = value
    session = run([bytes(broken)])
    session.connection_closed()
    assert session.over


@given(st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    packet = parse(data)
    assert packet is None or len(packet.payload) >= 1


def test_padding_and_extension_are_left_out() -> None:
    plain = rtp(b"payload", 5, 6, True)
    extended = bytes([plain[0] | 0x30]) + plain[1:12] + b"\0\0\0\1abcd" + plain[12:] + b"\0\0\3"
    assert present(parse(extended)).payload == b"payload"
