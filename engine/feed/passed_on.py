"""Packs and unpacks what a front passes on to the engine of a shard: keyframes that gateways pushed to it. Pure.

proto/patrol/v1/feed.proto is the contract: PassedOnKeyframes, and KeptKeyframes as the answer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError as ProtobufError

from engine.errors import WireError
from engine.feed import wire
from engine.model.keyframe import DropReason, Push
from patrol.v1 import feed_pb2

BATCH_KEYFRAMES_MAX = 64
"""Keyframes in one message."""
BATCH_BYTES_MAX = 2 * 1024 * 1024
"""Payload bytes in one message; a keyframe that is larger goes alone. gRPC takes 16 MiB."""


class PassedOn(NamedTuple):
    """A keyframe as it arrives at the engine. `header`: KeyframeHeader, serialised and not checked yet. `camera_id`: in
    it; empty if it is none."""

    gateway: str
    header: bytes
    payload: bytes
    camera_id: str


class Kept(NamedTuple):
    """Which keyframes of a message the front keeps. `unknown`: positions of those whose camera the engine does not
    have. `no_room`: how many at the end it had no room for."""

    unknown: tuple[int, ...] = ()
    no_room: int = 0


def pack(pushes: Sequence[Push]) -> bytes:
    """Return the message with these keyframes."""
    return feed_pb2.PassedOnKeyframes(
        items=[
            feed_pb2.PassedOnKeyframes.Item(
                gateway=push.gateway, header=wire.pack_header(push.keyframe), payload=bytes(push.keyframe.payload)
            )
            for push in pushes
        ]
    ).SerializeToString()


def unpack(raw: bytes) -> list[PassedOn]:
    """Return the keyframes in a message. Raises WireError if it is none, or has too many of them."""
    message = feed_pb2.PassedOnKeyframes()
    try:
        message.ParseFromString(raw)
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a PassedOnKeyframes: {error}") from error
    if len(message.items) > BATCH_KEYFRAMES_MAX:
        raise WireError(
            DropReason.MALFORMED, f"{len(message.items)} keyframes in a message; allowed: {BATCH_KEYFRAMES_MAX}"
        )
    return [PassedOn(item.gateway, item.header, item.payload, _camera_id(item.header)) for item in message.items]


def pack_kept(kept: Kept) -> bytes:
    """Return the answer of the engine."""
    return feed_pb2.KeptKeyframes(unknown=kept.unknown, no_room=kept.no_room).SerializeToString()


def unpack_kept(raw: bytes) -> Kept:
    """Return what an answer says. Raises WireError if it is none."""
    message = feed_pb2.KeptKeyframes()
    try:
        message.ParseFromString(raw)
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a KeptKeyframes: {error}") from error
    return Kept(tuple(message.unknown), message.no_room)


def _camera_id(header: bytes) -> str:
    try:
        return feed_pb2.KeyframeHeader.FromString(header).camera_id
    except ProtobufError:
        return ""
