"""HTTP paths lead to the calls that the annotations of the protos name."""

import pytest

from engine.errors import InvalidArgumentError
from engine.web.routes import Router, methods
from tests.support.serve.calls import RPCS

ROUTER = Router()


def test_every_call_has_a_path_and_every_path_is_one_calls_own() -> None:
    assert {method.name for method in methods()} == set(RPCS)
    assert len({(route.verb, route.template) for route in ROUTER.routes}) == len(ROUTER.routes)


@pytest.mark.parametrize(
    ("verb", "path", "call", "values"),
    [
        ("GET", "/v1/cameras", "CameraService/ListCameras", {}),
        ("GET", "/v1/cameras/c1", "CameraService/GetCamera", {"name": "cameras/c1"}),
        ("PATCH", "/v1/cameras/c1", "CameraService/UpdateCamera", {"camera.name": "cameras/c1"}),
        ("GET", "/v1/cameras:batchGet", "CameraService/BatchGetCameras", {}),
        ("POST", "/v1/findings/12:claim", "FindingService/ClaimFinding", {"name": "findings/12"}),
        ("GET", "/v1/cameras/c1/verdicts/latest", "PatrolService/GetVerdict", {"name": "cameras/c1/verdicts/latest"}),
        (
            "GET",
            "/v1/cameras/c1/verdicts/7:picture",
            "PatrolService/GetPicture",
            {"verdict": "cameras/c1/verdicts/7"},
        ),
        # The id may be any printable text; in a resource name `/` and `%` are written %2F and %25.
        ("GET", "/v1/cameras/%E5%88%87%E9%85%8D", "CameraService/GetCamera", {"name": "cameras/切配"}),
        ("GET", "/v1/cameras/a%2Fb%2fc", "CameraService/GetCamera", {"name": "cameras/a%2Fb%2fc"}),
        ("GET", "/v1/cameras/a%252Fb", "CameraService/GetCamera", {"name": "cameras/a%2Fb"}),
        ("GET", "/v1/cameras/nvr1:2", "CameraService/GetCamera", {"name": "cameras/nvr1:2"}),
        ("GET", "/v1/cameras/c1%3Apicture", "CameraService/GetCamera", {"name": "cameras/c1:picture"}),
        ("GET", "/v1/cameras/a%20b+c", "CameraService/GetCamera", {"name": "cameras/a b+c"}),
    ],
)
def test_a_path_leads_to_its_call(verb: str, path: str, call: str, values: dict[str, str]) -> None:
    match = ROUTER.match(verb, path)
    assert match is not None
    assert (match.route.method.name, match.values) == (call, values)


@pytest.mark.parametrize("path", ["/v1/cameras/", "/v1/cameras/c1/", "/v1/cameras//verdicts", "/v1", "/v2/cameras"])
def test_a_path_that_does_not_exist_leads_nowhere(path: str) -> None:
    assert ROUTER.match("GET", path) is None
    assert ROUTER.verbs(path) == []


def test_a_path_says_which_verbs_it_allows() -> None:
    assert ROUTER.match("PUT", "/v1/cameras/c1") is None
    assert ROUTER.verbs("/v1/cameras/c1") == ["DELETE", "GET", "PATCH"]
    assert ROUTER.verbs("/v1/cameras:batchGet") == ["GET"]


def test_a_path_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="UTF-8"):
        ROUTER.match("GET", "/v1/cameras/%FF")
