"""Tries every API call by which a county might learn of its neighbour, and checks that none tells it anything.

Each call names something of the neighbour's and carries the most powerful token that a county can have. The reply must
not hold anything of the neighbour's that the request did not hold, and must equal, word for word, the reply to the same
request for something that does not exist.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from engine.config.calendar import Calendar
from engine.serve.messages.resume_token import encode_resume_token
from tests.support.serve.calls import RPCS

REFUSALS = ("NOT_FOUND", "PERMISSION_DENIED", "INVALID_ARGUMENT", "OUT_OF_RANGE")
_WATCH_S = 0.8
_CALL_S = 10.0
_DETAILS: tuple[Any, ...] = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
    error_details_pb2.ResourceInfo,
    error_details_pb2.PreconditionFailure,
    error_details_pb2.QuotaFailure,
)
_BEGINNING = encode_resume_token(0)
"""Of callers of all regions, in both logs."""


@dataclass(frozen=True)
class RequestNames:
    """What requests name: things of the neighbour's (or ones that do not exist), and things of the county's own."""

    camera: str
    other_camera: str
    region: str
    site: str
    finding: int
    digest: str
    visit: int
    draw: int
    token: int
    actor: str
    uplink: str
    request_id: str
    page_token: str
    verdicts_from: str
    findings_from: str
    own_camera: str
    own_region: str
    own_digest: str
    own_url: str
    verdicts_begin: int
    """The place in the log of verdicts before the first that is kept."""

    @property
    def name(self) -> str:
        """The camera's resource name."""
        return f"cameras/{self.camera}"

    @property
    def own(self) -> str:
        """The resource name of the county's own camera."""
        return f"cameras/{self.own_camera}"

    def nonexistent(self) -> "RequestNames":
        """Return the same with names that do not exist."""
        return replace(
            self, camera="13010300001320999999", other_camera="13010300001320999998", region="130188", site="nowhere",
            finding=987_654, digest="0" * 64, visit=876_543, draw=98_765, token=87_654, actor="nobody",
            uplink="nvr-none", request_id="none-1", page_token="bm9uZQ==",
        )  # fmt: skip


class Route(NamedTuple):
    """A call to try. `twin`: the reply must equal that for names that do not exist. `read`: a caller who may see all
    regions gets something else."""

    rpc: str
    why: str
    request: Callable[[RequestNames], dict[str, Any]]
    twin: bool = True
    read: bool = False


def _row(names: RequestNames, **more: Any) -> dict[str, Any]:
    return {"name": names.name, "url": names.own_url, "region": names.own_region} | more


def _update(
    paths: list[str], row: Callable[[RequestNames], dict[str, Any]], **more: Any
) -> Callable[[RequestNames], Any]:
    return lambda t: {"camera": row(t), "update_mask": {"paths": paths}, **more}


def _today() -> dict[str, int]:
    """Today in the zone of the kitchens: in UTC it is still Sunday while their week has begun."""
    day = datetime.now(ZoneInfo(Calendar().timezone)).date()
    return {"year": day.year, "month": day.month, "day": day.day}


def _latest(name: str) -> str:
    return f"{name}/verdicts/latest"


