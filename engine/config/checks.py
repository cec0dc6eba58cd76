"""Checks rules that involve several keys, such as what a public listener needs. Pure."""

import fnmatch
import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from engine.config.address import host_port, is_loopback
from engine.config.intake import IntakeSettings
from engine.config.notices import EndpointSettings
from engine.config.schema import Settings
from engine.errors import ConfigError
from engine.model.findings import Level
from engine.model.hours import parse_hours
from engine.model.notice import NOTICE_KINDS
from engine.model.verdict import Severity
from engine.redact import redact

_HOST_VISITS_MAX = 100_000
_REGION = re.compile(r"(?:[0-9]{2}){1,3}")
_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file")


def cross_key_errors(settings: Settings) -> list[str]:
    """Return one sentence for each error: key, value, what is allowed, the remedy. Empty if there is none."""
    return [
        *_feed(settings),
        *_scheduling(settings),
        *_listeners(settings),
        *_web(settings),
        *_intake(settings),
        *_ledger(settings),
        *_notices(settings),
        *_record(settings),
        *_trace(settings),
    ]


def _feed(settings: Settings) -> Iterator[str]:
    feed = settings.feed
    for scheme in feed.schemes:
        if scheme not in _SCHEMES:
            yield f"feed.schemes = {scheme!r}: not known; allowed: {', '.join(_SCHEMES)}; correct the name or delete it"
    for network in feed.allowed_networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            yield (
                f"feed.allowed_networks = {network[:60]!r}: no network; allowed: CIDR like 10.20.0.0/16; "
                "correct or delete it"
            )
    if feed.connect_timeout_s >= feed.deadline_s:
        yield (
            f"feed.connect_timeout_s = {feed.connect_timeout_s:g}: must be less than feed.deadline_s "
            f"({feed.deadline_s:g}), or no time is left for the keyframe"
        )


def _scheduling(settings: Settings) -> Iterator[str]:
    scheduler, judge = settings.scheduler, settings.judge
    if scheduler.order_timeout_s <= settings.feed.deadline_s:
        yield (
            f"scheduler.order_timeout_s = {scheduler.order_timeout_s:g}: must be more than feed.deadline_s "
            f"({settings.feed.deadline_s:g}), or orders are given up while their visits are under way"
        )
    for name in ("backoff_stream_first_s", "backoff_connect_first_s", "backoff_lasting_first_s"):
        first_s: float = getattr(scheduler, name)
        if first_s > scheduler.backoff_max_s:
            yield (
                f"scheduler.{name} = {first_s:g}: must not be more than scheduler.backoff_max_s "
                f"({scheduler.backoff_max_s:g}); lower the one or raise the other"
            )
    if scheduler.outage_probe_s > scheduler.outage_probe_max_s:
        yield (
            f"scheduler.outage_probe_s = {scheduler.outage_probe_s:g}: must not be more than "
            f"scheduler.outage_probe_max_s ({scheduler.outage_probe_max_s:g}); lower the one or raise the other"
        )
    if 0 < scheduler.offhours_period_s < 1:
        yield f"scheduler.offhours_period_s = {scheduler.offhours_period_s:g}: allowed: 0 (no visits) or at least 1"
    for host, visits_max in scheduler.host_visits_max.items():
        if not 1 <= visits_max <= _HOST_VISITS_MAX:
            name = f"scheduler.host_visits_max.{host!r}"
            yield f"{name} = {visits_max}: allowed: 1 to {_HOST_VISITS_MAX}; correct the value"
    try:
        parse_hours(scheduler.hours)
    except ValueError as error:
        yield f"scheduler.hours = {scheduler.hours!r}: {error}"
    if judge.confirm_n > judge.confirm_m:
        yield (
            f"judge.confirm_n = {judge.confirm_n}: must not be more than judge.confirm_m ({judge.confirm_m}), or no "
            "fault is ever announced"
        )


