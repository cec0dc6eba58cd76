"""A day in the life of a county, over gRPC alone: `patrol run` on SQLite, or three shards behind a front, one lost.

Real cameras, a real receiver of webhooks.

The neighbour has a camera that is covered too, and all the day long the county learns nothing of it
(tests/support/serve/routes.py).
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.client import CallError, PatrolClient
from engine.model.access import Role
from engine.model.camera import Camera, KeyPoint
from engine.model.findings import Finding, FindingQuery, FindingState, Level, Step
from engine.model.kpi import KpiName, KpiQuery, LeagueQuery
from engine.model.registry import CameraQuery
from engine.model.spot_check import SpotCheckOrder
from engine.model.verdict import Severity
from engine.serve.messages.places import Places
from engine.serve.messages.resume_token import encode_resume_token
from engine.serve.streams.filters import FINDINGS, VERDICTS
from engine.storage.db.store import Store
from engine.storage.evidence.store import EvidenceStore
from tests.support.cluster.county_cluster import CountyCluster
from tests.support.county_configuration import alone, on_a_machine
from tests.support.county_day import CameraPorts, PatrolProcess, Tokens, WatchLog, camera_server, follow_watches
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.serve.calls import RPCS
from tests.support.serve.routes import ROUTES, RequestNames, find_leaks
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import SECRET_LINE, Receiver, Reply, receiving

OWN, NEIGHBOUR = "130102", "130103"
HOB, SCREEN, BOARD, HATCH = (f"1301020000132000000{n}" for n in range(1, 5))
STOVE, STORE = (f"1301030000132000000{n}" for n in range(1, 3))
FIRST, SECOND, OTHER = "第一中学食堂", "第二中学食堂", "石桥小学食堂"


@pytest.fixture
def ports() -> Iterator[CameraPorts]:
    with camera_server() as finding:
        yield finding


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It takes what is signed as it should be, and nothing else."""
    finding = Receiver()
    finding.reply = lambda received: Reply(204 if received.genuine else 401)
    with receiving(finding):
        yield finding


@pytest.fixture(params=["alone", pytest.param("behind a front", marks=pytest.mark.long)])
def patrol(
    request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver
) -> Iterator[PatrolProcess | CountyCluster]:
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "secret").write_text(SECRET_LINE)
    running: PatrolProcess | CountyCluster
    if request.param == "alone":
        config = tmp_path / "patrol.toml"
        config.write_text(alone(tmp_path, address, receiver.url), encoding="utf-8")
        running = PatrolProcess(config, address)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        text = on_a_machine(tmp_path, address, receiver.url, server.database())
        running = CountyCluster(text, tmp_path, address, [OWN, NEIGHBOUR, "130104"])
    running.start()
    yield running
    running.close()


@pytest.fixture
def tokens(patrol: PatrolProcess | CountyCluster) -> Tokens:
    made = Tokens(patrol)
    made.make("province", Role.OPERATOR, "13")
    for region in (OWN, NEIGHBOUR):
        made.make(f"inspector-{region}", Role.INSPECTOR, region)
        made.make(f"chief-{region}", Role.ADMIN, region)
    return made


def own_cameras(ports: CameraPorts) -> list[Camera]:
    """Two canteens: hob and dining screen in the first, chopping board and hatch in the second."""

    def camera(camera_id: str, shows: str, name: str, site: str, site_name: str, point: KeyPoint) -> Camera:
        required = point in (KeyPoint.COOKING, KeyPoint.CUTTING)
        return Camera(camera_id, ports.url(shows), name, site, site_name, OWN, point, required, f"nvr-{camera_id}")

    return [
        camera(HOB, "clear", "烹饪间", "s1", FIRST, KeyPoint.COOKING),
        camera(SCREEN, "clear", "就餐区公示屏", "s1", FIRST, KeyPoint.DINING_SCREEN),
        camera(BOARD, "clear", "切配间", "s2", SECOND, KeyPoint.CUTTING),
        camera(HATCH, "nothing", "备餐间", "s2", SECOND, KeyPoint.SERVING),
    ]


def neighbours_cameras(ports: CameraPorts) -> list[Camera]:
    """One covered, one clear."""
    return [
        Camera(
            STOVE,
            ports.url("covered next door"),
            "石桥灶台",
            "bridge",
            OTHER,
            NEIGHBOUR,
            KeyPoint.COOKING,
            True,
            "nvr-stone",
        ),
        Camera(
            STORE,
            ports.url("clear next door"),
            "石桥仓库",
            "bridge",
            OTHER,
            NEIGHBOUR,
            KeyPoint.STORAGE,
            False,
            "nvr-bridge",
        ),
    ]


