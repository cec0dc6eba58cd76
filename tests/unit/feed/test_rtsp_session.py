"""The RTSP client without a server: what it asks, what it takes, what it refuses."""

import base64
import hashlib
import re
import time

import pytest

from engine.feed.rtsp import auth, message, sdp
from engine.feed.rtsp.assembler import Assembler
from engine.feed.rtsp.reorder import WINDOW, Reorder
from engine.feed.rtsp.rtp import parse
from engine.feed.rtsp.session import Session
from engine.model.keyframe import Codec
from engine.model.visit import FailureReason
from tests.support.expect import present
from tests.support.feed.clips import encode, scene, units
from tests.support.feed.rtp_packets import aggregate, interleave, payloads, rtp, stream

CODECS = [Codec.H264, Codec.H265]
Clips = dict[Codec, list[bytes]]
NAMES = {Codec.H264: "H264", Codec.H265: "H265"}


@pytest.fixture(scope="module")
def clips() -> Clips:
    pictures = [scene(160, 128, seed) for seed in range(1, 8)]
    return {codec: encode(codec, pictures, gop=3) for codec in CODECS}


def description(codec: Codec, access_unit: bytes | None = None) -> bytes:
    fmtp = ""
    if access_unit is not None:
        sets = [base64.b64encode(u).decode() for u in units(access_unit) if is_set(codec, u)]
        if codec is Codec.H264:
            fmtp = f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={','.join(sets)}\r\n"
        else:
            fmtp = f"a=fmtp:96 sprop-vps={sets[0]};sprop-sps={sets[1]};sprop-pps={sets[2]}\r\n"
    return (
        f"v=0\r\ns=x\r\na=control:*\r\nm=audio 0 RTP/AVP 8\r\na=control:track0\r\nm=video 0 RTP/AVP 96\r\n"
        f"a=rtpmap:96 {NAMES[codec]}/90000\r\n{fmtp}a=control:track1\r\n"
    ).encode()


def is_set(codec: Codec, unit: bytes) -> bool:
    return unit[0] & 31 in (7, 8) if codec is Codec.H264 else unit[0] >> 1 & 63 in (32, 33, 34)


