"""Server reflection: tells clients such as grpcurl which services and messages there are, in v1 and in v1alpha.

grpcio-reflection serves v1alpha only. v1 has the same messages under another package name, so its descriptors are made
from those of v1alpha, and its calls go to the same servicer.
"""

from collections.abc import Iterable

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

_V1ALPHA = "grpc.reflection.v1alpha"
_V1 = "grpc.reflection.v1"
SERVICE_V1 = f"{_V1}.ServerReflection"
_METHOD = "ServerReflectionInfo"


def add_to_server(services: Iterable[str], server: grpc.aio.Server) -> None:
    """Serve reflection of these services, and of itself."""
    pool = descriptor_pool.Default()
    _add_v1(pool)
    names = (*services, reflection.SERVICE_NAME, SERVICE_V1)
    reflection.enable_server_reflection(names, server, pool)
    handler = grpc.stream_stream_rpc_method_handler(
        ReflectionServicer(names, pool).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_V1, {_METHOD: handler}),))


def _add_v1(pool: descriptor_pool.DescriptorPool) -> None:
    """Add the descriptors of grpc/reflection/v1/reflection.proto, unless another part of the process has."""
    try:
        pool.FindServiceByName(SERVICE_V1)
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(file)
        file.name = "grpc/reflection/v1/reflection.proto"
        file.package = _V1
        for message in file.message_type:
            for field in (field for field in message.field if field.type_name):
                field.type_name = field.type_name.replace(f".{_V1ALPHA}.", f".{_V1}.")
        for method in (method for service in file.service for method in service.method):
            method.input_type = method.input_type.replace(f".{_V1ALPHA}.", f".{_V1}.")
            method.output_type = method.output_type.replace(f".{_V1ALPHA}.", f".{_V1}.")
        pool.AddSerializedFile(file.SerializeToString())
