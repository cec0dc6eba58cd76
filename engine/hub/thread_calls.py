"""Runs functions of other threads in the hub's thread, and wakes it for them."""

import contextlib
import os
import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")


class ThreadCalls:
    """A queue of calls. `ask` is for any thread; everything else is for the hub's thread.

    The state of the hub needs no locks, because only one thread touches it.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def descriptor(self) -> int:
        """Readable when calls wait; for a poller."""
        return self._wake_read

    def ask(self, call: Callable[[], Answer]) -> "Future[Answer]":
        """Run `call` in the hub's thread. The future gets its result, or the exception it raised."""
        answer: Future[Answer] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(call())
            except Exception as error:  # noqa: BLE001 (the caller gets it)
                answer.set_exception(error)

        self._waiting.put(run)
        with contextlib.suppress(BlockingIOError):  # the pipe is full: enough wake-ups wait in it
            os.write(self._wake_write, b"\0")
        return answer

    def run_waiting(self) -> None:
        """Run all calls that wait."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 65_536)
        while not self._waiting.empty():
            self._waiting.get()()
