"""Converts spot checks to messages of patrol.v1 and back. Pure."""

from typing import Any

from engine.errors import InvalidArgumentError
from engine.model.spot_check import (
    DrawnCanteen,
    SpotCheck,
    SpotCheckHeader,
    SpotCheckOrder,
    SpotCheckReport,
    StratumShare,
)
from engine.model.visit import CheckNowCounts
from engine.serve.messages.convert import site_kind_number, site_kind_of, timestamp, wall_ns_of
from engine.serve.messages.resource_names import number_of, numbered_name
from patrol.v1 import scheduler_pb2

_HEADER_FIELDS = tuple(name for name in SpotCheckHeader.__slots__ if name not in ("draw_id", "at_wall_ns"))


def order_of(request: scheduler_pb2.DrawSpotCheckRequest) -> SpotCheckOrder:
    """Return the order in a request. Raises InvalidArgumentError if it has both check_now and validate_only."""
    if request.check_now and request.validate_only:
        raise InvalidArgumentError("check_now", "true with validate_only, which changes nothing; leave one of them out")
    return SpotCheckOrder(
        size=request.size,
        seed=request.seed if request.HasField("seed") else None,
        region_prefix=request.region_prefix,
        dry_run=request.validate_only,
        check_now=request.check_now,
    )


def header_message(header: SpotCheckHeader) -> scheduler_pb2.SpotCheckHeader:
    """Return the header of a spot check as a message; most fields have the same names in both."""
    return scheduler_pb2.SpotCheckHeader(
        name=numbered_name("spotChecks", header.draw_id) if header.draw_id else "",
        draw_time=timestamp(header.at_wall_ns),
        **{name: getattr(header, name) for name in _HEADER_FIELDS},
    )


def header_of(message: scheduler_pb2.SpotCheckHeader) -> SpotCheckHeader:
    """Return the header of a spot check in a message."""
    return SpotCheckHeader(
        draw_id=number_of(message.name),
        at_wall_ns=wall_ns_of(message.draw_time),
        **{name: getattr(message, name) for name in _HEADER_FIELDS},
    )


def spot_check_message(check: SpotCheck) -> scheduler_pb2.SpotCheck:
    """Return a spot check as a message."""
    return scheduler_pb2.SpotCheck(
        header=header_message(check.header),
        strata=[scheduler_pb2.StratumShare(**_fields(stratum)) for stratum in check.strata],
        drawn=[scheduler_pb2.DrawnCanteen(**_fields(canteen)) for canteen in check.drawn],
        left_out=check.left_out,
    )


def spot_check_of(message: scheduler_pb2.SpotCheck) -> SpotCheck:
    """Return the spot check in a message."""
    return SpotCheck(
        header=header_of(message.header),
        strata=tuple(StratumShare(**_values(stratum, StratumShare.__slots__)) for stratum in message.strata),
        drawn=tuple(DrawnCanteen(**_values(canteen, DrawnCanteen.__slots__)) for canteen in message.drawn),
        left_out=dict(sorted(message.left_out.items())),
    )


def drawn_message(report: SpotCheckReport) -> scheduler_pb2.DrawSpotCheckResponse:
    """Return the report on a draw as a reply."""
    message = scheduler_pb2.DrawSpotCheckResponse(spot_check=spot_check_message(report.spot_check))
    if report.check_now is not None:
        counts = {name: getattr(report.check_now, name) for name in CheckNowCounts.__slots__}
        message.check_now.CopyFrom(scheduler_pb2.CheckNowCounts(**counts))
    return message


def drawn_of(message: scheduler_pb2.DrawSpotCheckResponse) -> SpotCheckReport:
    """Return the report on a draw in a reply."""
    counts = message.check_now
    return SpotCheckReport(
        spot_check_of(message.spot_check),
        CheckNowCounts(counts.accepted, counts.already_in_flight, counts.not_visited)
        if message.HasField("check_now")
        else None,
    )


def _fields(part: StratumShare | DrawnCanteen) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in part.__slots__}
    return values | {"kind": site_kind_number(part.kind)}


def _values(message: Any, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in names}
    return values | {"kind": site_kind_of(message.kind)}
