"""What is fuzzed: how each target reads bytes, valid inputs to begin with, and what it may raise."""

import contextlib
import io
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image

from engine.clock import NS_PER_S
from engine.config import Settings
from engine.config.describe import toml
from engine.config.intake import IntakeSettings
from engine.config.load import loads
from engine.decode.acceptance import check_cost, check_decodable
from engine.decode.decoder import Decoder
from engine.decode.photograph import photograph_jpeg
from engine.decode.render import render_jpeg
from engine.errors import ConfigError, DecodeError, RegistryError, WireError
from engine.feed import wire
from engine.feed.rtsp import sdp
from engine.hub.keyframes.gateways import Gateways
from engine.interchange.camera_files import FileFormat, read_rows
from engine.media import nal
from engine.media.access_unit import inspect_payload
from engine.media.jpeg import read_headers
from engine.media.keyframe_check import complete_keyframe
from engine.media.parameter_sets import coded_size
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from engine.rows.csv_rows import detect_encoding
from engine.rows.gbt28181 import check_names
from engine.runtime.connection_limit import ConnectionLimit
from engine.worker import wire as jobs
from engine.worker.process import measure
from tests.support.feed.clips import encode, scene, units
from tests.support.feed.rtp_packets import interleave, stream
from tests.support.feed.session_pair import SessionPair

Read = Callable[[bytes, random.Random], object]


@dataclass(frozen=True, slots=True)
class Target:
    """`read`: as the engine does; its generator decides what is no part of the bytes, such as where they are cut.
    `seeds`: valid inputs. `words`: what the format is made of. `raises`: what may come out of it. `split`, `join`: the
    parts of an input; one is damaged by itself now and then, so that what is around it stays whole."""

    read: Read
    seeds: Callable[[], Sequence[bytes]]
    words: tuple[bytes, ...]
    raises: tuple[type[Exception], ...] = ()
    split: Callable[[bytes], Sequence[wire.Frame]] | None = None
    join: Callable[[Sequence[wire.Frame]], bytes] = b"".join


@cache
def pictures(codec: Codec) -> list[bytes]:
    """Coded pictures of a camera; the first is a keyframe."""
    return encode(codec, [scene(128, 96, seed) for seed in range(1, 4)], gop=2)


def packed(frames: Sequence[wire.Frame]) -> bytes:
    """Frames of a message as one input: each after its length."""
    return b"".join(struct.pack(">I", len(frame)) + bytes(frame) for frame in frames)


def unpacked(data: bytes) -> list[wire.Frame]:
    """Return the frames; a length beyond the end takes what is there."""
    frames: list[wire.Frame] = []
    place = 0
    while place + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        frames.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return frames


_CAMERA = Camera("pushed", "", push=True)


@cache
def _gateways() -> Gateways:
    return Gateways(IntakeSettings(), {_CAMERA.camera_id: _CAMERA}, None, Metrics(version="fuzz"), ConnectionLimit(1))


def _keyframe(codec: Codec) -> Keyframe:
    return Keyframe(_CAMERA.camera_id, 7, codec, pictures(codec)[0], 0, 5, FeedKind.GATEWAY)


def _measurement() -> Measurement:
    with contextlib.closing(Decoder()) as decoder:
        return measure(decoder, _keyframe(Codec.MJPEG))


@cache
def _messages() -> list[bytes]:
    order = VisitOrder(7, "c", "rtsp://u:p@h/1", 12 * NS_PER_S, FeedKind.RTSP)
    failure = VisitFailure("c", 7, FailureReason.REFUSED, "nothing listens on that port")
    keyframe = _keyframe(Codec.MJPEG)
    return [
        packed(message)
        for message in (
            wire.pack_keyframe(keyframe),
            wire.pack_order(order),
            wire.pack_failure(failure),
            jobs.pack_job(3, keyframe),
            jobs.pack_photograph(jobs.PhotographJob(3, 1600, bytes(keyframe.payload))),
            jobs.pack_result(jobs.Result(3, jobs.Failed("damaged", "a detail"))),
            jobs.pack_result(jobs.Result(3, _measurement())),
            jobs.pack_result(jobs.Result(3, render_jpeg(Codec.MJPEG, bytes(keyframe.payload)))),
        )
    ]