def reply(session: Session, status: str, *headers: str, body: bytes = b"") -> None:
    sequence = present(re.search(rb"CSeq: (\d+)", session.drain_outgoing())).group(1).decode()
    lines = [f"RTSP/1.0 {status}", f"CSeq: {sequence}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    session.receive(("\r\n".join(lines) + "\r\n\r\n").encode() + body)


def playing(codec: Codec, body: bytes) -> Session:
    session = Session("rtsp://10.0.0.1/live", "nonce")
    session.begin()
    reply(session, "200 OK", body=body)
    reply(session, "200 OK", "Session: 7;timeout=60", "Transport: RTP/AVP/TCP;interleaved=0-1")
    reply(session, "200 OK")
    assert session.playing
    return session


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("mtu", [200, 1400, 100_000])
def test_the_first_whole_keyframe_is_taken_with_its_parameter_sets(codec: Codec, mtu: int, clips: Clips) -> None:
    session = playing(codec, description(codec))
    session.receive(interleave(stream(codec, clips[codec][1:4], mtu=mtu)))
    assert session.failure is None
    assert session.codec is codec
    assert units(present(session.keyframe).payload) == units(clips[codec][3])


@pytest.mark.parametrize("codec", CODECS)
def test_it_stops_at_the_marker_and_wants_nothing_more(codec: Codec, clips: Clips) -> None:
    session = playing(codec, description(codec))
    packets = stream(codec, clips[codec][:1])
    session.receive(interleave(packets[:-1]))
    assert not session.over
    session.receive(interleave(packets[-1:]))
    assert session.over


@pytest.mark.parametrize("codec", CODECS)
def test_a_camera_that_sets_no_marker_ends_the_picture_with_the_next(codec: Codec, clips: Clips) -> None:
    session = playing(codec, description(codec))
    session.receive(interleave(stream(codec, clips[codec][:2], markers=False)))
    assert units(present(session.keyframe).payload) == units(clips[codec][0])


@pytest.mark.parametrize("codec", CODECS)
def test_parameter_sets_of_the_description_do_where_none_come_in_band(codec: Codec, clips: Clips) -> None:
    first = clips[codec][0]
    bare = b"".join(b"\0\0\0\1" + unit for unit in units(first) if not is_set(codec, unit))
    session = playing(codec, description(codec, first))
    session.receive(interleave(stream(codec, [bare])))
    assert [u for u in units(present(session.keyframe).payload) if is_set(codec, u)] == [
        u for u in units(first) if is_set(codec, u)
    ]


def test_without_any_parameter_sets_there_is_no_keyframe(clips: Clips) -> None:
    bare = b"".join(b"\0\0\0\1" + unit for unit in units(clips[Codec.H264][0]) if not is_set(Codec.H264, unit))
    session = playing(Codec.H264, description(Codec.H264))
    session.receive(interleave(stream(Codec.H264, [bare])))
    assert session.keyframe is None
    assert session.damaged == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_keyframe_with_a_lost_packet_is_thrown_away_and_the_next_is_taken(codec: Codec, clips: Clips) -> None:
    unhurt = stream(codec, clips[codec][:4], mtu=200)
    keyframe_packets = len(stream(codec, clips[codec][:1], mtu=200))
    for lost in range(0, keyframe_packets, max(1, keyframe_packets // 7)):
        session = playing(codec, description(codec, clips[codec][0]))
        session.receive(interleave(unhurt[:lost] + unhurt[lost + 1 :]))
        got = units(present(session.keyframe).payload)
        # What was lost may have been a parameter set, which the description has too, or the supplement; else the next.
        pictures = [[u for u in units(clips[codec][n]) if not is_set(codec, u)][-1] for n in (0, 3)]
        assert got[-1] in pictures


@pytest.mark.parametrize("codec", CODECS)
def test_joining_in_the_middle_of_a_keyframe_waits_for_the_next(codec: Codec, clips: Clips) -> None:
    packets = stream(codec, clips[codec][:4], mtu=200)
    session = playing(codec, description(codec, clips[codec][0]))
    session.receive(interleave(packets[6:]))
    assert units(present(session.keyframe).payload)[-1] == units(clips[codec][3])[-1]


@pytest.mark.parametrize("codec", CODECS)
def test_aggregated_units_are_taken_apart(codec: Codec, clips: Clips) -> None:
    found = units(clips[codec][0])
    small, large = found[:-1], found[-1]
    parts = [aggregate(codec, small), *payloads(codec, large, 300)]
    packets = [rtp(part, 10 + n, 5, n == len(parts) - 1) for n, part in enumerate(parts)]
    session = playing(codec, description(codec))
    session.receive(interleave(packets))
    assert units(present(session.keyframe).payload) == found


def test_a_recovery_point_without_idr_is_a_keyframe() -> None:
    pictures = [scene(160, 128, seed) for seed in range(1, 6)]
    options = {"x264-params": "repeat-headers=1:scenecut=0:open-gop=1:bframes=0:keyint=3:min-keyint=1"}
    coded = encode(Codec.H264, pictures, gop=3, options=options)
    sets = [u for u in units(coded[0]) if u[0] & 31 in (7, 8)]
    intra = next(u for u in units(coded[3]) if u[0] & 31 in (1, 5))
    not_idr = bytes([intra[0] & 0xE0 | 1]) + intra[1:]
    supplement = bytes([6, 6, 1, 0x84, 0x80])
    assembler = Assembler(Codec.H264, sets)
    packets = [present(parse(rtp(unit, n, 9, n == 1))) for n, unit in enumerate([supplement, not_idr])]
    assert assembler.push(packets[0]) is None
    assert units(present(assembler.push(packets[1])).payload)[-1] == not_idr


def test_a_hundred_megabyte_keyframe_is_given_up_within_bounds() -> None:
    assembler = Assembler(Codec.H264, [b"\x67abc", b"\x68abc"])
    head = bytes([28 | 0x60])
    piece = bytes(60_000)
    for number in range(1700):
        flags = 0x80 if number == 0 else 0x40 if number == 1699 else 0
        packet = present(parse(rtp(head + bytes([flags | 5]) + piece, number, 1, number == 1699)))
        assert assembler.push(packet) is None
        assert assembler._size < 9_000_000
    assert assembler.damaged == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404 Not Found", FailureReason.NOT_FOUND),
        ("403 Forbidden", FailureReason.UNAUTHORIZED),
        ("415 Unsupported Media Type", FailureReason.UNSUPPORTED_CODEC),
        ("500 Internal Server Error", FailureReason.PROTOCOL_ERROR),
        ("454 Session Not Found", FailureReason.PROTOCOL_ERROR),
    ],
)
def test_refusals_have_their_reason(status: str, reason: FailureReason) -> None:
    session = Session("rtsp://h/1", "n")
    session.begin()
    reply(session, status)
    assert present(session.failure).reason is reason
    assert status in present(session.failure).detail


def test_a_session_without_video_says_what_it_has() -> None:
    session = Session("rtsp://h/1", "n")
    session.begin()
    reply(session, "200 OK", body=b"v=0\r\nm=audio 0 RTP/AVP 8\r\na=control:1\r\n")
    assert present(session.failure).reason is FailureReason.NO_VIDEO
    assert "audio" in present(session.failure).detail


def test_a_codec_that_is_not_ours_is_named() -> None:
    session = Session("rtsp://h/1", "n")
    session.begin()
    reply(session, "200 OK", body=b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\n")
    assert present(session.failure).reason is FailureReason.UNSUPPORTED_CODEC
    assert "MP4V-ES" in present(session.failure).detail


def test_a_redirect_is_handed_to_the_shell() -> None:
    session = Session("rtsp://h/1", "n")
    session.begin()
    reply(session, "302 Moved", "Location: rtsp://other/2")
    assert session.redirect == "rtsp://other/2"


def test_a_server_that_speaks_http_is_told_from_rtsp() -> None:
    session = Session("rtsp://h/1", "n")
    session.begin()
    session.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert present(session.failure).reason is FailureReason.PROTOCOL_ERROR


def test_noise_between_packets_is_passed_over_but_not_for_ever(clips: Clips) -> None:
    session = playing(Codec.H264, description(Codec.H264))
    session.receive(b"\x11" * 5000 + interleave(stream(Codec.H264, clips[Codec.H264][:1])))
    assert session.keyframe is not None
    session = playing(Codec.H264, description(Codec.H264))
    for _ in range(30):
        session.receive(b"\x11" * 5000)
    assert present(session.failure).reason is FailureReason.PROTOCOL_ERROR


def test_basic_authentication_is_answered_without_the_password_in_the_url() -> None:
    session = Session("rtsp://user:p%40ss@h/1", "n")
    session.begin()
    first = session._outgoing[0]
    assert b"p%40ss" not in first
    reply(session, "401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"')
    sent = session.drain_outgoing().decode()
    assert base64.b64encode(b"user:p@ss").decode() in sent


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", [True, False])
def test_digest_answers_are_those_of_the_standard(algorithm: str, qop: bool) -> None:
    header = f'Digest realm="r", nonce="abc", algorithm={algorithm}' + (', qop="auth,auth-int"' if qop else "")
    challenge = present(auth.choose(header))
    text = auth.authorization(challenge, "me", "secret", "DESCRIBE", "rtsp://h/1", 1, "cn")
    digest = hashlib.md5 if algorithm == "MD5" else hashlib.sha256
    first, two = digest(b"me:r:secret").hexdigest(), digest(b"DESCRIBE:rtsp://h/1").hexdigest()
    middle = "abc:00000001:cn:auth" if qop else "abc"
    assert f'response="{digest(f"{first}:{middle}:{two}".encode()).hexdigest()}"' in text


def test_the_digest_of_rfc_7616_is_met() -> None:
    challenge = auth.Challenge(
        "SHA-256", False, "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "", True
    )
    text = auth.authorization(
        challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", 1,
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )  # fmt: skip
    assert "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" in text


def test_the_stronger_of_two_challenges_is_answered() -> None:
    lines = (
        'Basic realm="a"\nDigest realm="a", nonce="n", algorithm=MD5\nDigest realm="a", nonce="n", algorithm=SHA-256'
    )
    assert present(auth.choose(lines)).algorithm == "SHA-256"
    assert auth.choose('Negotiate abc\nDigest realm="a", nonce="n", algorithm=SHA-512-256') is None


BASIC = 'Basic realm="basic, the weaker one"'
DIGEST = 'Digest realm="the \\"stronger\\", digest", qop="auth,auth-int", nonce="n,1", opaque="o=, x", algorithm=MD5'


@pytest.mark.parametrize(
    "header",
    [
        f"{BASIC}, {DIGEST}",
        f"{DIGEST}, {BASIC}",
        f"{DIGEST},{BASIC.upper()}",
        f"Negotiate, {BASIC} , {DIGEST}",
        f'NTLM TlRMTVNTUAAC==, {DIGEST}, {BASIC}, Bearer realm="b", scope="a b"',
        f"{BASIC}\n{DIGEST}",
    ],
)
def test_challenges_in_one_header_keep_their_own_parameters(header: str) -> None:
    assert auth.choose(header) == auth.Challenge("MD5", False, 'the \\"stronger\\", digest', "n,1", "o=, x", True)


@pytest.mark.parametrize(
    "header",
    [BASIC, f'{BASIC}, Digest realm="no nonce"', f'Digest realm="x", nonce="y", algorithm=SHA-512-256, {BASIC}'],
)
def test_basic_is_answered_where_no_digest_can_be(header: str) -> None:
    assert auth.choose(header) == auth.Challenge("", False, "basic, the weaker one", "", "", False)


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ("Basic", auth.Challenge("", False, "", "", "", False)),
        ("basic realm=IP Camera", auth.Challenge("", False, "IP", "", "", False)),
        ("Digest realm = r , qop=auth,auth-int, nonce  =  n", auth.Challenge("MD5", False, "r", "n", "", True)),
        ('Digest realm="r" nonce="n"', auth.Challenge("MD5", False, "r", "n", "", False)),
        ('Digest realm="r", nonce="n', auth.Challenge("MD5", False, "r", '"n', "", False)),
        ("", None),
        ('nonce="n"', None),
        (', ,"Digest nonce=1"', None),
    ],
)
def test_sloppy_headers_are_read(header: str, challenge: auth.Challenge | None) -> None:
    assert auth.choose(header) == challenge


@pytest.mark.parametrize("text", ["a", "a ", '"', "=", "Basic ,", 'Digest a="\\', "a" + " " * 8000 + "="])
def test_the_longest_header_is_read_in_bounded_time(text: str) -> None:
    began_s = time.process_time()
    auth.choose(text * (message.HEAD_BYTES_MAX // len(text)))
    assert time.process_time() - began_s < 0.2


def test_a_session_answers_the_stronger_challenge_of_one_header() -> None:
    session = Session("rtsp://u:p@h/1", "n")
    session.begin()
    reply(session, "401 Unauthorized", f"WWW-Authenticate: {BASIC}, {DIGEST}")
    answer = session.drain_outgoing().decode()
    assert 'Authorization: Digest username="u", realm="the \\"stronger\\", digest", nonce="n,1"' in answer


def test_a_stale_nonce_is_answered_once_more_and_a_wrong_password_is_not_tried_for_ever() -> None:
    session = Session("rtsp://u:p@h/1", "n")
    session.begin()
    reply(session, "401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="1"')
    reply(session, "401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="2", stale=true')
    assert session.failure is None
    reply(session, "401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="3"')
    assert present(session.failure).reason is FailureReason.UNAUTHORIZED
    assert "p@" not in present(session.failure).detail


def test_teardown_names_the_session_and_is_empty_before_there_is_one() -> None:
    session = Session("rtsp://h/1", "n")
    session.begin()
    assert session.teardown() == b""
    assert b"TEARDOWN" in playing(Codec.H264, description(Codec.H264)).teardown()


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://h/a/", "track1", "rtsp://h/a/track1"),
        ("rtsp://h/a", "track1", "rtsp://h/a/track1"),
        ("rtsp://h/a?x=1", "*", "rtsp://h/a?x=1"),
        ("rtsp://h/a", "rtsp://h/b", "rtsp://h/b"),
        ("rtsp://h:554/a", "/c", "rtsp://h:554/c"),
        ("rtsp://h/a", "", "rtsp://h/a"),
        ("rtsp://h?x/y", "/c", "rtsp://h/c"),
        ("rtsp://[h/a", "/c", "rtsp://[h/c"),
    ],
)
def test_control_urls_are_resolved_as_servers_mean_them(base: str, control: str, url: str) -> None:
    assert sdp.control_url(base, control) == url


@pytest.mark.parametrize(
    "head",
    [
        b"RTSP/1.0 abc OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    ],
)
def test_messages_that_make_no_sense_are_refused(head: bytes) -> None:
    with pytest.raises(message.MessageError):
        message.parse(head)


def test_numbers_of_thousands_of_digits_break_nothing() -> None:
    digits = "9" * 5000  # int() raises ValueError for more than 4300
    body = f"v=0\r\nm=audio 0 RTP/AVP {digits}\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{digits}\r\n".encode()
    session = Session("rtsp://h/1", "n")
    session.begin()
    reply(session, "200 OK", body=body)
    reply(session, "200 OK", "Session: 7", f"Transport: RTP/AVP/TCP;interleaved={digits}")
    reply(session, "200 OK")
    assert session.playing
    assert session.clock_hz == 90_000


def test_udp_packets_are_put_in_order_and_late_ones_left_out() -> None:
    packets = [present(parse(rtp(b"x", n, 1, False))) for n in range(100)]
    reorder = Reorder()
    order = [0, 2, 1, 1, 5, 4, 3, 0, 6]
    got = [packet.sequence for n in order for packet in reorder.push(packets[n])]
    assert got == [0, 1, 2, 3, 4, 5, 6]
    got = [packet.sequence for n in range(8, 9 + WINDOW) for packet in reorder.push(packets[n])]
    assert got == list(range(8, 9 + WINDOW))
