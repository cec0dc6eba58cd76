"""Media platforms over real HTTP: what they claim comes into the registry, nothing else does, and no secret leaks."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.batch.platforms import PullOptions, compare_claims, list_wvp, list_zlmediakit, pull
from engine.batch.registry import DatabaseRegistry, open_database_registry
from engine.config.schema import RecordSettings, Settings
from engine.errors import ConfigError, PlatformError
from engine.interchange.http_json import PlatformHttp
from engine.interchange.stream_url import StreamUrl
from engine.interchange.wvp import WvpList
from engine.model.camera import Camera
from engine.model.registry import CameraQuery
from engine.model.verdict import State, Verdict
from engine.model.visit import FailureReason
from engine.storage.db.store import Store, VisitRecord
from tests.support.certificates import certificate
from tests.support.feed.platforms import Answer, channel, media, old_wvp, serving, wvp, zlmediakit

SECRET = "platform-secret-0123456789"
KITCHEN, STORE_ROOM, NEW = "13010200001310000001", "13010200001310000002", "13020200001320000003"
NVR, GROUP = "13010200001180000001", "13010200002150000001"


def code(number: int) -> str:
    return f"13010200001310{number:06}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(record=RecordSettings(url=f"sqlite:///{tmp_path}/patrol.db"))


@pytest.fixture
def registry(settings: Settings) -> Iterator[DatabaseRegistry]:
    with open_database_registry(settings, create=True) as registry:
        registry.upsert(
            [
                Camera(KITCHEN, "rtsp://u:secret@10.0.0.1/1", "烹饪间", region="130102"),
                Camera(STORE_ROOM, "rtsp://u:secret@10.0.0.2/1", "仓库", region="130102", platform_status="OFF"),
                Camera("served", "http://127.0.0.1:8080/live/hall.live.flv", region="130202", platform_status="ON"),
                Camera("elsewhere", "rtsp://10.9.9.9/1", region="130102", platform_status="ON"),
            ]
        )
        yield registry


def statuses(registry: DatabaseRegistry) -> dict[str, str]:
    return {status.camera.camera_id: status.camera.platform_status for status in registry.cameras(CameraQuery())}


def zlm(url: str, secret: str = SECRET, **more: Any) -> PlatformHttp:
    return PlatformHttp(url, query={"secret": secret}, **more)


def test_a_zlmediakit_says_of_each_camera_whether_it_has_a_picture(
    registry: DatabaseRegistry, settings: Settings
) -> None:
    streams = [
        media("rtp", f"{NVR}_{KITCHEN}", "rtsp"),
        media("rtp", f"{NVR}_{KITCHEN}", "fmp4", key_frames=0),
        media("proxy", "cam2", originUrl="rtsp://admin:pw@10.0.0.2:554/1", key_frames=None),
        media("live", "hall", key_frames=0),
        media("live", "other"),
    ]
    with serving(zlmediakit(streams)) as (url, asked):
        pulled = list_zlmediakit(zlm(url), (), "")
    assert len(asked) == 1
    report = pull(registry, pulled, PullOptions(), settings)
    assert statuses(registry) == {KITCHEN: "ON", STORE_ROOM: "OFF", "served": "OFF", "elsewhere": "ON"}
    assert (report.channels, report.known, report.absent, report.added) == (4, 3, 0, 0)
    assert [(change.camera_id, change.was, change.now) for change in report.changes] == [
        (KITCHEN, "", "ON"),
        ("served", "ON", "OFF"),
    ]
    assert [entry.ids[0] for entry in report.unknown] == ["live/other"]


def test_nothing_but_platform_status_is_written(registry: DatabaseRegistry, settings: Settings) -> None:
    store = Store.open(settings.record.url)
    before = {camera.camera_id: camera for camera in store.registry.cameras()}
    listed = [channel(KITCHEN, "OFF", "another name", gbCivilCode="1399", gbParentId=NVR), channel(STORE_ROOM, "OFF")]
    with serving(wvp(listed)) as (url, _):
        pull(registry, list_wvp(wvp_http(url), (), 500, 10), PullOptions(), settings)
    after = {camera.camera_id: camera for camera in store.registry.cameras()}
    assert after == before | {KITCHEN: replace(before[KITCHEN], platform_status="OFF")}
    assert after[KITCHEN].url == "rtsp://u:secret@10.0.0.1/1"
    store.close()


def wvp_http(url: str, token: str = SECRET, **more: Any) -> PlatformHttp:
    return PlatformHttp(url, headers={"access-token": token}, **more)


def test_a_wvp_is_read_page_by_page_to_its_end() -> None:
    listed = [channel(code(number), "ON" if number % 2 else "OFF") for number in range(23)]
    with serving(wvp(listed)) as (url, asked):
        pulled = list_wvp(wvp_http(url), (), 10, 10)
    assert [target.split("?")[1] for target in asked] == [f"page={page}&count=10" for page in (1, 2, 3)]
    assert {channel.ids[0]: channel.status for channel in pulled.channels} == {
        entry["gbDeviceId"]: entry["gbStatus"] for entry in listed
    }
    assert pulled.notes == ()


def test_a_full_last_page_is_not_asked_for_again() -> None:
    with serving(wvp([channel(code(number)) for number in range(20)])) as (url, asked):
        assert len(list_wvp(wvp_http(url), (), 10, 10).channels) == 20
    assert len(asked) == 2


def test_groups_and_entries_without_an_id_are_left_out_and_counted() -> None:
    listed = [channel(KITCHEN), channel(GROUP), channel(None), channel("no-code", "OFF")]
    with serving(wvp(listed)) as (url, _):
        pulled = list_wvp(wvp_http(url), (), 10, 10)
    assert [channel.ids[0] for channel in pulled.channels] == [KITCHEN, "no-code"]
    assert pulled.notes == ("2 entries are no cameras (groups, recorders, entries without an id)",)


def test_a_list_that_shrinks_while_it_is_read_is_told() -> None:
    def shrinking(path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        del path, headers
        first = query["page"] == "1"
        return 200, {"code": 0, "data": {"total": 3, "list": [channel(KITCHEN)] if first else []}}

    with serving(shrinking) as (url, asked):
        pulled = list_wvp(wvp_http(url), (), 1, 10)
    assert len(asked) == 2
    assert pulled.notes == ("3 entries were promised, 1 came; it changed meanwhile, pull again",)


def test_a_list_without_an_end_is_cut() -> None:
    def endless(path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        del path, headers
        return 200, {"code": 0, "data": {"total": 10**9, "list": [channel(code(int(query["page"])))]}}

    with (
        serving(endless) as (url, asked),
        pytest.raises(PlatformError, match=r"more than 5 pages of 1; raise --pages-max"),
    ):
        list_wvp(wvp_http(url), (), 1, 5)
    assert len(asked) == 5


def test_an_older_wvp_is_asked_device_by_device() -> None:
    devices: dict[str, list[dict[str, Any]]] = {
        NVR: [
            {"channelId": KITCHEN, "deviceId": NVR, "name": "烹饪间", "status": True, "civilCode": "130102"},
            {"channelId": STORE_ROOM, "deviceId": NVR, "name": "仓库", "status": False, "parentId": "130102"},
        ],
        NVR[:-1] + "2": [{"deviceId": NEW, "name": "新", "status": "ON", "gbDeviceId": None}],
    }
    with serving(old_wvp(devices)) as (url, asked):
        pulled = list_wvp(wvp_http(url), (), 1, 20)
    found = {channel.ids[0]: (channel.status, channel.parent_id, channel.region) for channel in pulled.channels}
    assert found == {
        KITCHEN: ("ON", NVR, "130102"), STORE_ROOM: ("OFF", NVR, "130102"), NEW: ("ON", NVR[:-1] + "2", "130202"),
    }  # fmt: skip
    assert pulled.notes == ()
    assert len(asked) == 6


def test_a_wvp_that_wraps_no_answer_is_understood() -> None:
    pages = {"1": {"total": 1, "list": [channel(KITCHEN)]}}
    listing = WvpList(lambda _, query: pages[query["page"]], 10, 10)
    assert [channel.ids for channel in listing.channels()] == [(KITCHEN,)]


def test_unknown_channels_are_added_only_where_asked_and_by_the_registrys_rules(
    registry: DatabaseRegistry, settings: Settings
) -> None:
    listed = [
        channel(NEW, "ON", " 新摄像头 ", gbCivilCode="13020200", gbParentId=NVR),
        channel("13020200001320000004", "ON", gbCivilCode="130202"),
        channel("13010200001320000005", "ON"),
    ]
    with serving(wvp(listed)) as (url, _):
        pulled = list_wvp(wvp_http(url), (), 10, 10)
    template = StreamUrl("rtsp://m:554/rtp/{parent_id}_{camera_id}")
    order = PullOptions(region="1302", stream_url=template, dry_run=True)
    report = pull(registry, pulled, order, settings)
    assert report.added == 1
    assert NEW not in statuses(registry)
    report = pull(registry, pulled, PullOptions(region="1302", stream_url=template), settings)
    assert report.added == 1
    assert [(problem.column, problem.value) for problem in report.problems] == [("url", "")]
    (added,) = (status.camera for status in registry.cameras(CameraQuery("1302")) if status.camera.camera_id == NEW)
    assert added == Camera(
        NEW, f"rtsp://m:554/rtp/{NVR}_{NEW}", "新摄像头", region="130202", uplink=NVR, platform_status="ON"
    )
    assert set(statuses(registry)) == {KITCHEN, STORE_ROOM, "served", "elsewhere", NEW}
    again = pull(registry, pulled, PullOptions(region="1302", stream_url=template), settings)
    assert (again.added, again.changes) == (0, [])


def test_streams_without_a_code_are_added_under_app_and_stream(registry: DatabaseRegistry, settings: Settings) -> None:
    with serving(zlmediakit([media("live", "gate")])) as (url, _):
        pulled = list_zlmediakit(zlm(url), (), "")
    pull(registry, pulled, PullOptions(stream_url=StreamUrl("rtsp://m/{app}/{stream}")), settings)
    assert statuses(registry)["live/gate"] == "ON"
    assert pull(registry, pulled, PullOptions(), settings).unknown == []


def test_a_dry_run_writes_nothing(registry: DatabaseRegistry, settings: Settings) -> None:
    before = statuses(registry)
    with serving(wvp([channel(KITCHEN)])) as (url, _):
        report = pull(registry, list_wvp(wvp_http(url), (), 10, 10), PullOptions(dry_run=True), settings)
    assert len(report.changes) == 1
    assert statuses(registry) == before


def test_only_cameras_of_the_region_are_written(registry: DatabaseRegistry, settings: Settings) -> None:
    with serving(wvp([channel(KITCHEN), channel("served", "OFF")])) as (url, _):
        report = pull(registry, list_wvp(wvp_http(url), (), 10, 10), PullOptions(region="1302"), settings)
    assert [change.camera_id for change in report.changes] == ["served"]
    assert report.unknown == []


def test_cameras_of_the_platform_that_it_does_not_list_are_counted_and_off_where_asked(
    registry: DatabaseRegistry, settings: Settings
) -> None:
    with serving(zlmediakit([])) as (url, _):
        pulled = list_zlmediakit(zlm(url), ["10.9.9.9"], "")
    report = pull(registry, pulled, PullOptions(), settings)
    assert (report.absent, report.changes) == (2, [])
    pull(registry, pulled, PullOptions(mark_absent=True), settings)
    assert statuses(registry) == {KITCHEN: "", STORE_ROOM: "OFF", "served": "OFF", "elsewhere": "OFF"}


def test_one_protocol_alone_can_be_asked_for() -> None:
    streams = [media("live", "a", "rtsp"), media("live", "b", "rtmp")]
    with serving(zlmediakit(streams)) as (url, asked):
        assert [channel.ids[0] for channel in list_zlmediakit(zlm(url), (), "rtmp").channels] == ["live/b"]
    assert "schema=rtmp" in asked[0]


def zlm_pull(url: str, **more: Any) -> None:
    list_zlmediakit(zlm(url, **more), (), "")


def wvp_pull(url: str, **more: Any) -> None:
    list_wvp(wvp_http(url, **more), (), 10, 10)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"code": -100, "msg": f"Incorrect secret {SECRET}"}, "code -100"),
        (401, {"code": 401, "msg": SECRET}, "HTTP 401"),
        (500, b"<html>" + SECRET.encode() * 1000, "HTTP 500"),
        (302, b"", "redirects are not followed"),
        (200, f"<html>{SECRET}".encode(), "no JSON but"),
        (200, b"[" * 100_000, "no JSON but"),
        (200, [1, 2], "ZLMediaKit?|WVP-PRO?"),
        (200, {"code": 0, "data": 5}, "ZLMediaKit?|WVP-PRO?"),
        (200, {"code": 0, "data": {"list": [1]}}, "ZLMediaKit?|WVP-PRO?"),
    ],
)
@pytest.mark.parametrize("ask", [zlm_pull, wvp_pull])
def test_an_answer_that_cannot_be_used_is_told_without_the_secret(
    ask: Callable[[str], None], status: int, body: Any, said: str
) -> None:
    with serving(lambda *_: (status, body)) as (url, _), pytest.raises(PlatformError, match=said) as caught:
        ask(url)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_entries_of_another_shape_are_passed_over_and_harm_nothing() -> None:
    odd = [
        1,
        None,
        {},
        {"stream": ""},
        media("live", "a", tracks=None),
        media("live", "b", tracks=[None, {"codec_type": 0}]),
    ]
    with serving(zlmediakit([])) as _, serving(lambda *_: (200, {"code": 0, "data": odd})) as (url, _):
        roll = list_zlmediakit(zlm(url), (), "").channels
    assert {channel.ids[0]: channel.status for channel in roll} == {"live/a": "OFF", "live/b": "ON"}


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    with (
        serving(lambda *_: (200, b" " * 10_000)) as (url, _),
        pytest.raises(PlatformError, match="more than 5000 bytes"),
    ):
        zlm_pull(url, bytes_max=5000)


def test_a_platform_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(PlatformError, match="Connection refused; is the address right"):
            zlm_pull(f"http://127.0.0.1:{taken.getsockname()[1]}")


Say = Callable[[socket.socket, threading.Event], None]


@contextmanager
def speaking(say: Say) -> Iterator[str]:
    """A server that says to each caller whatever `say` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def run() -> None:
        caller, _ = listener.accept()
        with caller:
            say(caller, over)

    thread = threading.Thread(target=run)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    over.set()
    thread.join()
    listener.close()