def _read_message(data: bytes, _rng: random.Random) -> None:
    frames = unpacked(data)
    _gateways().receive(list(frames), "")
    readers: tuple[Callable[[], object], ...] = (
        lambda: wire.unpack_keyframe(frames, PAYLOAD_BYTES_MAX, 1),
        lambda: wire.unpack_order(frames),
        lambda: wire.unpack_failure(frames),
        lambda: wire.unpack_dialogue(frames),
        lambda: wire.unpack_status(frames),
        lambda: jobs.unpack_job(frames, PAYLOAD_BYTES_MAX),
        lambda: jobs.unpack_photograph(frames, PAYLOAD_BYTES_MAX),
        lambda: jobs.unpack_result(frames),
    )
    for reader in readers:
        with contextlib.suppress(WireError):
            reader()


def _description(codec: Codec) -> bytes:
    name = {Codec.H264: "H264", Codec.H265: "H265", Codec.MJPEG: "JPEG"}[codec]
    sets = "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHg==,aM48gA==\r\n" if codec is Codec.H264 else ""
    return (
        f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
        f"a=rtpmap:96 {name}/90000\r\n{sets}a=control:track1\r\nm=audio 0 RTP/AVP 0\r\n"
    ).encode()


def _dialogues() -> list[bytes]:
    made = []
    for codec in (Codec.H264, Codec.H265):
        body = _description(codec)
        heads = (
            b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="r", nonce="n"\r\n\r\n'
            b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Base: rtsp://h/1/\r\nContent-Length: %d\r\n\r\n" % len(body)
        ) + body
        rest = (
            b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 1;timeout=60\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
            b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nRTP-Info: url=rtsp://h/1;seq=1\r\n\r\n"
        )
        made.append(heads + rest + interleave(stream(codec, pictures(codec), mtu=300)))
    return made


def _read_dialogue(data: bytes, rng: random.Random) -> None:
    pair = SessionPair("rtsp://user:secret@h/1")
    place = 0
    while place < len(data):
        end = place + int(2 ** rng.uniform(0, 12))
        pair.receive(data[place:end])
        place = end
    pair.close()
    assert pair.session.over


def _read_sdp(data: bytes, _rng: random.Random) -> None:
    description = sdp.parse(data)
    for track in description.tracks:
        sdp.control_url("rtsp://h/1", track.control)


def _parameter_sets() -> list[bytes]:
    found = []
    for codec in (Codec.H264, Codec.H265):
        keyframe = pictures(codec)[0]
        found.append(keyframe)
        syntax = nal.SYNTAX[codec]
        found += [unit for unit in units(keyframe) if syntax.unit_type(unit[0]) in syntax.parameter_sets]
    return found


def _annex_b(parts: Sequence[wire.Frame]) -> bytes:
    return b"".join(nal.START_CODE + bytes(part) for part in parts)


def _read_parameter_sets(data: bytes, _rng: random.Random) -> None:
    for codec in (Codec.H264, Codec.H265):
        coded_size(codec, data)
        nal.is_first_slice(codec, data)
        nal.is_intra_slice(codec, data)
        nal.has_recovery_point(codec, data)
        complete_keyframe(codec, data, data)
        _accept(codec, data)


def _read_jpeg(data: bytes, _rng: random.Random) -> None:
    read_headers(data)
    complete_keyframe(Codec.MJPEG, data, b"")
    _accept(Codec.MJPEG, data)


def _photographs() -> list[bytes]:
    image, exif = Image.linear_gradient("L").resize((96, 64)).convert("RGB"), Image.Exif()
    exif[0x0112] = 6
    made = []
    for kind, more in (("JPEG", {"exif": exif}), ("JPEG", {"progressive": True}), ("PNG", {}), ("PNG", {"exif": exif})):
        out = io.BytesIO()
        (image if more else image.convert("RGBA")).save(out, kind, **more)
        made.append(out.getvalue())
    return made


def _read_photograph(data: bytes, _rng: random.Random) -> None:
    made = photograph_jpeg(data, 64)
    assert max(made.width, made.height) <= 64