_C, _P, _F, _S, _A, _N = (
    f"{service}Service/" for service in ("Camera", "Patrol", "Finding", "Scheduler", "Access", "Canteen")
)
ROUTES = (
    # First, while the log has nothing of what is tried below
    Route(_A + "ListAuditEntries", "everything", lambda t: {}, twin=False, read=True),
    # The registry
    Route(_C + "GetCamera", "by its id", lambda t: {"name": t.name}, read=True),
    Route(_C + "GetCamera", "one field of it", lambda t: {"name": t.name, "read_mask": {"paths": ["region", "name"]}},
          read=True),
    Route(_C + "GetCamera", "a mask that is wrong", lambda t: {"name": t.name, "read_mask": {"paths": ["nonsense"]}}),
    Route(_C + "ListCameras", "everything", lambda t: {}, twin=False, read=True),
    Route(_C + "ListCameras", "of its region", lambda t: {"filter": {"region_prefix": t.region}}, read=True),
    Route(_C + "ListCameras", "of its city, backwards",
          lambda t: {"filter": {"region_prefix": "1301"}, "order_by": "region desc"}, twin=False, read=True),
    Route(_C + "ListCameras", "of its canteen", lambda t: {"filter": {"site_id": t.site}}, read=True),
    Route(_C + "ListCameras", "by its state", lambda t: {"filter": {"state": 2}}, twin=False, read=True),
    Route(_C + "ListCameras", "the worst of its region",
          lambda t: {"filter": {"region_prefix": t.region, "severity_min": 1}, "order_by": "severity desc"}),
    Route(_C + "ListCameras", "by its words", lambda t: {"filter": {"query": t.site}}, twin=False),
    Route(_C + "CountCameras", "of all regions", lambda t: {}, twin=False, read=True),
    Route(_C + "CountCameras", "of its region", lambda t: {"filter": {"region_prefix": t.region}}, read=True),
    Route(_C + "CountCameras", "of its canteen", lambda t: {"filter": {"site_id": t.site}}, read=True),
    Route(_C + "ListCameras", "with a page token of its own", lambda t: {"page_size": 1, "page_token": t.page_token},
          twin=False),
    Route(_C + "BatchGetCameras", "beside one of ours", lambda t: {"names": [t.own, t.name]}, read=True),
    Route(_C + "CreateCamera", "with its id", lambda t: {"camera_id": t.camera, "camera": _row(t)}),
    Route(_C + "CreateCamera", "with its id, as if it had come before",
          lambda t: {"camera_id": t.camera, "camera": _row(t), "request_id": t.request_id}),
    Route(_C + "CreateCamera", "in its region", lambda t: {"camera_id": t.camera, "camera": _row(t, region=t.region)}),
    Route(_C + "UpdateCamera", "its name", _update(["display_name"], lambda t: {"name": t.name, "display_name": "x"})),
    Route(_C + "UpdateCamera", "its region to ours", _update(["region"], _row)),
    Route(_C + "UpdateCamera", "its url to a listener of ours", _update(["url"], _row)),
    Route(_C + "UpdateCamera", "all of it", _update(["*"], _row)),
    Route(_C + "UpdateCamera", "as if it were missing", _update([], _row, allow_missing=True)),
    Route(_C + "UpdateCamera", "a mask of nothing", _update(["latest_verdict"], _row)),
    Route(_C + "UpdateCamera", "one of ours into its region",
          _update(["region"], lambda t: {"name": t.own, "region": t.region})),
    Route(_C + "DeleteCamera", "by its id", lambda t: {"name": t.name}),
    Route(_C + "DeleteCamera", "if it is there", lambda t: {"name": t.name, "allow_missing": True}),
    Route(_C + "BatchDeleteCameras", "both of them",
          lambda t: {"names": [t.name, f"cameras/{t.other_camera}"]}),
    Route(_C + "ImportCameras", "over its id", lambda t: {"cameras": [_row(t)]}),
    Route(_C + "ImportCameras", "over its id, only to see",
          lambda t: {"options": {"validate_only": True}, "cameras": [_row(t)]}),
    Route(_C + "ImportCameras", "into its region, what is good of it",
          lambda t: {"options": {"keep_good": True}, "cameras": [_row(t, region=t.region)]}),
    Route(_C + "ResetBaseline", "by its id", lambda t: {"names": [t.name]}),
    # The patrol
    Route(_P + "CheckNow", "by its id", lambda t: {"cameras": [t.name]}),
    Route(_P + "GetVerdict", "the latest", lambda t: {"name": _latest(t.name)}, read=True),
    Route(_P + "GetVerdict", "by its number", lambda t: {"name": f"{t.name}/verdicts/{t.visit}"}, read=True),
    Route(_P + "GetVerdict", "its number as one of ours", lambda t: {"name": f"{t.own}/verdicts/{t.visit}"}),
    Route(_P + "ListVerdicts", "by its id", lambda t: {"parent": t.name}, read=True),
    Route(_P + "WatchVerdicts", "all there ever were", lambda t: {"resume_token": t.verdicts_from}, twin=False,
          read=True),
    Route(_P + "WatchVerdicts", "from a place in the log of all",
          lambda t: {"resume_token": encode_resume_token(t.finding)}),
    Route(_P + "WatchVerdicts", "with the token of another watch", lambda t: {"resume_token": t.findings_from},
          twin=False),
    Route(_P + "WatchVerdicts", "as it stands", lambda t: {"with_current": True}, twin=False, read=True),
    Route(_P + "WatchVerdicts", "of its cameras", lambda t: {"filter": {"cameras": [t.name]}, "with_current": True},
          twin=False, read=True),
    Route(_P + "WatchVerdicts", "of its region",
          lambda t: {"filter": {"region_prefix": t.region}, "resume_token": t.verdicts_from}, twin=False, read=True),
    Route(_P + "WatchVerdicts", "of its canteen",
          lambda t: {"filter": {"site_id": t.site}, "with_current": True}, twin=False, read=True),
    Route(_P + "GetPicture", "the latest", lambda t: {"verdict": _latest(t.name)}, read=True),
    Route(_P + "GetPicture", "annotated", lambda t: {"verdict": _latest(t.name), "annotated": True}, read=True),
    Route(_P + "GetPicture", "its evidence", lambda t: {"verdict": _latest(t.name), "sha256": t.digest}, read=True),
    Route(_P + "GetPicture", "its evidence by way of ours", lambda t: {"verdict": _latest(t.own), "sha256": t.digest}),
    Route(_P + "GetPicture", "our evidence by way of its", lambda t: {"verdict": _latest(t.name),
                                                                     "sha256": t.own_digest}),
    Route(_P + "GetThumbnail", "by its id", lambda t: {"camera": t.name}, read=True),
    Route(_P + "BatchGetThumbnails", "beside one of ours",
          lambda t: {"requests": [{"camera": t.name, "if_none_match": "*"}]}, read=True),
    Route(_P + "QueryKpis", "of all counties", lambda t: {}, twin=False, read=True),
    Route(_P + "QueryKpis", "of its region", lambda t: {"region_prefix": t.region}, read=True),
    Route(_P + "QueryKpis", "of all canteens", lambda t: {"by": "KPI_BY_CANTEEN"}, twin=False, read=True),
    Route(_P + "QueryKpis", "of its canteens, day by day",
          lambda t: {"region_prefix": t.region, "by": "KPI_BY_CANTEEN", "each_day": True}, read=True),
    Route(_P + "QueryLeague", "of all counties", lambda t: {"measured_share_min": 0.0}, twin=False, read=True),
    Route(_P + "QueryLeague", "of its region", lambda t: {"region_prefix": t.region}, read=True),
    Route(_P + "GetStatus", "of its region", lambda t: {"region_prefix": t.region}),
    Route(_P + "ListRegions", "all", lambda t: {}, twin=False, read=True),
    Route(_P + "ListRegions", "its own", lambda t: {"region_prefix": t.region}, read=True),
    # Canteens
    Route(_N + "GetCanteen", "by its id", lambda t: {"name": f"canteens/{t.site}"}, read=True),
    Route(_N + "ListCanteens", "everything", lambda t: {}, twin=False, read=True),
    Route(_N + "ListCanteens", "of its region", lambda t: {"filter": {"region_prefix": t.region}}, read=True),
    Route(_N + "ListCanteens", "by its words", lambda t: {"filter": {"query": t.site}}, read=True),
    Route(_N + "UpdateCanteen", "its address", lambda t: {"canteen": {"name": f"canteens/{t.site}", "address": "x"}}),
    Route(_N + "UpdateCanteen", "as if it were missing",
          lambda t: {"canteen": {"name": f"canteens/{t.site}", "address": "x", "region": t.region},
                     "allow_missing": True}),
    Route(_N + "UpdateCanteen", "as if it were ours",
          lambda t: {"canteen": {"name": f"canteens/{t.site}", "region": t.own_region}, "allow_missing": True}),
    # The ledger
    Route(_F + "GetFinding", "by its number", lambda t: {"name": f"findings/{t.finding}"}, read=True),
    Route(_F + "ListFindings", "everything", lambda t: {}, twin=False, read=True),
    Route(_F + "ListFindings", "of its region", lambda t: {"filter": {"region_prefix": t.region}}, read=True),
    Route(_F + "ListFindings", "of its camera", lambda t: {"filter": {"camera": t.name}}, read=True),
    Route(_F + "ListFindings", "of its canteen", lambda t: {"filter": {"site_id": t.site, "open_only": True}},
          read=True),
    Route(_F + "ListFindingEvents", "by its number", lambda t: {"parent": f"findings/{t.finding}"}, read=True),
    Route(_F + "GetFindingPicture", "by its number", lambda t: {"name": f"findings/{t.finding}"}, read=True),
    Route(_F + "GetFindingPicture", "of before", lambda t: {"name": f"findings/{t.finding}",
                                                          "picture": "FINDING_PICTURE_BASELINE"}),
    Route(_F + "GetFindingPhotograph", "by its number",
          lambda t: {"name": f"findings/{t.finding}", "sha256": t.digest}),
    Route(_F + "MarkViewing", "by its number", lambda t: {"name": f"findings/{t.finding}", "viewing": True}),
    Route(_F + "ListViewers", "by its number", lambda t: {"names": [f"findings/{t.finding}"]}),
    Route(_F + "ClaimFinding", "with a photograph", lambda t: {"name": f"findings/{t.finding}", "photographs": [b"x"]}),
    Route(_F + "AcknowledgeFinding", "in its own words",
          lambda t: {"name": f"findings/{t.finding}", "request_id": t.request_id}),
    Route(_F + "AcknowledgeFinding", "with a guess at how far it is",
          lambda t: {"name": f"findings/{t.finding}", "expected_number": 1}),
    Route(_F + "ClaimFinding", "by its number", lambda t: {"name": f"findings/{t.finding}"}),
    Route(_F + "CloseFinding", "by its number", lambda t: {"name": f"findings/{t.finding}", "why": "x"}),
    Route(_F + "DismissFinding", "by its number", lambda t: {"name": f"findings/{t.finding}", "why": "x"}),
    Route(_F + "ReopenFinding", "by its number", lambda t: {"name": f"findings/{t.finding}", "why": "x"}),
    Route(_F + "SuperviseFinding", "by its number", lambda t: {"name": f"findings/{t.finding}", "why": "x"}),
    Route(_F + "ListFindings", "by a name", lambda t: {"filter": {"query": t.site}, "order_by": "severity desc"}),
    Route(_F + "SummarizeFindings", "of its region",
          lambda t: {"filter": {"region_prefix": t.region}, "group_by": ["county,state"]}, read=True),
    Route(_F + "SummarizeFindings", "everything", lambda t: {"group_by": ["county"]}, twin=False, read=True),
    Route(_F + "GetDigest", "of its region", lambda t: {"region_prefix": t.region, "date": _today()}, read=True),
    Route(_F + "GetDigest", "of everything", lambda t: {"date": _today(), "with_html": True}, twin=False, read=True),
    Route(_F + "BatchAcknowledgeFindings", "by its number",
          lambda t: {"targets": [{"name": f"findings/{t.finding}"}], "request_id": t.request_id}),
    Route(_F + "BatchClaimFindings", "with a guess at how far it is",
          lambda t: {"targets": [{"name": f"findings/{t.finding}", "expected_number": 1}]}),
    Route(_F + "BatchDismissFindings", "by its number",
          lambda t: {"targets": [{"name": f"findings/{t.finding}"}], "why": "x"}),
    Route(_F + "WatchFindings", "all there ever were", lambda t: {"resume_token": t.findings_from}, twin=False,
          read=True),
    Route(_F + "WatchFindings", "from a place in the log of all",
          lambda t: {"resume_token": encode_resume_token(t.finding)}),
    Route(_F + "WatchFindings", "of its region",
          lambda t: {"filter": {"region_prefix": t.region}, "resume_token": t.findings_from}, twin=False, read=True),
    Route(_F + "WatchFindings", "of its camera",
          lambda t: {"filter": {"camera": t.name}, "resume_token": t.findings_from}, twin=False, read=True),
    # The scheduler
    Route(_S + "GetSchedulerStatus", "everybody's", lambda t: {}, twin=False),
    Route(_S + "GetCameraPlan", "by its id", lambda t: {"camera": t.name}, read=True),
    Route(_P + "GetCameraStory", "by its id", lambda t: {"camera": t.name}, read=True),
    Route(_S + "PausePatrol", "of its camera", lambda t: {"scope": {"camera": t.name}, "reason": "x"}),
    Route(_S + "PausePatrol", "of its region", lambda t: {"scope": {"region_prefix": t.region}, "reason": "x"}),
    Route(_S + "PausePatrol", "of the city", lambda t: {"scope": {"region_prefix": "1301"}, "reason": "x"}, twin=False),
    Route(_S + "PausePatrol", "of its recorder", lambda t: {"scope": {"uplink": t.uplink}, "reason": "x"}),
    Route(_S + "ResumePatrol", "of its camera", lambda t: {"scope": {"camera": t.name}}),
    Route(_S + "ResumePatrol", "of its region", lambda t: {"scope": {"region_prefix": t.region}}),
    Route(_S + "ResumePatrol", "of the platform that all share", lambda t: {"scope": {"host": "127.0.0.1"}},
          twin=False),
    Route(_S + "GetConfig", "for its values", lambda t: {}, twin=False),
    Route(_S + "ValidateConfig", "for its warnings", lambda t: {"toml": ""}, twin=False),
    Route(_S + "DiffConfig", "for its values", lambda t: {"toml": ""}, twin=False),
    Route(_S + "RehearseConfig", "with all cameras", lambda t: {"toml": "", "hours": 1}, twin=False),
    Route(_S + "ApplyConfig", "for all", lambda t: {"toml": ""}, twin=False),
    Route(_S + "DrawSpotCheck", "from its region", lambda t: {"region_prefix": t.region, "validate_only": True},
          read=True),
    Route(_S + "DrawSpotCheck", "from the city", lambda t: {"region_prefix": "1301", "validate_only": True},
          twin=False, read=True),
    Route(_S + "GetSpotCheck", "by its number", lambda t: {"name": f"spotChecks/{t.draw}"}, read=True),
    Route(_S + "GetSpotCheck", "the latest", lambda t: {"name": "spotChecks/latest"}, twin=False, read=True),
    Route(_S + "ListSpotChecks", "everything", lambda t: {}, twin=False, read=True),
    # Tokens and the log
    Route(_A + "GetCaller", "our own", lambda t: {}, twin=False),
    Route(_A + "ListTokens", "everything", lambda t: {"show_ended": True}, twin=False, read=True),
    Route(_A + "RevokeToken", "by its number", lambda t: {"name": f"tokens/{t.token}"}),
    Route(_A + "CreateToken", "for its region",
          lambda t: {"token": {"display_name": "spy", "role": "ROLE_VIEWER", "region": t.region}}),
    Route(_A + "CreateToken", "of its inspector's name",
          lambda t: {"token": {"display_name": t.actor, "role": "ROLE_VIEWER", "region": t.own_region}}),
    Route(_A + "CreateToken", "for all", lambda t: {"token": {"display_name": "spy", "role": "ROLE_VIEWER"}},
          twin=False),
    Route(_A + "ListAuditEntries", "of its inspector", lambda t: {"filter": {"actor": t.actor}}, read=True),
)  # fmt: skip