def rates(client: PatrolClient) -> dict[str, tuple[int, int]]:
    """What the county reads of itself."""
    (row,) = client.kpis(KpiQuery()).rows
    wanted = (KpiName.CLARITY, KpiName.ONLINE, KpiName.KEY_POINT_COVERAGE, KpiName.DISPLAY_SCREEN)
    return {name.value: (row.rates[name].numerator, row.rates[name].denominator) for name in wanted}


def stands(client: PatrolClient, **wanted: tuple[int, int]) -> bool:
    return len(client.kpis(KpiQuery()).rows) == 1 and rates(client) == wanted


def league(client: PatrolClient) -> list[str]:
    """Counties by clarity, best first."""
    return [line.row.region for line in client.league(LeagueQuery()).rows if line.place]


def finding_of(client: PatrolClient, camera_id: str) -> Finding | None:
    return next(client.findings.list(FindingQuery(camera_id=camera_id)), None)


def in_state(client: PatrolClient, finding_id: int, *states: FindingState) -> Finding | None:
    finding = client.findings.get(finding_id)
    return finding if finding.state in states else None


def steps(client: PatrolClient, finding_id: int) -> list[Step]:
    return [event.step for event in client.findings.events(finding_id)]


def test_a_day_in_the_life(
    ports: CameraPorts, patrol: PatrolProcess | CountyCluster, tokens: Tokens, receiver: Receiver, tmp_path: Path
) -> None:
    province, county = tokens.client("province"), tokens.client(f"inspector-{OWN}")
    next_door = tokens.client(f"inspector-{NEIGHBOUR}")
    watches = (tokens.client(f"inspector-{OWN}"), tokens.client(f"inspector-{OWN}"))
    with province, county, next_door, follow_watches(*watches) as heard:
        hob, board, screen = _morning_to_noon(ports, province, county, receiver)
        _the_claim_that_came_too_early(county, hob)
        decided = province.findings.close(screen, "公示屏换了位置，已到现场看过", request_id="on-site")
        assert decided.state is FindingState.CLOSED

        patrol.stop()
        patrol.start(tokens.secrets["province"])
        _the_claim_that_holds(ports, province, county, hob)
        assert county.findings.get(board).state is FindingState.SUPERVISED

        assert heard.error == ""
        assert heard.resumed >= 2
        _both_watches_brought_all_and_nothing_else(heard, province)
        _the_receiver_heard_of_the_county_alone(receiver, county, hob, board)
        _nobody_looks_over_the_fence(patrol.database_url, ports, tokens, province, next_door, hob)
    patrol.stop()
    evidence = EvidenceStore(tmp_path / "ev", 10**9)
    told = [event for event, _ in heard.changes if event.finding_id == hob]
    for digest in (digest for event in told for digest in event.evidence):
        kept = evidence.get_exhibit(digest, HOB)
        assert kept is not None
        assert hashlib.sha256(kept.keyframe.payload).hexdigest() == digest


def _morning_to_noon(
    ports: CameraPorts, province: PatrolClient, county: PatrolClient, receiver: Receiver
) -> tuple[int, int, int]:
    """Imported, mended, covered, found, told, taken on, run overdue; the findings of hob, board and screen."""
    cameras = own_cameras(ports)
    bad = replace(cameras[0], camera_id="bad", region="13x")
    report = province.import_cameras([*cameras, bad])
    assert [(problem.index, problem.column) for problem in report.problems] == [(4, "region")]
    assert list(province.cameras()) == []
    assert province.import_cameras([*cameras, *neighbours_cameras(ports)]).added == 6
    wait_until(
        lambda: stands(county, clarity=(3, 3), online=(3, 4), key_point_coverage=(2, 2), display_screen=(1, 2)),
        timeout_s=40,
    )
    province.update_camera(replace(cameras[3], url=ports.url("clear")), ["url"])
    wait_until(lambda: stands(county, clarity=(4, 4), online=(4, 4), key_point_coverage=(2, 2), display_screen=(1, 2)))
    wait_until(lambda: league(province) == [OWN, NEIGHBOUR])
    assert list(county.findings.list()) == []

    shown = ("covered", "covered", "blurred")
    faulty = [replace(camera, url=ports.url(what)) for camera, what in zip(cameras, shown, strict=False)]
    assert province.import_cameras(faulty).changed == 3
    hob, screen, board = (wait_until(partial(finding_of, county, camera.camera_id), timeout_s=30) for camera in faulty)
    assert (hob.subject.cause_key, hob.severity, hob.level) == ("covered", Severity.BLIND, Level.SCHOOL)
    assert board.severity is Severity.IMPAIRED
    opening = next(county.findings.events(hob.finding_id))
    (digest,) = opening.evidence
    for annotated in (False, True):
        picture = county.picture(HOB, sha256=digest, annotated=annotated)
        with Image.open(io.BytesIO(picture.jpeg)) as image:
            assert image.format == "JPEG"
            assert image.size == (picture.width, picture.height)
    wait_until(lambda: in_state(county, hob.finding_id, FindingState.NOTIFIED))
    wait_until(lambda: any(request.event["subject"] == f"findings/{hob.finding_id}" for request in receiver.taken))
    wait_until(lambda: stands(county, clarity=(1, 4), online=(4, 4), key_point_coverage=(1, 2), display_screen=(0, 2)))
    wait_until(lambda: league(province) == [NEIGHBOUR, OWN])

    last = wait_until(lambda: (finding := in_state(county, board.finding_id, FindingState.SUPERVISED))
                    and finding.level is Level.PROVINCE and finding.overdue and finding, timeout_s=30)  # fmt: skip
    assert last.supervised
    assert steps(county, board.finding_id).count(Step.ESCALATED) == 3
    return hob.finding_id, board.finding_id, screen.finding_id


