"""Reads the configuration file and its calendar in a thread, so that a file that does not answer holds up no patrol."""

import threading
from pathlib import Path

from engine.clock import monotonic_ns, seconds
from engine.config import Settings, load
from engine.config.calendar import Calendar, load_calendar
from engine.errors import ConfigError
from engine.hub.configuration import Configuration
from engine.hub.thread_calls import ThreadCalls
from engine.runtime.log import logger

_SLOW_S = 10.0


class Reloads:
    """For the hub's thread. One file is read at a time; a reload that is asked for meanwhile begins afterwards."""

    def __init__(self, calls: ThreadCalls, configuration: Configuration) -> None:
        self._calls = calls
        self._configuration = configuration
        self._began_ns: int | None = None  # None: no file is being read
        self._next = ""

    def begin(self, path: str) -> None:
        """Read a file and apply it, or keep the old configuration and say why in log and metric."""
        now_ns = monotonic_ns()
        if self._began_ns is None:
            self._began_ns = now_ns
            threading.Thread(target=self._read, args=(path,), name="reload", daemon=True).start()
            return
        self._next = path
        if seconds(now_ns - self._began_ns) > _SLOW_S:
            logger().error("the configuration is still being read; does its disk answer?", file=path)

    @property
    def busy(self) -> bool:
        """Whether a file is being read."""
        return self._began_ns is not None

    def _read(self, path: str) -> None:
        """Read, in a thread of its own."""
        try:
            settings = load(Path(path))
            calendar = load_calendar(settings.scheduler.calendar_file)
        except ConfigError as error:
            why = str(error)
            self._calls.ask(lambda: self._ended(path, None, why))
        except Exception as error:  # noqa: BLE001 (no file may end the hub)
            logger().error("configuration not read", file=path, exc_info=error)
            why = f"{type(error).__name__}: {error}"
            self._calls.ask(lambda: self._ended(path, None, why))
        else:
            self._calls.ask(lambda: self._ended(path, (settings, calendar), ""))

    def _ended(self, path: str, read: tuple[Settings, Calendar] | None, why: str) -> None:
        self._began_ns = None
        if read is None:
            self._configuration.refuse(path, why)
        else:
            self._configuration.reload(path, *read)
        if self._next:
            following, self._next = self._next, ""
            self.begin(following)
