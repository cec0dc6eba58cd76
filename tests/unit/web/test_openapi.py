"""The OpenAPI document is valid, complete and says what the protos say."""

import json
from importlib.resources import files

from google.protobuf import descriptor_pb2, descriptor_pool
from openapi_spec_validator import validate

from engine.web.documents import comments, descriptors, index_html, openapi_json
from engine.web.routes import Router, methods

SPEC = json.loads(openapi_json())


def test_it_is_valid_openapi_3_1() -> None:
    assert SPEC["openapi"].startswith("3.1.")
    validate(SPEC)


def test_every_call_is_in_it_with_its_comment() -> None:
    described = {item["operationId"]: item["description"] for path in SPEC["paths"].values() for item in path.values()}
    for method in methods():
        service, name = method.path.strip("/").split("/")
        assert described[name] == comments()[f"{service}.{name}"] != ""
    schemas = SPEC["components"]["schemas"]
    assert schemas["Camera"]["properties"]["latestVerdict"]["readOnly"] is True
    assert schemas["Camera"]["properties"]["hours"]["description"].startswith("When the kitchen works")
    assert schemas["BatchDeleteCamerasRequest"]["required"] == ["names"]
    assert schemas["BatchDeleteCamerasRequest"]["properties"]["names"]["maxItems"] == 10_000
    assert schemas["ListCamerasResponse"]["properties"]["totalSize"]["type"] == "string"


def test_queries_have_what_is_neither_in_the_path_nor_in_the_body() -> None:
    def names(path: str, verb: str) -> list[str]:
        return [item["name"] for item in SPEC["paths"][path][verb].get("parameters", ())]

    assert names("/v1/cameras/{camera}", "patch") == ["camera", "updateMask", "allowMissing", "requestId"]
    assert {"filter.regionPrefix", "filter.state", "pageSize"} < set(names("/v1/cameras", "get"))
    assert names("/v1/cameras:batchDelete", "post") == []
    assert names("/v1/cameras/{camera}/picture.jpg", "get")[:3] == ["camera", "sidePxMax", "annotated"]
    assert names("/v1/cameras/{camera}/verdicts/{verdict}.jpg", "get")[:2] == ["camera", "verdict"]


def test_the_descriptors_load_by_themselves() -> None:
    """As a caller loads them who has neither our protos nor Google's."""
    image = descriptor_pb2.FileDescriptorSet.FromString(descriptors())
    pool = descriptor_pool.DescriptorPool()
    for file in image.file:
        pool.Add(file)
    for method in methods():
        own = method.request.DESCRIPTOR
        assert list(pool.FindMessageTypeByName(own.full_name).fields_by_name) == list(own.fields_by_name)
    assert (files("patrol.v1") / "patrol.v1.binpb").is_file()


def test_the_page_lists_every_path_and_loads_nothing() -> None:
    page = index_html()
    assert page.count("<tr>") == len(Router().routes) + 1
    for outside in ("<script", "src=", "http://", "https://"):
        assert outside not in page