def _the_claim_that_came_too_early(county: PatrolClient, hob: int) -> None:
    taken = county.findings.acknowledge(hob, "马上去看", request_id="ack")
    assert taken.state is FindingState.ACKNOWLEDGED
    with pytest.raises(CallError) as caught:
        county.findings.claim(hob, number=taken.number - 1)
    assert caught.value.status == "ABORTED"
    with pytest.raises(CallError) as caught:
        county.findings.close(hob, "就当没事")
    assert caught.value.status == "PERMISSION_DENIED"
    county.findings.claim(hob, "布已取下", request_id="too-early")
    wait_until(lambda: Step.RECHECK_FAILED in steps(county, hob), timeout_s=30)
    handed_back = county.findings.get(hob)
    assert (handed_back.state, handed_back.claims) == (FindingState.ACKNOWLEDGED, 1)


def _the_claim_that_holds(ports: CameraPorts, province: PatrolClient, county: PatrolClient, hob: int) -> None:
    for camera in own_cameras(ports)[:2]:
        province.update_camera(replace(camera, url=ports.url("clear")), ["url"])
    assert county.findings.claim(hob, "布真的取下了", request_id="now").claims == 2
    assert county.findings.claim(hob, "布真的取下了", request_id="now").claims == 2
    closed = wait_until(lambda: in_state(county, hob, FindingState.CLOSED), timeout_s=30)
    assert closed.number == len(steps(county, hob))
    assert steps(county, hob)[-4:] == [Step.CLAIMED, Step.RECHECK_BEGUN, Step.RECHECK_PASSED, Step.CLOSED]
    who = [event.who for event in county.findings.events(hob)]
    assert set(who) == {"engine", f"inspector-{OWN}"}
    wait_until(
        lambda: stands(county, clarity=(3, 4), online=(4, 4), key_point_coverage=(2, 2), display_screen=(1, 2)),
        timeout_s=30,
    )
    wait_until(lambda: league(province) == [OWN, NEIGHBOUR])


def _both_watches_brought_all_and_nothing_else(heard: WatchLog, province: PatrolClient) -> None:
    """From before the import until now, over a restart: no gap, no duplicate, and nobody else's."""
    logged = {
        camera.camera.camera_id: [(v.visit_id, v.at_wall_ns) for v in province.verdicts(camera.camera.camera_id)][::-1]
        for camera in province.cameras(CameraQuery(OWN))
    }

    def brought() -> dict[str, list[tuple[int, int]]]:
        found = defaultdict(list)
        for verdict in list(heard.verdicts):
            found[verdict.camera_id].append((verdict.visit_id, verdict.at_wall_ns))
        return found

    wait_until(lambda: all(len(brought()[camera_id]) >= len(seen) for camera_id, seen in logged.items()))
    came = brought()
    assert set(came) == set(logged)
    assert {camera_id: visits[: len(logged[camera_id])] for camera_id, visits in came.items()} == logged

    def lines() -> list[tuple[int, int, Step]]:
        return sorted(
            (event.finding_id, event.number, event.step)
            for finding in province.findings.list(FindingQuery(region_prefix=OWN))
            for event in province.findings.events(finding.finding_id)
        )

    wait_until(
        lambda: sorted((event.finding_id, event.number, event.step) for event, _ in list(heard.changes)) == lines()
    )
    assert {finding.subject.region for _, finding in heard.changes} == {OWN}