def silent(caller: socket.socket, over: threading.Event) -> None:
    del caller
    over.wait(20)


def dripping(caller: socket.socket, over: threading.Event) -> None:
    caller.recv(4096)
    caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    try:
        while not over.wait(0.05):
            caller.sendall(b" ")
    except OSError:
        pass


def babbling(caller: socket.socket, over: threading.Event) -> None:
    del over
    caller.recv(4096)
    caller.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.mark.parametrize("say", [silent, dripping])
def test_a_platform_that_does_not_come_to_an_end_is_given_up(say: Say) -> None:
    with speaking(say) as url:
        begun = time.monotonic()
        with pytest.raises(PlatformError, match="no answer within 1 s"):
            zlm_pull(url, timeout_s=1)
        assert time.monotonic() - begun < 10


def test_what_speaks_no_http_is_told() -> None:
    with speaking(babbling) as url, pytest.raises(PlatformError, match="no HTTP"):
        zlm_pull(url)


@pytest.mark.parametrize(
    "url",
    ["", "media:80", "ftp://h", "http://", "http://u:secret@h", "http://h/?secret=s", "http://h:99999", "http://[::1"],
)
def test_a_url_that_cannot_be_a_platforms_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="give a URL like") as caught:
        PlatformHttp(url)
    assert "u:secret" not in str(caught.value)


