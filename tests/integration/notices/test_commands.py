"""`patrol notices`, and the receiver that is shown to others, as processes of their own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.config.notices import EndpointSettings
from engine.hub.webhook_addresses import is_refused
from engine.model.notice import DeliveryState, DeliveryUpdate, Notice
from engine.notices.cloud_events import event_bytes, event_id, trial_notice
from engine.notices.signature import headers
from engine.notices.webhook import send_once
from engine.storage.db.store import Store
from tests.support.webhook_receivers import SECRET, SECRET_LINE

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET_LINE)
    return configured(tmp_path, "http://127.0.0.1:1/")


def configured(folder: Path, url: str) -> Path:
    file = folder / "patrol.toml"
    file.write_text(
        f'[record]\nurl = "sqlite:///{folder}/patrol.db"\n[[notices.endpoints]]\nname = "county"\nurl = "{url}"\n'
        f'secret_file = "{folder}/secret"\n'
    )
    return file


def patrol(config: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "engine.cli", "notices", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})


@contextmanager
def example(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """examples/webhook_receiver.py, on a free port."""
    (folder / "secret").write_text(SECRET_LINE)
    command = [sys.executable, "examples/webhook_receiver.py", str(folder / "secret"), "0", str(folder / "seen.db")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def kept(tmp_path: Path, config: Path) -> Path:
    """One delivered, one that waits, two that were given up."""
    with closing(Store.open(f"sqlite:///{tmp_path}/patrol.db")) as store:
        now = time.time_ns()
        body = '{"finding":"findings/1"}'
        store.outbox.add([Notice(0, "finding.opened", number, 1, now, "130102", body) for number in range(1, 5)])
        store.outbox.route(lambda _: ["county"], now, 10, 10)
        store.outbox.record_and_fetch(
            [
                DeliveryUpdate("county", 1, DeliveryState.DELIVERED, 1),
                DeliveryUpdate("county", 2, DeliveryState.DEAD, 3, 0, "refused: HTTP 422"),
                DeliveryUpdate("county", 3, DeliveryState.DEAD, 81, 0, "expired; timeout"),
                DeliveryUpdate("county", 4, DeliveryState.WAITING, 2, now, "timeout"),
            ]
        )
    return config


def test_the_list_says_what_became_of_each_and_how_much_waits(kept: Path) -> None:
    said = patrol(kept, "list").stdout.splitlines()
    assert [line.split()[0] for line in said[1:5]] == ["county/4", "county/3", "county/2", "county/1"]
    assert said[5].startswith("county: 1 wait, the oldest since")
    assert said[5].endswith("2 given up")
    dead = [json.loads(line) for line in patrol(kept, "list", "--dead", "--json").stdout.splitlines()]
    assert [(delivery["notice"], delivery["attempts"], delivery["lastError"]) for delivery in dead] == [
        ("county/3", 81, "expired; timeout"),
        ("county/2", 3, "refused: HTTP 422"),
    ]
    assert len(patrol(kept, "list", "--waiting", "--json").stdout.splitlines()) == 1
    assert patrol(kept, "list", "--endpoint", "city", "--json").stdout == ""


def test_what_was_given_up_goes_on_its_way_again(kept: Path, tmp_path: Path) -> None:
    done = patrol(kept, "replay", "county/2", "county/1")
    assert (done.returncode, done.stdout) == (1, "1 queued again\n")
    assert "county/1: not among the notices that were given up" in done.stderr
    assert patrol(kept, "replay", "--all").stdout == "1 queued again\n"
    assert patrol(kept, "replay", "county").returncode == 1
    with closing(Store.open(f"sqlite:///{tmp_path}/patrol.db")) as store:
        assert store.outbox.backlogs()["county"].waiting == 3


@pytest.mark.parametrize("words", [("replay",), ("replay", "--all", "county/1"), ("replay", "county/x"),
                                   ("replay", "/1"),
                                   ("test", "city"), ("list", "--dead", "--waiting")])  # fmt: skip
def test_a_wrong_call_is_refused(config: Path, words: tuple[str, ...]) -> None:
    assert patrol(config, *words).returncode == 2


def test_an_endpoint_is_tried_out(tmp_path: Path, config: Path) -> None:
    done = patrol(config, "test", "county")
    assert done.returncode == 1
    assert done.stdout.startswith("county: unreachable")
    with example(tmp_path) as (url, process):
        done = patrol(configured(tmp_path, url), "test", "county")
        assert (done.returncode, done.stdout) == (0, "county: delivered: HTTP 204\n")
        assert process.stdout is not None
        assert process.stdout.readline() == "new cn.kitchen-patrol.test.v1 endpoints/county\n"


def test_the_example_takes_every_event_once_even_across_its_restart(tmp_path: Path) -> None:
    notice = trial_notice("county", time.time_ns())
    said = []
    for _ in range(2):
        with example(tmp_path) as (url, process):
            endpoint = EndpointSettings(name="county", url=url, secret_file=str(tmp_path / "secret"))
            for _ in range(2):
                assert send_once(endpoint, notice, "urn:a", time.time_ns(), is_refused).outcome == "delivered"
                assert process.stdout is not None
                said.append(process.stdout.readline().split()[0])
    assert said == ["new", "known", "known", "known"]


def test_the_example_refuses_what_is_not_ours(tmp_path: Path) -> None:
    notice = trial_notice("county", time.time_ns())
    body, now_s = event_bytes(notice, "urn:a"), int(time.time())
    good = headers([SECRET], event_id(notice), now_s, body)
    old = headers([SECRET], event_id(notice), now_s - 301, body)
    with example(tmp_path) as (url, _):
        assert post(url, good, body) == 204
        assert post(url, good, body + b" ") == 401
        assert post(url, {**good, "webhook-id": "another"}, body) == 401
        assert post(url, headers([b"x" * 32], event_id(notice), now_s, body), body) == 401
        assert post(url, old, body) == 401
        assert post(url, {}, body) == 401
        assert post(url, {**good, "webhook-timestamp": "soon"}, body) == 401


def post(url: str, sent: dict[str, str], body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, sent), timeout=5) as reply:
            status: int = reply.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
