"""Spot checks as messages, and what a request for one may hold. Pure."""

from typing import Any

from engine.replies import (
    CheckNowReport,
    DrawnCanteen,
    SpotCheck,
    SpotCheckHeader,
    SpotCheckOrder,
    SpotCheckReport,
    StratumShare,
)
from engine.serve.convert import site_kind_number, site_kind_of
from engine.serve.services import region_of
from engine.serve.status import InvalidArgumentError
from engine.types import SPOT_CHECK_SITES_MAX
from patrol.v1 import cameras_pb2, scheduler_pb2


def order_of(request: scheduler_pb2.DrawSpotCheckRequest) -> SpotCheckOrder:
    """The order in a request; raises InvalidArgumentError."""
    if request.size > SPOT_CHECK_SITES_MAX:
        raise InvalidArgumentError(
            "size", f"{request.size}; allowed: 1 to {SPOT_CHECK_SITES_MAX}, or 0 for scheduler.spot_check_sites"
        )
    if request.check_now and request.dry_run:
        raise InvalidArgumentError("check_now", "true with dry_run, which changes nothing; leave one of them out")
    return SpotCheckOrder(
        size=request.size,
        seed=request.seed if request.HasField("seed") else None,
        region_prefix=region_of(request.region_prefix),
        dry_run=request.dry_run,
        check_now=request.check_now,
    )


def header_message(header: SpotCheckHeader) -> scheduler_pb2.SpotCheckHeader:
    """Noun to message; the two share their names."""
    return scheduler_pb2.SpotCheckHeader(**{name: getattr(header, name) for name in SpotCheckHeader.__slots__})


def header_of(message: scheduler_pb2.SpotCheckHeader) -> SpotCheckHeader:
    """The same the other way."""
    return SpotCheckHeader(**{name: getattr(message, name) for name in SpotCheckHeader.__slots__})


def spot_check_message(check: SpotCheck) -> scheduler_pb2.SpotCheck:
    """Noun to message."""
    return scheduler_pb2.SpotCheck(
        header=header_message(check.header),
        strata=[scheduler_pb2.StratumShare(**_named(one)) for one in check.strata],
        drawn=[scheduler_pb2.DrawnCanteen(**_named(one)) for one in check.drawn],
        left_out=check.left_out,
    )


def spot_check_of(message: scheduler_pb2.SpotCheck) -> SpotCheck:
    """The same the other way."""
    return SpotCheck(
        header=header_of(message.header),
        strata=tuple(StratumShare(**_values(one, StratumShare.__slots__)) for one in message.strata),
        drawn=tuple(DrawnCanteen(**_values(one, DrawnCanteen.__slots__)) for one in message.drawn),
        left_out=dict(sorted(message.left_out.items())),
    )


def drawn_message(report: SpotCheckReport) -> scheduler_pb2.DrawSpotCheckResponse:
    """Noun to message."""
    message = scheduler_pb2.DrawSpotCheckResponse(spot_check=spot_check_message(report.spot_check))
    if report.check_now is not None:
        visits = {name: getattr(report.check_now, name) for name in CheckNowReport.__slots__}
        message.check_now.CopyFrom(cameras_pb2.CheckNowResponse(**visits))
    return message


def drawn_of(message: scheduler_pb2.DrawSpotCheckResponse) -> SpotCheckReport:
    """The same the other way."""
    visits = message.check_now
    return SpotCheckReport(
        spot_check_of(message.spot_check),
        CheckNowReport(
            visits.accepted, visits.already_in_flight, tuple(visits.unknown_ids), tuple(visits.not_visited_ids)
        )
        if message.HasField("check_now")
        else None,
    )


def _named(noun: StratumShare | DrawnCanteen) -> dict[str, Any]:
    values = {name: getattr(noun, name) for name in noun.__slots__}
    return values | {"kind": site_kind_number(noun.kind)}


def _values(message: Any, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in names}
    return values | {"kind": site_kind_of(message.kind)}