def test_https_is_verified(tmp_path: Path) -> None:
    pem, context = certificate(tmp_path)
    with serving(zlmediakit([media("live", "a")]), context) as (url, asked):
        with pytest.raises(PlatformError, match="its certificate does not hold"):
            zlm_pull(url)
        assert asked == []
        assert len(list_zlmediakit(zlm(url, ca=pem), (), "").channels) == 1
    with pytest.raises(ConfigError, match=r"absent\.pem"):
        PlatformHttp("https://h", ca=tmp_path / "absent.pem")


def test_where_platform_and_engine_differ_is_told_by_region(registry: DatabaseRegistry, settings: Settings) -> None:
    with serving(wvp([channel(KITCHEN), channel(STORE_ROOM, "OFF"), channel("served"), channel("elsewhere")])) as (
        url,
        _,
    ):
        pull(registry, list_wvp(wvp_http(url), (), 10, 10), PullOptions(), settings)
    announced = {KITCHEN: State.OFFLINE, STORE_ROOM: State.OK, "served": State.OFFLINE, "elsewhere": State.UNKNOWN}
    store = Store.open(settings.record.url)
    reason = FailureReason.TIMEOUT_KEYFRAME.value
    store.write(
        [
            VisitRecord(Verdict(camera_id, 1, 9, state, reason=reason, announced=state, since_wall_ns=10**18), b"")
            for camera_id, state in announced.items()
        ]
    )
    store.close()
    found = compare_claims(registry, "1301")
    assert (found.agree, found.unclear) == (0, 1)
    assert [(row.camera.camera_id, row.platform_online, row.ours, row.why) for row in found.disagree] == [
        (KITCHEN, True, State.OFFLINE, reason), (STORE_ROOM, False, State.OK, ""),
    ]  # fmt: skip
    assert len(compare_claims(registry, "").disagree) == 3


