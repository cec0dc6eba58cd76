"""Rehearsals as the hub runs them: each in a real process of low priority, which ends when nobody waits for it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from engine.config import Settings, loads
from engine.config.calendar import Calendar
from engine.errors import ErrorReason, StateError, UnavailableError
from engine.hub.services import rehearsals
from engine.hub.services.rehearsals import Rehearsals
from engine.model.camera import Camera, KeyPoint
from engine.model.rehearsal import Rehearsal, RehearsalUpdate
from tests.support.waiting import wait_until

SMALL = Settings()
WEEK_HOURS = 168


def cameras(number: int = 24) -> list[Camera]:
    """Half of them key points, three on a recorder; the last two are not visited."""
    fleet = [
        Camera(
            f"c{n}",
            f"rtsp://user:geheim@10.0.{n // 3}.1/{n}",
            region=f"13010{2 + n % 3}",
            uplink=f"recorder-{n // 3}",
            key_point=KeyPoint.COOKING if n % 2 else KeyPoint.OTHER,
        )
        for n in range(number)
    ]
    return [*fleet, Camera("off", "rtsp://h/1", enabled=False), Camera("pushed", "", push=True)]


def run(
    runner: Rehearsals, settings: Settings = SMALL, hours: int = 3, fleet: list[Camera] | None = None
) -> AsyncGenerator[RehearsalUpdate, None]:
    return runner.run(settings, Calendar(), cameras() if fleet is None else fleet, hours, 7)


async def result_of(updates: AsyncGenerator[RehearsalUpdate, None]) -> Rehearsal:
    """Run to the end; hold that progress grows."""
    progress, result = 0.0, None
    async with aclosing(updates):
        async for update in updates:
            assert progress <= update.progress <= 1
            assert result is None, "nothing comes after the result"
            progress, result = update.progress, update.result
    assert progress == 1
    assert result is not None
    return result


def processes() -> list[int]:
    """The rehearsals that this process started and that are there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"engine.simulation.rehearsal" in words:
            found.append(int(folder.name))
    return found


def test_a_rehearsal_tells_how_the_periods_were_kept_and_the_same_seed_the_same() -> None:
    async def story() -> None:
        runner = Rehearsals()
        result = await result_of(run(runner))
        assert (result.cameras, result.hours, result.promises_held) == (24, 3.0, True)
        assert (result.broken_promises, result.notes) == ((), ())
        by_class = {row.camera_class: row for row in result.classes}
        assert list(by_class) == ["key_point", "ordinary", "suspicious", "offline"]
        key_points = by_class["key_point"]
        assert key_points.coverage == 1.0
        assert key_points.visits >= 12 * 3 * 4
        assert 0 <= key_points.lag_s_p50 <= key_points.lag_s_p99 <= key_points.lag_s_max
        assert (by_class["suspicious"].visits, by_class["suspicious"].coverage) == (0, None)
        assert result.visits == sum(row.visits for row in result.classes)
        assert 1 <= result.visits_in_flight_max <= 24
        hours = [point.hour for point in result.timeline]
        assert hours == sorted(set(hours))
        assert (hours[0], hours[-1] < 3) == (0, True)
        assert 100 < len(hours) <= 200
        assert any(point.lag_s_p50 is None for point in result.timeline), "in most minutes nothing is due"
        lags = [(point.lag_s_p50, point.lag_s_p99) for point in result.timeline if point.lag_s_p50 is not None]
        assert lags
        assert all(p50 <= p99 for p50, p99 in lags if p99 is not None)
        assert await result_of(run(runner)) == result
        assert processes() == []

    asyncio.run(story())


def test_a_long_rehearsal_has_no_more_points_than_a_plot_needs() -> None:
    result = asyncio.run(result_of(run(Rehearsals(), hours=12, fleet=cameras(3))))
    assert 150 < len(result.timeline) <= 200
    assert 11 < result.timeline[-1].hour < 12


def test_periods_that_a_configuration_cannot_keep_show_in_coverage_and_lag() -> None:
    tight = loads("[scheduler]\nkey_period_s = 20.0\nordinary_period_s = 20.0\nvisits_max = 1\n")
    result = asyncio.run(result_of(run(Rehearsals(), tight, hours=1, fleet=cameras(12))))
    key_points = result.classes[0]
    assert key_points.coverage is not None
    assert key_points.coverage < 1
    assert key_points.lag_s_p99 > 1
    assert result.visits_in_flight_max == 1


