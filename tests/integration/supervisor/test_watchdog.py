"""Real processes that stop, hang, spin, crash or grow, and what the watchdog does about each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import connection
from typing import Any

import pytest
import structlog

from engine.clock import NS_PER_S, monotonic_ns
from engine.config import Settings
from engine.config.processes import ProcessSettings
from engine.runtime.control import DRAIN
from engine.runtime.heartbeat import HeartbeatRecord
from engine.supervisor.liveness import Limits, Liveness
from engine.supervisor.processes import Child, Running
from engine.supervisor.watchdog import Watchdog
from tests.support.waiting import wait_until

QUICK = Limits(stopped_ns=NS_PER_S, idle_ns=2 * NS_PER_S, computing_ns=2 * NS_PER_S)
BEGIN = """
import os, sys, threading, time
from engine.runtime.heartbeat import Heartbeat
heartbeat = Heartbeat(int(sys.argv[1]))
heartbeat.write_stacks_on_demand()
heartbeat.beat()
print("ready", flush=True)
"""
MOVES = "while True: heartbeat.beat(); time.sleep(0.1)"
HANGS = "def wait_for_nothing():\n    threading.Lock().acquire() and threading.Event().wait()\nwait_for_nothing()"
SPINS = "def spin_for_ever():\n    while True: pass\nspin_for_ever()"
BEATS_FROM_A_THREAD = "hog = bytearray(150_000_000)\n" + MOVES


class World:
    """Children that run a script, and the log of what is said of them."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.watchdog = Watchdog()
        self.children: list[Child] = []

    def start(self, script: str, role: str = "worker", limits: Limits = QUICK) -> tuple[Child, Running]:
        record = HeartbeatRecord()
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + script, str(record.descriptor)],
            pass_fds=[record.descriptor],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        ours, self.theirs = connection.Pipe()
        running = Running(process, ours, record, Liveness(limits, monotonic_ns()))
        running.liveness.ready()
        child = Child(role, f"{role}-0", {}, generation=1, running=running, ready=True)
        self.children.append(child)
        return child, running

    def ended(self, running: Running, settings: Settings | None = None) -> bool:
        self.watchdog.check(self.children, settings or Settings(), monotonic_ns())
        return running.process.poll() is not None

    def stacks(self) -> str:
        (event,) = [event for event in self.log if event["event"] == "process stuck"]
        return str(event["stacks"])


@pytest.fixture
def world() -> Iterator[World]:
    with structlog.testing.capture_logs() as log:
        world = World(log)
        yield world
    for child in world.children:
        if child.running is not None:
            child.running.process.kill()
            child.running.process.communicate()
            child.running.close()


def test_a_stopped_process_is_killed_and_it_is_said_that_it_has_no_stacks(world: World) -> None:
    child, running = world.start(MOVES)
    os.kill(running.process.pid, signal.SIGSTOP)
    wait_until(lambda: world.ended(running), poll_s=0.2)
    assert child.given_up == "stopped"
    assert "cannot write them" in world.stacks()


def test_one_that_hangs_is_killed_once_its_stacks_are_known(world: World) -> None:
    child, running = world.start(HANGS)
    wait_until(lambda: world.ended(running), poll_s=0.2)
    assert child.given_up == "stuck"
    assert "in wait_for_nothing" in world.stacks()


def test_one_that_spins_is_killed_once_its_stacks_are_known(world: World) -> None:
    child, running = world.start(SPINS)
    wait_until(lambda: world.ended(running), 60, poll_s=0.2)
    assert child.given_up == "stuck"
    assert "in spin_for_ever" in world.stacks()


def test_one_whose_loop_moves_lives_on(world: World) -> None:
    child, running = world.start(MOVES)
    end_s = time.monotonic() + 3
    while time.monotonic() < end_s:
        assert not world.ended(running)
        time.sleep(0.2)
    assert child.given_up == ""


def test_the_stacks_of_a_crash_in_native_code_are_kept(world: World) -> None:
    _, running = world.start("import ctypes\ndef read_null():\n    ctypes.string_at(0)\nread_null()")
    assert running.process.wait(20) == -signal.SIGSEGV
    assert running.heartbeat is not None
    assert "in read_null" in running.heartbeat.stacks()


def test_a_feeder_beyond_its_ceiling_is_asked_to_drain_and_others_wait_for_it(world: World) -> None:
    settings = Settings(processes=ProcessSettings(feeder_memory_bytes_max=100_000_000))
    first, running = world.start(BEATS_FROM_A_THREAD, "feeder", Limits())
    pipe = world.theirs
    second, other = world.start(BEATS_FROM_A_THREAD, "feeder", Limits())
    second.name = "feeder-1"
    wait_until(lambda: world.ended(running, settings) or first.given_up, poll_s=0.2)
    assert (first.given_up, pipe.poll(0) and pipe.recv()) == ("memory", (DRAIN,))
    world.ended(other, settings)
    assert second.given_up == ""
    running.end_by_ns = 1  # its time is up
    wait_until(lambda: world.ended(running, settings))
