"""Reflection, v1 and v1alpha: the same services and descriptors, and who may ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from engine.clock import wall_ns
from engine.model.access import Role, TokenOrder
from engine.serve.server import SERVICES
from engine.serve.services.reflection import SERVICE_V1
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, serving

V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
BOTH = pytest.mark.parametrize("service", [SERVICE_V1, V1ALPHA])


@contextmanager
def channel_to(folder: Path, reflection: str) -> Iterator[tuple[grpc.Channel, str]]:
    """A channel to a server that has tokens, and the secret of one."""
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    _, secret = store.access.create_token(TokenOrder("viewer", Role.VIEWER), "test", wall_ns())
    with (
        serving(folder, hub=FakeHub(store), reflection=reflection) as served,
        grpc.insecure_channel(served.address) as channel,
    ):
        yield channel, secret
    store.close()


def ask(channel: grpc.Channel, service: str, secret: str = "", **question: Any) -> Any:
    call: Any = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    metadata = (("authorization", f"Bearer {secret}"),) if secret else ()
    return next(call(iter([reflection_pb2.ServerReflectionRequest(**question)]), timeout=5, metadata=metadata))


def refused(channel: grpc.Channel, service: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, service, list_services="*")
    error, info = caught.value, error_details_pb2.ErrorInfo()
    status: Any = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status.details[0].Unpack(info)
    return error.code().name, info.reason


def files(channel: grpc.Channel, service: str, symbol: str) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    reply = ask(channel, service, file_containing_symbol=symbol)
    found = map(descriptor_pb2.FileDescriptorProto.FromString, reply.file_descriptor_response.file_descriptor_proto)
    return {file.name: file for file in found}


@BOTH
def test_both_versions_list_and_describe_every_service(tmp_path: Path, service: str) -> None:
    with channel_to(tmp_path, "open") as (channel, _):
        listed = {entry.name for entry in ask(channel, service, list_services="*").list_services_response.service}
        assert listed == {*SERVICES, "grpc.health.v1.Health", SERVICE_V1, V1ALPHA}
        for name in listed:
            described = [
                f"{file.package}.{one.name}" for file in files(channel, service, name).values() for one in file.service
            ]
            assert name in described
        unknown = ask(channel, service, file_containing_symbol="patrol.v1.Nothing")
        assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_v1_describes_itself_without_a_word_of_v1alpha(tmp_path: Path) -> None:
    with channel_to(tmp_path, "open") as (channel, _):
        file = files(channel, SERVICE_V1, SERVICE_V1)["grpc/reflection/v1/reflection.proto"]
    assert b"v1alpha" not in file.SerializeToString()
    assert {"ServerReflectionRequest", "ServerReflectionResponse"} <= {message.name for message in file.message_type}


@BOTH
def test_by_default_it_takes_a_token(tmp_path: Path, service: str) -> None:
    with channel_to(tmp_path, "token") as (channel, secret):
        assert refused(channel, service) == ("UNAUTHENTICATED", "TOKEN_MISSING")
        assert ask(channel, service, secret, list_services="*").HasField("list_services_response")


@BOTH
def test_off_is_as_if_there_were_none(tmp_path: Path, service: str) -> None:
    with channel_to(tmp_path, "off") as (channel, _):
        assert refused(channel, service) == ("UNIMPLEMENTED", "METHOD_UNKNOWN")