class Answer(NamedTuple):
    """A status and all text of the reply: messages as JSON, or the error with its details."""

    status: str
    text: str


def find_leaks(address: str, county: str, province: str, theirs: RequestNames, marks: tuple[str, ...]) -> list[str]:
    """Return what is wrong on which route. `county`, `province`: secrets of tokens; `marks`: words that only the
    neighbour uses.
    """
    found = []
    with grpc.insecure_channel(address) as channel:
        for route in ROUTES:
            where = f"{route.rpc}, {route.why}"
            answer = _answer(channel, route, theirs, county)
            if answer.status != "OK" and answer.status not in REFUSALS:
                found.append(f"{where}: {answer}")
            found += [f"{where}: tells of {mark}: {answer}" for mark in marks if mark in answer.text]
            if route.twin:
                other = _answer(channel, route, theirs.nonexistent(), county)
                if answer != other:
                    found.append(f"{where}: {answer}, and of nobody's {other}")
            if route.read:  # there is something to be seen, if one may
                begin = encode_resume_token(theirs.verdicts_begin)
                plain = replace(theirs, verdicts_from=begin, findings_from=_BEGINNING)
                seen = _answer(channel, route, plain, province)
                if seen.status != "OK" or seen.text == answer.text:
                    found.append(f"{where}: nothing to be seen: {seen}")
    return found


