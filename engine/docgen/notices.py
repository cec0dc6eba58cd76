"""docs/notices.md: its examples and its tables of kinds, fields, outcomes and waits."""

import json
from collections.abc import Iterator

from engine.clock import NS_PER_S
from engine.config.notices import EndpointSettings, NoticesSettings
from engine.docgen.markdown import table, with_block
from engine.errors import ConfigError
from engine.model.camera import Camera, KeyPoint
from engine.model.findings import Finding, FindingState, LedgerEvent, Level, Step, Subject
from engine.model.measurement import Scores
from engine.model.notice import NOTICE_KINDS, TEST, VERDICT_CHANGED, DeliveryState, Notice, PendingDelivery
from engine.model.verdict import FaultKind, Severity, State, Verdict
from engine.notices.attempt import AttemptResult, Outcome
from engine.notices.cloud_events import CONTENT_TYPE, event, event_bytes, event_id, event_type, schema
from engine.notices.delivery import Delivery
from engine.notices.payload import Data, FindingData, VerdictData, finding_data, verdict_data
from engine.notices.signature import headers, parse_secrets

_AT_NS = 1_795_585_500 * NS_PER_S + 250_000_000
_S_PER_H = 3600
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 (of the example alone)
_SOURCE = "urn:kitchen-patrol:1301"
_SUBJECT = Subject("13010200001320000002", "covered", "130102-017", "第一中学食堂", "130102")
_CAMERA = Camera(
    _SUBJECT.camera_id, "", "切配间", _SUBJECT.site_id, _SUBJECT.site_name, "130102", KeyPoint.CUTTING, required=True
)
_REGION = "石家庄市长安区"
_MEANINGS = {
    Outcome.DELIVERED: "2xx: delivered; the body of the answer is ignored",
    Outcome.REFUSED: "400, 413, 415, 422: sent again; given up after `refusals_max` of them, and the next passes",
    Outcome.THROTTLED: "429: sent again after Retry-After; the circuit stays closed",
    Outcome.GONE: "410: sent again after `wait_max_s`; the circuit opens at once",
    Outcome.REDIRECTED: "3xx: not followed; sent again",
    Outcome.CLIENT_ERROR: "any other 4xx: sent again",
    Outcome.SERVER_ERROR: "5xx: sent again",
    Outcome.TIMEOUT: "not answered within the endpoint's `timeout_s`, body included: sent again",
    Outcome.UNREACHABLE: "unknown name, or one that leads to this machine; no route, nothing listens, an untrusted "
    "certificate: sent again",
    Outcome.BROKEN: "the connection ended, or the answer was not HTTP: sent again",
    Outcome.NO_SECRET: "`secret_file` or `ca_file` cannot be used: nothing was sent; retried",
    Outcome.INTERNAL: "a bug of the engine, see its log: retried",
}


def update(page: str) -> str:
    """Return docs/notices.md with its generated blocks renewed."""
    for name, lines in (
        ("example", _example()),
        ("verdict example", _json(_verdict_notice())),
        ("kinds", _kinds()),
        ("finding fields", _fields(FindingData)),
        ("verdict fields", _fields(VerdictData)),
        ("outcomes", _outcomes()),
        ("waits", _waits()),
    ):
        page = with_block(page, name, lines)
    return page


def _finding_notice() -> Notice:
    opened = LedgerEvent(
        57, 1, Step.OPENED, _AT_NS, "engine", why="87 of 96 tiles show nothing",
        evidence=("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",), subject=_SUBJECT,
    )  # fmt: skip
    finding = Finding(
        57, _SUBJECT, FindingState.OPEN, Severity.BLIND, Level.SCHOOL, _AT_NS + 24 * _S_PER_H * NS_PER_S, _AT_NS, _AT_NS
    )
    body = finding_data(opened, finding, _CAMERA, _REGION).model_dump_json()
    return Notice(1204, "finding.opened", 57, 1, _AT_NS, "130102", body)


def _verdict_notice() -> Notice:
    verdict = Verdict(
        _CAMERA.camera_id, _AT_NS + 1, _AT_NS, State.FAULT, announced=State.FAULT, announced_kinds=(FaultKind.COVERED,),
        since_wall_ns=_AT_NS, scores=Scores(None, 88.0, 91.0), severity=Severity.BLIND, rules_version="2",
    )  # fmt: skip
    body = verdict_data(verdict, _CAMERA, _REGION).model_dump_json()
    return Notice(1203, VERDICT_CHANGED, 0, 0, _AT_NS, "130102", body)


def _example() -> Iterator[str]:
    notice = _finding_notice()
    body = event_bytes(notice, _SOURCE)
    signed = headers(parse_secrets(_SECRET, "example"), event_id(notice), _AT_NS // NS_PER_S + 1, body)
    yield f"Signed with `{_SECRET}`, the body being the JSON below without blanks and line ends ({len(body)} bytes):"
    yield from ("", "```", "POST /patrol HTTP/1.1", f"content-type: {CONTENT_TYPE}")
    yield from (f"{name}: {value}" for name, value in signed.items())
    yield from ("```", "", *_json(notice))


def _json(notice: Notice) -> list[str]:
    return ["```json", *json.dumps(event(notice, _SOURCE), ensure_ascii=False, indent=2).splitlines(), "```"]


def _kinds() -> list[str]:
    rows = [(f"`{kind}`", f"`{event_type(kind)}`", f"`{schema(kind)}`") for kind in (*NOTICE_KINDS, TEST)]
    return table(("kind, for `events`", "type", "dataschema"), rows)


def _fields(kind: type[Data]) -> list[str]:
    rows = []
    for name, field in kind.model_fields.items():
        annotation = getattr(field.annotation, "__name__", str(field.annotation))
        types = {"str": "text", "int": "number", "bool": "true, false", "tuple": "list of text"}
        rows.append((f"`{name}`", types.get(annotation, "number or null"), field.description or ""))
    return table(("field", "JSON", "meaning"), rows)


def _outcomes() -> list[str]:
    return table(("outcome", "when, and what then"), [(f"`{outcome}`", _MEANINGS[outcome]) for outcome in Outcome])


def _waits() -> list[str]:
    """Run the delivery policy against an endpoint that always fails, without jitter, and tabulate its waits."""
    endpoint = EndpointSettings(name="county", url="https://county.example/", secret_file="-")  # noqa: S106 (none)
    settings = NoticesSettings(endpoints=(endpoint,))
    delivery, now_ns, rows = Delivery(settings), 0, []
    delivery.set_head(PendingDelivery("county", _finding_notice(), 0))
    while not (due := delivery.due(now_ns)).given_up:
        if due.send:
            mark = delivery.complete("county", AttemptResult(Outcome.SERVER_ERROR), now_ns, 0.0)
            wait_s, circuit = (mark.next_wall_ns - now_ns) // NS_PER_S, "open" if delivery.circuits_open() else "closed"
            rows.append((str(mark.attempts), _span(now_ns // NS_PER_S), _span(wait_s), circuit))
        wakeup_ns = delivery.next_wakeup_ns(now_ns)
        if wakeup_ns is None:
            raise ConfigError("the policy forgot a notice")
        now_ns = wakeup_ns
    state = due.given_up[0].state
    last = rows[-1]
    shown = [row for row in rows[:-1] if row[2] != last[2]]
    more = [("...", "...", last[2], "open"), last, ("-", _span(now_ns // NS_PER_S), "-", f"`{DeliveryState(state)}`")]
    return table(("attempt", "after", "next wait", "circuit"), [*shown, *more])


def _span(duration_s: int) -> str:
    hours, rest = divmod(duration_s, _S_PER_H)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