def _listeners(settings: Settings) -> Iterator[str]:
    serve = settings.serve
    if bool(serve.tls_cert_file) != bool(serve.tls_key_file):
        yield "serve.tls_cert_file, serve.tls_key_file: one without the other; give both or neither"
    if serve.tls_client_ca_file and not serve.tls_cert_file:
        yield "serve.tls_client_ca_file: without serve.tls_cert_file there is no TLS; give that too, or neither"
    if bool(serve.metrics_tls_cert_file) != bool(serve.metrics_tls_key_file):
        yield "serve.metrics_tls_cert_file, serve.metrics_tls_key_file: one without the other; give both or neither"
    if serve.metrics_password_file and serve.metrics_password_env:
        yield "serve.metrics_password_file, serve.metrics_password_env: both are given; give one of them"
    for name, listen in (("grpc_listen", serve.grpc_listen), ("metrics_listen", serve.metrics_listen)):
        if not listen and name == "metrics_listen":
            continue
        try:
            host, _ = host_port(listen)
        except ConfigError as error:
            yield f"serve.{name} = {error}"
            continue
        if is_loopback(host):
            continue
        if name == "grpc_listen" and not serve.tls_cert_file:
            yield (
                f"serve.grpc_listen = {listen!r}: a public address needs serve.tls_cert_file and serve.tls_key_file, "
                "and a token in the database (patrol token create); give them, or listen on 127.0.0.1"
            )
        guarded = serve.metrics_tls_cert_file and (serve.metrics_password_file or serve.metrics_password_env)
        if name == "metrics_listen" and not guarded and not serve.metrics_public:
            yield (
                f"serve.metrics_listen = {listen!r}: a public address needs serve.metrics_tls_cert_file, "
                "serve.metrics_tls_key_file and serve.metrics_password_file; give them, set "
                "serve.metrics_public = true if all who reach this address may read the metrics, or listen on 127.0.0.1"
            )


def _web(settings: Settings) -> Iterator[str]:
    web = settings.web
    if bool(web.tls_cert_file) != bool(web.tls_key_file):
        yield "web.tls_cert_file, web.tls_key_file: one without the other; give both or neither"
    try:
        host, _ = host_port(web.listen)
    except ConfigError as error:
        yield f"web.listen = {error}"
        return
    if not is_loopback(host) and not web.tls_cert_file:
        yield (
            f"web.listen = {web.listen!r}: a public address needs web.tls_cert_file and web.tls_key_file, and a token "
            "in the database (patrol token create); give them, or listen on 127.0.0.1"
        )
    for origin in web.cors_origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            yield f"web.cors_origins = {origin!r}: allowed: https://host or https://host:port, without a path or *"


def _intake(settings: Settings) -> Iterator[str]:
    intake = settings.intake
    yield from _gateways(intake)
    if not intake.listen or intake.listen.startswith("ipc://"):
        return
    parts = urlsplit(intake.listen)
    if parts.scheme != "tcp":
        yield f"intake.listen = {intake.listen!r}: allowed: tcp://host:port, ipc://path, or empty"
        return
    try:
        host, _ = host_port(parts.netloc.replace("*", "0.0.0.0", 1))
    except ConfigError as error:
        yield f"intake.listen = {error}"
        return
    if not is_loopback(host) and not (intake.curve_secret_file and intake.curve_clients_dir):
        yield (
            f"intake.listen = {intake.listen!r}: a public address needs intake.curve_secret_file and "
            "intake.curve_clients_dir; give them, or listen on 127.0.0.1"
        )


def _gateways(intake: IntakeSettings) -> Iterator[str]:
    if bool(intake.curve_secret_file) != bool(intake.curve_clients_dir):
        yield "intake.curve_secret_file, intake.curve_clients_dir: one without the other; give both or neither"
    if intake.gateways and not (intake.curve_secret_file and intake.curve_clients_dir):
        yield (
            "intake.gateways: without keys nobody knows which gateway sent a keyframe; give intake.curve_secret_file "
            "and intake.curve_clients_dir, or delete the tables"
        )
    names: set[str] = set()
    for number, gateway in enumerate(intake.gateways):
        where = f"intake.gateways[{number}] ({gateway.name})"
        if gateway.name in names:
            yield f"{where}: another table has this name; put all of it into one"
        names.add(gateway.name)
        if not gateway.regions and not gateway.cameras:
            yield f"{where}: may push for nothing; give regions or cameras, or delete its key file"
        for region in gateway.regions:
            if not _REGION.fullmatch(region):
                yield f"{where}.regions = {region!r}: allowed: a GB/T 2260 code of 2, 4 or 6 digits; correct it"