def _answer(channel: grpc.Channel, route: Route, names: RequestNames, token: str) -> Answer:
    """Return the answer without what the request itself held and without what is the county's own."""
    answer = _send(channel, route, names, token)
    said = str(route.request(names))
    text = re.sub(r'"now": "[^"]*"', '"now": "?"', answer.text)
    for value in sorted(_text_values(names), key=len, reverse=True):
        if value in said or value in (names.own_camera, names.own_region, names.own_digest):
            text = text.replace(value, "?")
    for number in (names.finding, names.draw, names.token, names.visit):
        if f"/{number}" in said:
            text = re.sub(rf"((finding|draw|token|verdict|spotCheck)s?[ /]){number}\b", r"\1?", text)
    return Answer(answer.status, text)


def _text_values(names: RequestNames) -> list[str]:
    values = [getattr(names, field.name) for field in fields(RequestNames)]
    return [text for text in values if isinstance(text, str)]


def _send(channel: grpc.Channel, route: Route, names: RequestNames, token: str) -> Answer:
    rpc = RPCS[route.rpc]
    kind = ("stream" if rpc.streams_in else "unary") + "_" + ("stream" if rpc.streams_out else "unary")
    call = getattr(channel, kind)(
        rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.reply.FromString
    )
    request = rpc.request(**route.request(names))
    watching = "/Watch" in rpc.path
    replies: list[str] = []
    try:
        coming = call(
            iter([request]) if rpc.streams_in else request,
            timeout=_WATCH_S if watching else _CALL_S,
            metadata=(("authorization", f"Bearer {token}"),),
        )
        replies.extend(map(_json, coming if rpc.streams_out else [coming]))
    except grpc.RpcError as error:
        if not (watching and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED):
            return Answer(error.code().name, _error_text(error))
    return Answer("OK", "\n".join(replies))


def _error_text(error: Any) -> str:
    """Return all text of an error and its details."""
    told = [error.details() or ""]
    status = rpc_status.from_call(error)
    for detail in () if status is None else status.details:
        for kind in _DETAILS:
            message = kind()
            told += [_json(message)] if detail.Unpack(message) else []
    return "\n".join(told)


def _json(message: Any) -> str:
    return json_format.MessageToJson(message, ensure_ascii=False, indent=None, sort_keys=True)