def test_a_recorder_that_cannot_carry_its_cameras_is_named() -> None:
    crowded = loads("[scheduler]\nkey_period_s = 5.0\nordinary_period_s = 5.0\n")
    one_recorder = [Camera(f"c{n}", f"rtsp://h/{n}", uplink="recorder-7") for n in range(9)]
    (note,) = asyncio.run(result_of(run(Rehearsals(), crowded, hours=1, fleet=one_recorder))).notes
    assert "recorder-7" in note
    assert "scheduler.visits_per_uplink_max" in note


def test_where_nothing_is_due_nothing_is_shown_and_that_is_said() -> None:
    asleep = loads('[scheduler]\nhours = "sun 01:00-01:10"\noffhours_period_s = 0\n')
    result = asyncio.run(result_of(run(Rehearsals(), asleep, hours=1)))
    assert not result.promises_held
    assert result.broken_promises == ()
    assert "nothing was due" in result.notes[-1]


def test_one_is_at_a_time_at_the_lowest_priority_and_it_ends_with_its_call() -> None:
    async def story() -> None:
        runner = Rehearsals()
        first = run(runner, hours=WEEK_HOURS, fleet=cameras(3000))
        await anext(first)
        (pid,) = processes()
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000", "it goes first when memory is short"
        with pytest.raises(UnavailableError, match="another configuration is being rehearsed") as caught:
            await anext(run(runner))
        assert caught.value.error_reason is ErrorReason.REHEARSAL_UNDER_WAY
        await first.aclose()
        assert processes() == []
        second = asyncio.create_task(result_of(run(runner, hours=WEEK_HOURS, fleet=cameras(3000))))
        await asyncio.to_thread(wait_until, processes, 60)
        second.cancel()  # as gRPC does when the caller goes away
        with pytest.raises(asyncio.CancelledError):
            await second
        assert processes() == []
        await result_of(run(runner, hours=1))

    asyncio.run(story())


def test_one_that_takes_too_long_is_ended() -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError, match="took longer than 1 s and was ended; rehearse fewer hours"):
            await result_of(run(Rehearsals(1.0), hours=WEEK_HOURS, fleet=cameras(3000)))
        assert processes() == []

    asyncio.run(story())


def test_one_that_needs_too_much_memory_ends_without_a_result_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsals, "MEMORY_BYTES_MAX", 1 << 20)
    with pytest.raises(UnavailableError, match=r"more memory|without a result"):
        asyncio.run(result_of(run(Rehearsals(), fleet=cameras(5000))))
    assert processes() == []


@pytest.mark.parametrize("fleet", [[], cameras(0)], ids=["empty", "none-visited"])
def test_where_no_camera_is_visited_there_is_nothing_to_rehearse(fleet: list[Camera]) -> None:
    with pytest.raises(StateError, match="no camera of the registry is visited"):
        asyncio.run(result_of(run(Rehearsals(), fleet=fleet)))


@pytest.mark.parametrize("when", ["before the task", "among the cameras", "at work"])
def test_the_process_ends_by_itself_when_the_hub_is_killed(when: str) -> None:
    """A hub that is killed closes the pipe, and no more."""
    plans = [[f"c{n}", f"u{n}", "h", "130102", "", "", "cooking", False, True, False, False] for n in range(3000)]
    task = {
        "settings": {}, "calendar": {}, "hours": WEEK_HOURS, "seed": 0, "cores": 1, "memory_bytes_max": 1 << 30,
    }  # fmt: skip
    sent: dict[str, list[Any]] = {
        "before the task": [],
        "among the cameras": [task, plans],
        "at work": [task, plans, None],
    }
    command = [sys.executable, "-m", "engine.simulation.rehearsal"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"".join(json.dumps(value).encode() + b"\n" for value in sent[when]))
        process.stdin.flush()
        if when == "at work":
            assert "progress" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


def test_nothing_secret_is_sent_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets what decides about visits: neither URLs with passwords nor the sections that have secrets."""
    sent: list[bytes] = []
    write = rehearsals._json_line

    def keep(value: object) -> bytes:
        sent.append(write(value))
        return sent[-1]

    monkeypatch.setattr(rehearsals, "_json_line", keep)
    secret = loads('[record]\nurl = "postgresql://patrol:geheim@db/patrol"\n')
    asyncio.run(result_of(run(Rehearsals(), secret, hours=1)))
    assert len(sent) >= 3
    assert b"geheim" not in b"".join(sent)