def _accept(codec: Codec, data: bytes) -> None:
    unit = inspect_payload(codec, data)
    for check in (lambda: check_decodable(codec, data, unit), lambda: check_cost(codec, unit)):
        with contextlib.suppress(DecodeError):
            check()


_ROWS = (
    "camera_id,url,name,site_id,site_name,region,key_point,required,uplink,hours,enabled\r\n"
    'c1,rtsp://u:p@10.0.0.1/1,烹饪间,s1,"第一, 小学",139901,cooking,true,nvr1,mon-fri 05:30-19:00,true\r\n'
    "c2,http://10.0.0.2/c.jpg,,s1,,139901,,false,,,false\r\n"
)
_OBJECTS = (
    '{"camera_id": "c1", "url": "rtsp://h/1", "required": true, "region": 139901}\n{"camera_id": "c2", "url": ""}\n'
)


def _read_rows(data: bytes, rng: random.Random) -> None:
    encoding = detect_encoding(io.BytesIO(data))
    text = io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="")
    for row in read_rows(text, rng.choice(list(FileFormat)), check_names):
        assert row.line >= 1


def _read_toml(data: bytes, _rng: random.Random) -> None:
    loads(data.decode("utf-8", "replace"))


_WIRE = (
    b"PK1",
    b"VO1",
    b"VF1",
    b"VD1",
    b"FS1",
    b"JB1",
    b"JP1",
    b"JR1",
    b"\0\0\0\4",
    b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x0a\x7f",
)
_H264_H265 = (b"\0\0\1", b"\0\0\0\1", b"\0\0\3", b"\x67", b"\x68", b"\x65", b"\x40\1", b"\x42\1", b"\x44\1", b"\x26\1")
_RTSP = (
    b"RTSP/1.0 ", b"200 OK\r\n", b"302 Moved\r\nLocation: rtsp://[::1/x\r\n", b"\r\n\r\n", b"CSeq: ", b"Session: ",
    b"Content-Length: ", b"Transport: ", b"interleaved=", b"$\0", b"$\1\xff\xff", b"OPTIONS * RTSP/1.0\r\n\r\n",
)  # fmt: skip
_SDP = (b"m=video 0 RTP/AVP 96\r\n", b"a=rtpmap:96 ", b"a=fmtp:96 ", b"sprop-parameter-sets=", b"a=control:", b"H265/0")
_JPEG = tuple(bytes((0xFF, marker)) for marker in (0xD8, 0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xD0, 0xD9, 0xE1, 0xFE, 0))
_TOML = (
    b"[feed]\n",
    b"[[notices.endpoint]]\n",
    b"= [",
    b"= {",
    b'"""',
    b"'''",
    b"true",
    b"1979-05-27T07:32:00Z",
    b"a.b.c = ",
)

TARGETS = {
    "wire": Target(_read_message, _messages, _WIRE, split=unpacked, join=packed),
    "rtsp": Target(_read_dialogue, _dialogues, _RTSP),
    "sdp": Target(_read_sdp, lambda: [_description(codec) for codec in Codec], _SDP),
    "sps": Target(_read_parameter_sets, _parameter_sets, _H264_H265, split=units, join=_annex_b),
    "jpeg": Target(_read_jpeg, lambda: pictures(Codec.MJPEG), _JPEG),
    "photograph": Target(
        _read_photograph,
        _photographs,
        (*_JPEG, b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"acTL", b"iCCP", b"zTXt", b"eXIf", b"Exif\0\0MM\0*", b"MPF\0"),
        (DecodeError,),
    ),
    "csv": Target(
        _read_rows,
        lambda: [_ROWS.encode(), _ROWS.encode("gb18030"), b"\xef\xbb\xbf" + _ROWS.encode(), _OBJECTS.encode()],
        (b",", b'"', b"\r\n", b"=cmd()", b'"camera_id"', b"null", b"\\ud800", b"PK\3\4", b"\xff\xfe"),
        (RegistryError,),
    ),
    "toml": Target(_read_toml, lambda: [toml(Settings()).encode()], _TOML, (ConfigError,)),
}
