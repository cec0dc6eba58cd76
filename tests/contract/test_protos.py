"""The contract of the API, held by its descriptors: rules, scopes, names, bounds. buf lints it and holds it to what was
released (`make check`)."""

import inspect
import re
from collections.abc import Iterable

import pytest
from google.api import resource_pb2
from google.protobuf.descriptor import Descriptor

from engine.model.access import Actor, Role
from engine.model.findings import FindingState, Level, Step
from engine.model.kpi import KpiBy, KpiName
from engine.model.picture import FindingPicture
from engine.model.registry import RegionLevel
from engine.serve.access.request_fields import bounds_of, is_output_only
from engine.serve.access.rules import RULES, RegionCheck, rule_of
from engine.serve.access.scoped_hub import ScopedHub
from engine.serve.messages import access as access_messages
from engine.serve.messages import cameras as camera_messages
from engine.serve.messages import findings as finding_messages
from engine.serve.messages import kpis as kpi_messages
from engine.serve.messages import pictures as picture_messages
from engine.serve.messages import schedule as schedule_messages
from engine.serve.messages.resource_names import camera_id_of, camera_name, verdict_ids_of, verdict_name
from engine.serve.port import CanteenPort, ConfigurationPort, DigestPort, HubPort, KpiPort, LedgerPort, PicturePort
from engine.serve.server import SERVICES
from tests.support.serve.calls import FILES, RPCS

NOT_ASKED_BY_SERVICES = {
    "ledger", "kpis", "pictures", "canteens", "digests", "configurations", "owner",
    "regions", "findings_of", "on_foreign_uplinks",
}  # fmt: skip
"""Of the ports: what only ScopedHub itself calls."""


def test_every_call_has_a_rule_and_every_rule_a_call() -> None:
    assert {f"{service}/{method}" for service, methods in RULES.items() for method in methods} == set(RPCS)
    assert set(SERVICES) == {rpc.path.split("/")[1] for rpc in RPCS.values()}
    for rpc in RPCS.values():
        assert rule_of(rpc.path) is not None
    assert rule_of("/patrol.v1.CameraService/Nothing") is None
    assert rule_of("/other.v1.CameraService/GetCamera") is None


def test_only_calls_that_read_are_open_to_viewers() -> None:
    for service, methods in RULES.items():
        for method, rule in methods.items():
            reads = method.startswith(("Get", "List", "Count", "BatchGet", "Query", "Summarize", "Watch"))
            assert rule.changes is not (reads or method in ("ValidateConfig", "DiffConfig")), f"{service}/{method}"
            if rule.changes:
                assert rule.role is not Role.VIEWER, f"{service}/{method}"


def test_everything_that_may_be_asked_of_the_hub_is_scoped() -> None:
    for port in (HubPort, ConfigurationPort, LedgerPort, KpiPort, PicturePort, CanteenPort, DigestPort):
        for name in (var for var in vars(port) if not var.startswith("_")):
            if name not in NOT_ASKED_BY_SERVICES:
                asked = {"table": "kpis", "store": "store_canteen"}.get(name, name)
                assert hasattr(ScopedHub, asked), f"ScopedHub.{asked} is missing: say whose things it is about"


def test_a_service_cannot_reach_the_hub_past_the_scope() -> None:
    scoped = ScopedHub(None, Actor("a", Role.VIEWER), None, None, b"")  # type: ignore[arg-type]
    assert all(name.startswith("_") for name in vars(scoped))
    for module in ("cameras", "patrol", "thumbnails", "canteens", "findings", "scheduler", "access"):
        source = inspect.getsource(__import__(f"engine.serve.services.{module}", fromlist=["x"]))
        assert not re.search(
            r"hub\._|HubPort|ConfigurationPort|LedgerPort|KpiPort|PicturePort|CanteenPort|DigestPort", source
        ), module


def test_a_call_with_a_region_prefix_or_a_filter_is_ruled_by_region() -> None:
    for name, rpc in RPCS.items():
        service, method = name.split("/")
        fields = rpc.request.DESCRIPTOR.fields_by_name
        nested = fields["filter"].message_type.fields_by_name if "filter" in fields else {}
        if "region_prefix" in fields or "region_prefix" in nested:
            assert RULES[service][method].region_check is RegionCheck.REGION, name


def requests() -> Iterable[Descriptor]:
    """Messages that callers send, and those inside of them."""
    waiting = [rpc.request.DESCRIPTOR for rpc in RPCS.values()]
    seen = {}
    while waiting:
        kind = waiting.pop()
        if kind.full_name not in seen and kind.file.package == "patrol.v1":
            seen[kind.full_name] = kind
            waiting += [field.message_type for field in kind.fields if field.message_type and not is_output_only(field)]
    return seen.values()


def test_every_text_and_list_that_a_caller_sends_is_bounded() -> None:
    for kind in requests():
        for field in (field for field in kind.fields if not is_output_only(field)):
            bounds = bounds_of(field)
            if field.type == field.TYPE_STRING:
                assert bounds.chars_max, field.full_name
            if field.is_repeated:
                assert bounds.items_max, field.full_name
            if bounds.pattern:
                assert re.compile(bounds.pattern)
                assert bounds.allowed, field.full_name


def test_every_resource_has_a_name_that_its_pattern_describes() -> None:
    found = {}
    for file in FILES:
        for kind in file.DESCRIPTOR.message_types_by_name.values():
            resource = kind.GetOptions().Extensions[resource_pb2.resource]
            if resource.type:
                found[resource.type] = resource.pattern[0]
                assert "name" in kind.fields_by_name or kind.name == "SpotCheck"
    assert found["patrol.internal/Camera"] == "cameras/{camera}"
    for file in FILES:
        for kind in file.DESCRIPTOR.message_types_by_name.values():
            for field in kind.fields:
                reference = field.GetOptions().Extensions[resource_pb2.resource_reference]
                for kind_named in (reference.type, reference.child_type):
                    assert not kind_named or kind_named in found, field.full_name


@pytest.mark.parametrize("camera_id", ["13010200001320000001", "a/b", "100%", "%2F", "烹饪间 1", "a%2Fb/c%"])
def test_any_id_makes_a_name_and_comes_back(camera_id: str) -> None:
    assert camera_id_of(camera_name(camera_id)) == camera_id
    assert verdict_ids_of(verdict_name(camera_id, 2**63 + 1)) == (camera_id, 2**63 + 1)
    assert camera_name(camera_id).count("/") == 1


def test_every_word_has_its_number() -> None:
    for enum, table in (
        (FindingState, finding_messages._STATE_NUMBER),
        (Step, finding_messages._STEP_NUMBER),
        (Level, finding_messages._LEVEL_NUMBER),
        (Role, access_messages._ROLE_NUMBER),
        (KpiName, kpi_messages._KPI_NUMBER),
        (KpiBy, kpi_messages._BY_NUMBER),
        (RegionLevel, camera_messages._LEVEL_NUMBER),
        (FindingPicture, picture_messages._FINDING_PICTURE_NUMBER),
    ):
        assert set(table) == set(enum)
        assert len(set(table.values())) == len(enum)
        assert 0 not in table.values()
    assert len(schedule_messages._SCOPE_FIELD) == len(schedule_messages._PAUSE_KIND)
