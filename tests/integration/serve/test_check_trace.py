"""CheckNow with a trace: a running engine hands out what it and a camera said, to those who may have it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.client import CallError, CheckResult, PatrolClient
from engine.config.feed import FeedSettings
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import site as http_site
from tests.support.feed.rtsp_peers import rtsp_peers
from tests.support.live_engine import fast_scheduler, settings
from tests.support.waiting import wait_until

PASSWORD = "Geheim-4711"
PICTURE = encode(Codec.MJPEG, [scene(320, 240)])[0]
SLOW = dict.fromkeys(
    (
        "key_period_s", "ordinary_period_s", "suspicious_period_s", "backoff_stream_first_s", "backoff_connect_first_s",
        "backoff_lasting_first_s", "backoff_max_s",
    ),
    3600,
)  # fmt: skip

pytestmark = pytest.mark.timeout(400)


@dataclass
class Site:
    """An engine with a camera over RTSP, one over HTTP, and four that nobody reaches; and tokens by role."""

    engine: Supervisor
    tokens: dict[Role, str]

    def client(self, role: Role) -> PatrolClient:
        return PatrolClient(self.engine.addresses["grpc"], token=self.tokens[role])

    def check(self, camera_id: str) -> CheckResult:
        """Check a camera with a trace, again if it was being visited already."""
        results: list[CheckResult] = []

        def traced() -> bool:
            with self.client(Role.OPERATOR) as client:
                results[:] = client.check_now([camera_id], 60, trace=True)
            return bool(results[0].trace)

        wait_until(traced, 120, what="a visit that the call ordered", poll_s=1.0)
        return results[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("trace")
    chosen = settings(
        folder,
        feed=FeedSettings(deadline_s=5, connect_timeout_s=2, demuxers=1),
        scheduler=fast_scheduler(**SLOW, order_timeout_s=20),
    )
    with ExitStack() as stack:
        port = stack.enter_context(rtsp_peers())
        web = stack.enter_context(http_site({"/pic.jpg": ("image/jpeg", PICTURE)})).replace("//", f"//u:{PASSWORD}@")
        store = Store.open(chosen.record.url)
        made = {role: store.access.create_token(TokenOrder(role.value, role), "test", 1)[1] for role in Role}
        cameras = [Camera("rtsp", f"rtsp://admin:{PASSWORD}@127.0.0.1:{port}/good"), Camera("http", f"{web}/pic.jpg")]
        store.registry.upsert([*cameras, *(Camera(f"off-{n}", "", enabled=False, push=True) for n in range(4))])
        store.close()
        yield Site(stack.enter_context(Supervisor(chosen)), made)


def test_the_dialogue_of_an_rtsp_visit_comes_with_its_verdict_and_without_passwords(site: Site) -> None:
    result = site.check("rtsp")
    assert result.verdict is not None
    texts = [f"{line.side} {line.text}" for line in result.trace]
    assert [text.split()[1] for text in texts if text.endswith("RTSP/1.0")][:3] == ["DESCRIBE", "SETUP", "PLAY"]
    assert any(text.startswith("< RTSP/1.0 200") for text in texts)
    assert PASSWORD not in "\n".join(texts)


def test_the_dialogue_of_a_demuxer_comes_too(site: Site) -> None:
    result = site.check("http")
    texts = [f"{line.side} {line.text}" for line in result.trace]
    assert any(text.startswith("> GET /pic.jpg") for text in texts)
    assert PASSWORD not in "\n".join(texts)


def test_without_the_wish_nothing_is_recorded(site: Site) -> None:
    with site.client(Role.OPERATOR) as client:
        (result,) = client.check_now(["rtsp"], 60)
    assert result.verdict is not None
    assert result.trace == ()


def test_an_inspector_may_check_but_not_listen(site: Site) -> None:
    with site.client(Role.INSPECTOR) as client:
        assert [result.outcome for result in client.check_now(["off-1"], 60)] == ["not_visited"]
        with pytest.raises(CallError, match="with trace needs the role operator"):
            list(client.check_now(["off-1"], 60, trace=True))


def test_more_than_four_cameras_are_refused(site: Site) -> None:
    ids = ["rtsp", *(f"off-{n}" for n in range(4))]
    with site.client(Role.OPERATOR) as client, pytest.raises(CallError, match="at most 4 are allowed"):
        list(client.check_now(ids, 60, trace=True))


def test_patrol_check_now_shows_it(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine.cli", "check-now", "--server", site.engine.addresses["grpc"]]
    command += ["--token", site.tokens[Role.OPERATOR], "--trace", "--json"]
    found: list[dict[str, object]] = []

    def traced() -> bool:
        done = subprocess.run([*command, "rtsp"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
        found[:] = map(json.loads, done.stdout.splitlines())
        return "trace" in found[0]

    wait_until(traced, 120, what="a visit that the command ordered", poll_s=1.0)
    lines: list[dict[str, object]] = found[0]["trace"]  # type: ignore[assignment]
    assert {"DIALOGUE_SIDE_ENGINE", "DIALOGUE_SIDE_CAMERA"} <= {str(line["side"]) for line in lines}
    many = subprocess.run(
        [*command, *(f"off-{n}" for n in range(5))], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert many.returncode == 2
    assert "--trace shows 4 cameras at most" in many.stderr
    human = [word for word in command if word != "--json"]
    shown = subprocess.run([*human, "off-1"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert "nothing was recorded" in shown.stderr