def _record(settings: Settings) -> Iterator[str]:
    record = settings.record
    if record.key_file and record.key_command:
        yield "record.key_file, record.key_command: both are given; give one of them"
    if record.key_command and not record.key_command[0]:
        yield "record.key_command: its first entry is empty; give the path of a program"
    if record.archive_endpoint and not record.archive_url.startswith("s3://"):
        yield (
            f"record.archive_endpoint = {record.archive_endpoint!r}: is for a record.archive_url that begins with "
            "s3://; give that, or leave this out"
        )


def _trace(settings: Settings) -> Iterator[str]:
    trace = settings.trace
    if trace.headers_file and trace.headers_env:
        yield "trace.headers_file, trace.headers_env: both are given; give one of them"
    if not trace.endpoint:
        return
    shown_url = redact(trace.endpoint)
    try:
        parts = urlsplit(trace.endpoint)
        usable = bool(parts.hostname) and parts.port != 0 and parts.scheme in ("http", "https")
    except ValueError:
        usable = False
    if not usable or not trace.endpoint.isprintable() or parts.username or parts.password:
        yield (
            f"trace.endpoint = {shown_url!r}: allowed: a URL like https://collector.example:4318/v1/traces, without a "
            "password; put secrets into trace.headers_file"
        )
    elif parts.scheme == "http" and (trace.headers_file or trace.headers_env) and not is_loopback(parts.hostname or ""):
        yield (
            f"trace.endpoint = {shown_url!r}: over http to another machine, everybody on the way can read the headers; "
            "give an https URL, or leave them out"
        )


def _notices(settings: Settings) -> Iterator[str]:
    notices = settings.notices
    if notices.wait_first_s > notices.wait_max_s:
        yield (
            f"notices.wait_first_s = {notices.wait_first_s:g}: must not be more than notices.wait_max_s "
            f"({notices.wait_max_s:g}); lower the one or raise the other"
        )
    if not urlsplit(notices.source).scheme and not notices.source.startswith("/"):
        yield f"notices.source = {notices.source!r}: allowed: a URI like urn:kitchen-patrol:1301, or a path like /1301"
    names: set[str] = set()
    for number, endpoint in enumerate(notices.endpoints):
        where = f"notices.endpoints[{number}] ({endpoint.name})"
        if endpoint.name in names:
            yield f"{where}: another endpoint has this name; give each its own"
        names.add(endpoint.name)
        yield from (f"{where}.{error}" for error in _endpoint(endpoint))


def _endpoint(endpoint: EndpointSettings) -> Iterator[str]:
    shown_url = redact(endpoint.url)
    try:
        parts = urlsplit(endpoint.url)
        usable = bool(parts.hostname) and parts.port != 0 and not parts.fragment and endpoint.url.isprintable()
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https") or " " in endpoint.url:
        yield f"url = {shown_url!r}: allowed: an https URL with a host, like https://county.example/patrol; correct it"
    elif parts.scheme == "http" and not endpoint.plain_http and not is_loopback(parts.hostname or ""):
        yield (
            f"url = {shown_url!r}: http to another machine can be read by everybody on the way; "
            "give an https URL, or set plain_http = true"
        )
    for pattern in endpoint.events:
        if not fnmatch.filter(NOTICE_KINDS, pattern):
            yield f"events = {pattern!r}: matches no kind; allowed: {', '.join(NOTICE_KINDS)}, with * for any part"


def _ledger(settings: Settings) -> Iterator[str]:
    ledger = settings.ledger
    if ledger.recheck_n > ledger.recheck_m:
        yield (
            f"ledger.recheck_n = {ledger.recheck_n}: must not be more than ledger.recheck_m ({ledger.recheck_m}), "
            "or no claim can ever pass"
        )
    tables = [("first_level", ledger.first_level, list(Severity))]
    tables += [(f"{severity}_hours", getattr(ledger, f"{severity}_hours"), list(Level)) for severity in Severity]
    for name, table, required in tables:
        if missing := [str(key) for key in required if key not in table]:
            yield (
                f"ledger.{name}: has no entry for {', '.join(missing)}; a table must name all of "
                f"{', '.join(required)}; add them"
            )
    regions: set[str] = set()
    for policy in ledger.regions:
        if policy.region in regions:
            yield f"ledger.regions: {policy.region!r} has two tables; put all of it into one"
        regions.add(policy.region)