def _the_receiver_heard_of_the_county_alone(receiver: Receiver, county: PatrolClient, hob: int, board: int) -> None:
    told = {
        number: [step.value for step in steps(county, number) if step is not Step.NOTIFIED] for number in (hob, board)
    }

    def events() -> list[dict[str, Any]]:
        """As a receiver keeps them: each id once, for something may come twice over a restart."""
        return list({request.headers["webhook-id"]: request.event for request in receiver.taken}.values())

    def steps_of(number: int) -> list[str]:
        return [event["data"]["step"] for event in events() if event["data"]["finding"] == f"findings/{number}"]

    wait_until(lambda: all(len(steps_of(number)) >= len(wanted) for number, wanted in told.items()))
    assert {number: steps_of(number) for number in told} == told
    assert all(event["specversion"] == "1.0" for event in events())
    # What was being sent when the engine stopped may break off.
    whole = [request for request in receiver.requests if len(request.body) == int(request.headers["content-length"])]
    assert all(entry.genuine for entry in whole)
    assert len({(entry.headers["webhook-id"], entry.body) for entry in whole}) == len(events())
    assert not [
        request for request in receiver.requests if STOVE in request.body.decode() or NEIGHBOUR in request.body.decode()
    ]


def _nobody_looks_over_the_fence(
    database_url: str,
    ports: CameraPorts,
    tokens: Tokens,
    province: PatrolClient,
    next_door: PatrolClient,
    hob: int,
) -> None:
    (foreign,) = province.findings.list(FindingQuery(region_prefix=NEIGHBOUR))
    next_door.findings.acknowledge(foreign.finding_id, "石桥已知", request_id="stone-1")
    opening = next(next_door.findings.events(foreign.finding_id))
    draw = province.draw_spot_check(SpotCheckOrder(size=1, seed=7, region_prefix=NEIGHBOUR)).spot_check
    with closing(Store.open(database_url)) as store:
        places = Places(OWN, store.access.places_key())
        begin = store.history.oldest_seq() - 1
    theirs = RequestNames(
        camera=STOVE, other_camera=STORE, region=NEIGHBOUR, site="bridge", finding=foreign.finding_id,
        digest=opening.evidence[0], visit=province.verdict(STOVE).visit_id, draw=draw.header.draw_id,
        token=tokens.numbers[f"inspector-{NEIGHBOUR}"], actor=f"inspector-{NEIGHBOUR}", uplink="nvr-stone",
        request_id="stone-1", page_token=_page_token(tokens),
        verdicts_from=encode_resume_token(begin, VERDICTS, places), verdicts_begin=begin,
        findings_from=encode_resume_token(0, FINDINGS, places),
        own_camera=HOB, own_region=OWN,
        own_digest=_digest_of(province, hob), own_url=ports.url("clear"),
    )  # fmt: skip
    marks = (STOVE, STORE, NEIGHBOUR, "bridge", "石桥", "stone", theirs.digest, f"findings/{theirs.finding}")

    def state_of_theirs() -> list[object]:
        rows = [camera.camera for camera in province.cameras(CameraQuery(NEIGHBOUR))]
        with tokens.client("root") as root:
            made = [token.name for token in root.access.tokens()]
            return [rows, list(province.findings.events(theirs.finding)), made, root.schedule().pauses]

    before = state_of_theirs()
    leaks = find_leaks(tokens.address, tokens.secrets[f"chief-{OWN}"], tokens.secrets["root"], theirs, marks)
    assert not leaks, "\n\n".join(leaks)
    assert state_of_theirs() == before
    with tokens.client(f"chief-{OWN}") as chief:
        assert chief.status().cameras == len(list(chief.cameras())) == 4
        assert chief.kpis(KpiQuery(region_prefix="13")).total.rates[KpiName.ONLINE].registered == 4


def _page_token(tokens: Tokens) -> str:
    """The neighbour's, after the first of its cameras."""
    with tokens.client(f"chief-{NEIGHBOUR}") as chief:
        return chief.page(CameraQuery(page_size=1)).next_page_token


def _digest_of(client: PatrolClient, finding_id: int) -> str:
    return next(client.findings.events(finding_id)).evidence[0]


def test_every_call_is_among_the_routes_and_there_are_thirty_at_least() -> None:
    assert {route.rpc for route in ROUTES} == set(RPCS)
    assert len(ROUTES) >= 30