def patrol(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", "cameras", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )


@pytest.mark.long
def test_the_commands_pull_and_disagree(registry: DatabaseRegistry, settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "{settings.record.url}"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    common = ("--config", str(config))
    with serving(zlmediakit([media("rtp", f"{NVR}_{KITCHEN}"), media("live", "new")])) as (url, asked):
        done = patrol("pull", "zlmediakit", "--url", url, "--dry-run", *common, ZLM_SECRET=SECRET)
        assert done.returncode == 0, done.stderr
        assert "石家庄市长安区" in done.stdout
        assert "live/new" in done.stdout
        assert "1 would be changed, 1 unknown, 0 would be added" in done.stdout
        assert statuses(registry)[KITCHEN] == ""
        done = patrol("pull", "zlmediakit", "--url", url, "--json", "--secret-env", "OTHER", *common, OTHER=SECRET)
        report = json.loads(done.stdout)
        assert report["changes"] == [
            {"camera": f"cameras/{KITCHEN}", "displayName": "烹饪间", "region": "130102", "was": "", "now": "ON"}
        ]
        assert statuses(registry)[KITCHEN] == "ON"
        wrong = patrol("pull", "zlmediakit", "--url", url, *common, ZLM_SECRET="not-the-secret-1234")
        assert wrong.returncode == 2
        assert "code -100" in wrong.stderr
        assert "not-the-secret" not in wrong.stdout + wrong.stderr
        assert len(asked) == 3
    assert "ZLM_SECRET: not in the environment" in patrol("pull", "zlmediakit", "--url", "http://h", *common).stderr
    done = patrol("pull", "wvp", "--url", "http://h", "--add", *common, WVP_TOKEN=SECRET)
    assert "--add and --stream-url" in done.stderr
    with serving(wvp([channel(KITCHEN), channel(NEW, name="新", gbParentId=NVR)])) as (url, _):
        template = ("--add", "--stream-url", "rtsp://m/rtp/{parent_id}_{camera_id}")
        done = patrol("pull", "wvp", "--url", url, *template, *common, WVP_TOKEN=SECRET)
        assert "1 added" in done.stdout
        assert SECRET not in done.stdout + done.stderr
    store = Store.open(settings.record.url)
    down = Verdict(KITCHEN, 1, 9, State.OFFLINE, reason="refused", announced=State.OFFLINE, since_wall_ns=10**18)
    store.write([VisitRecord(down, b"")])
    store.close()
    (line,) = map(json.loads, patrol("disagree", "--region", "1301", "--json", *common).stdout.splitlines())
    names = ("camera", "regionName", "platform", "announced", "why", "sinceTime")
    assert tuple(line[name] for name in names) == (
        f"cameras/{KITCHEN}", "石家庄市长安区", "online", "VERDICT_STATE_OFFLINE", "refused", "2001-09-09T01:46:40Z",
    )  # fmt: skip
    done = patrol("disagree", *common)
    assert done.stdout.splitlines()[0].split() == [
        "camera", "name", "canteen", "region", "platform", "ours", "why", "since", "(UTC+8)",
    ]  # fmt: skip
    assert "1 disagree, 0 agree" in done.stderr
    listed = [json.loads(line)["name"] for line in patrol("list", "--json", *common).stdout.splitlines()]
    assert f"cameras/{KITCHEN}" in listed
    assert len(listed) > 1
    (line,) = map(json.loads, patrol("list", "--platform-disagrees", "--json", *common).stdout.splitlines())
    assert line["name"] == f"cameras/{KITCHEN}"
