"""What a notice says, how it is signed, who hears of it, and what an answer means."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest

from engine.config import loads
from engine.config.notices import EndpointSettings
from engine.errors import ConfigError
from engine.model.camera import Camera, KeyPoint
from engine.model.findings import PUBLISHED_STEPS, Finding, FindingState, LedgerEvent, Level, Step, Subject
from engine.model.notice import NOTICE_KINDS, Notice
from engine.model.verdict import FaultKind, Severity, State, Verdict
from engine.notices.attempt import Outcome, outcome_of, retry_after_ns
from engine.notices.cloud_events import event, event_bytes, event_id, trial_notice
from engine.notices.payload import FindingData, finding_data, rfc3339, verdict_data
from engine.notices.routing import recipients
from engine.notices.signature import headers, parse_secrets, verified
from tests.support.webhook_receivers import SECRET, SECRET_LINE

AT_NS = 1_764_000_000_123_456_789
SUBJECT = Subject("13010200001320000002", "covered", "s1", "第一中学食堂", "130102")
FINDING = Finding(12, SUBJECT, FindingState.OPEN, Severity.BLIND, Level.SCHOOL, AT_NS + 10**15, AT_NS, AT_NS)
CAMERA = Camera("13010200001320000002", "rtsp://admin:geheim@10.0.0.1/1", "切配间", key_point=KeyPoint.CUTTING)
OPENED = LedgerEvent(12, 1, Step.OPENED, AT_NS, "engine", evidence=("ab" * 32,), subject=SUBJECT)


def notice(kind: str = "finding.opened", seq: int = 7, region: str = "130102") -> Notice:
    data = finding_data(OPENED, FINDING, CAMERA, "石家庄市长安区")
    return Notice(seq, kind, 12, 1, AT_NS, region, data.model_dump_json())


def endpoint(name: str = "city", **more: Any) -> EndpointSettings:
    return EndpointSettings(name=name, url="https://city.example/patrol", secret_file="s", **more)


def test_a_notice_is_a_cloud_event_with_everything_the_specification_asks_for() -> None:
    told = event(notice(), "urn:kitchen-patrol:13")
    assert {"specversion": "1.0", "type": "cn.kitchen-patrol.finding.opened.v1", "subject": "findings/12"}.items() <= (
        told.items()
    )
    assert told["source"] == "urn:kitchen-patrol:13"
    assert told["time"] == "2025-11-24T16:00:00.123Z"
    assert told["dataschema"] == "urn:kitchen-patrol:schema:finding:v1"
    # Attribute names of CloudEvents are lower-case letters and digits.
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in told)
    assert told["data"]["site_name"] == "第一中学食堂"
    FindingData.model_validate(told["data"])


def test_a_notice_is_the_same_bytes_at_every_attempt() -> None:
    assert event_bytes(notice(), "urn:a") == event_bytes(notice(), "urn:a")
    assert "第一中学食堂".encode() in event_bytes(notice(), "urn:a")


def test_every_event_has_an_id_of_its_own_without_a_full_stop() -> None:
    notices = [
        notice(),
        Notice(7, "finding.claimed", 12, 2, AT_NS, "", "{}"),
        Notice(8, "verdict.changed", 0, 0, AT_NS, "", "{}"),
        Notice(9, "verdict.changed", 0, 0, AT_NS, "", "{}"),
        Notice(9, "verdict.changed", 0, 0, AT_NS + 1, "", "{}"),
        trial_notice("city", AT_NS),
    ]
    ids = {event_id(notice) for notice in notices}
    assert len(ids) == len(notices)
    assert not any("." in camera_id for camera_id in ids)


def test_no_password_of_a_camera_is_in_a_notice() -> None:
    assert b"geheim" not in event_bytes(notice(), "urn:a")
    verdict = Verdict(CAMERA.camera_id, 5, AT_NS, State.FAULT, announced_kinds=(FaultKind.COVERED,))
    assert "geheim" not in verdict_data(verdict, CAMERA, "").model_dump_json()


def test_a_changed_verdict_is_about_its_camera() -> None:
    verdict = Verdict(
        CAMERA.camera_id, 2**62, AT_NS, State.FAULT, announced=State.FAULT, announced_kinds=(FaultKind.COVERED,),
        since_wall_ns=AT_NS, severity=Severity.BLIND,
    )  # fmt: skip
    body = verdict_data(verdict, CAMERA, "石家庄市长安区").model_dump_json()
    told = event(Notice(3, "verdict.changed", 0, 0, AT_NS, "130102", body), "urn:a")
    assert told["subject"] == "cameras/13010200001320000002"
    assert told["type"] == "cn.kitchen-patrol.verdict.changed.v1"
    assert told["data"]["kinds"] == ["covered"]
    assert told["data"]["visit_id"] == str(2**62)  # a number would lose digits in JavaScript


def test_a_body_that_is_no_object_is_refused_before_it_is_signed() -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        event_bytes(Notice(1, "finding.opened", 1, 1, AT_NS, "", "[]"), "urn:a")


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(0) == ""
    assert rfc3339(1_000_000) == "1970-01-01T00:00:00.001Z"


def test_a_signature_is_that_of_the_standard() -> None:
    signed = headers([SECRET], "finding-12-1-5", 1_674_087_231, b'{"a":1}')
    digest = hmac.new(SECRET, b'finding-12-1-5.1674087231.{"a":1}', hashlib.sha256).digest()
    assert signed == {
        "webhook-id": "finding-12-1-5",
        "webhook-timestamp": "1674087231",
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def test_the_example_of_the_standard_is_signed_as_its_libraries_sign_it() -> None:
    # Test vector of the reference libraries of Standard Webhooks.
    (secret,) = parse_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "file")
    signed = headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_secrets_change_both_the_old_and_the_new_one_verify() -> None:
    new = b"fedcba9876543210fedcba9876543210"
    signed = headers([new, SECRET], "id", 1000, b"body")
    assert verified(SECRET, signed, b"body", 1000)
    assert verified(new, signed, b"body", 1000)
    assert not verified(b"x" * 32, signed, b"body", 1000)


def test_what_was_changed_on_the_way_or_is_old_does_not_verify() -> None:
    signed = headers([SECRET], "id", 1000, b"body")
    assert verified(SECRET, signed, b"body", 1300)
    assert not verified(SECRET, signed, b"body", 1301)
    assert not verified(SECRET, signed, b"body", 699)
    assert not verified(SECRET, signed, b"body2", 1000)
    assert not verified(SECRET, {**signed, "webhook-id": "other"}, b"body", 1000)
    assert not verified(SECRET, {**signed, "webhook-timestamp": "1001"}, b"body", 1000)
    assert not verified(SECRET, {}, b"body", 1000)


def test_a_file_of_secrets_holds_one_or_two() -> None:
    assert parse_secrets(f"# ours\n{SECRET_LINE}\n", "file") == (SECRET,)
    assert len(parse_secrets(f"{SECRET_LINE}\n{SECRET_LINE} # the old one\n", "file")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds 0 secrets"),
        (f"{SECRET_LINE}\n" * 3, "holds 3 secrets"),
        ("correct-horse-battery", "does not begin with whsec_"),
        ("whsec_correct-horse-battery", "no base64"),
        ("whsec_c2hvcnQ=", "is of 5 bytes"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "is of 65 bytes"),
    ],
)
def test_a_bad_file_of_secrets_says_what_is_wrong_and_repeats_no_secret(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_secrets(text, "file")
    assert "horse" not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_an_endpoint_hears_of_its_region_and_of_the_kinds_it_wants() -> None:
    city, county = endpoint("city", region="1301"), endpoint("county", region="130102", events=("finding.opened",))
    everything = endpoint("all", events=("*",))
    who = [city, county, everything]
    assert recipients(who, notice()) == ("city", "county", "all")
    assert recipients(who, notice(region="130202")) == ("all",)
    assert recipients(who, notice("finding.claimed")) == ("city", "all")
    assert recipients(who, notice("verdict.changed")) == ("all",)
    assert recipients(who, notice(region="13")) == ("all",)


def test_every_step_of_the_ledger_that_is_told_is_a_kind_of_notice() -> None:
    assert {f"finding.{step}" for step in PUBLISHED_STEPS} == set(NOTICE_KINDS) - {"verdict.changed"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED), (204, Outcome.DELIVERED), (302, Outcome.REDIRECTED), (400, Outcome.REFUSED),
        (401, Outcome.CLIENT_ERROR), (404, Outcome.CLIENT_ERROR), (410, Outcome.GONE), (413, Outcome.REFUSED),
        (422, Outcome.REFUSED), (429, Outcome.THROTTLED), (500, Outcome.SERVER_ERROR), (503, Outcome.SERVER_ERROR),
        (999, Outcome.SERVER_ERROR),
    ],
)  # fmt: skip
def test_a_status_means(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("120", 120), ("0", 0), (" 7 ", 7), ("Wed, 21 Oct 2015 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0), ("Wed, 21 Oct 2015 07:28:30 -0000", 30), ("soon", None), ("-1", None),
        ("1e3", None), ("9" * 40, None), ("", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, wait_s: int | None) -> None:
    now_ns = 1_445_412_480 * 10**9  # 07:28:00
    assert retry_after_ns(header, now_ns) == (None if wait_s is None else wait_s * 10**9)


TABLE = '[[notices.endpoints]]\nname = "city"\nurl = "{url}"\nsecret_file = "s"\n{more}\n'


@pytest.mark.parametrize(
    "url", ["https://city.example/x", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:80/"]
)
def test_an_endpoint_is_https_or_on_this_machine(url: str) -> None:
    assert loads(TABLE.format(url=url, more="")).notices.endpoints[0].url == url


def test_plain_http_is_taken_where_it_is_allowed_by_name() -> None:
    assert loads(TABLE.format(url="http://city.example/x", more="plain_http = true")).notices.endpoints


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("http://u:geheim@city.example/x", "", "everybody on the way"),
        ("ftp://u:geheim@city.example/x", "", "allowed: an https URL"),
        ("https://", "", "allowed: an https URL"),
        ("https://city.example:port/", "", "allowed: an https URL"),
        ("https://city.example/x", 'events = ["finding.closd"]', "matches no kind"),
        ("https://city.example/x", 'region = "1301x"', "region"),
        ("https://city.example/x", "timeout_s = 0", "timeout_s"),
        ("https://u:geheim@city.example/x", "name2 = 1", "did you mean name"),
        ("https://city.example/x", TABLE.format(url="https://b.example/", more=""), "another endpoint has this name"),
    ],
)
def test_a_bad_endpoint_is_named_without_its_password(url: str, more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        loads(TABLE.format(url=url, more=more))
    assert "geheim" not in str(caught.value)


def test_an_endpoint_without_a_name_is_told_so_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"notices.endpoints.0.name: is missing; add it") as caught:
        loads('[[notices.endpoints]]\nurl = "https://u:geheim@city.example/x"\nsecret_file = "s"')
    assert "geheim" not in str(caught.value)


def test_the_payload_is_json_that_keeps_chinese_as_it_is() -> None:
    assert json.loads(event_bytes(notice(), "urn:a"))["data"]["region_name"] == "石家庄市长安区"
