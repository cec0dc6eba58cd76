"""The processes of an engine: what each is started with, and the one that runs at present."""

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any

from engine.clock import monotonic_ns
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.model.shard import ShardTask
from engine.overlay.installed import is_installed
from engine.runtime.control import EXIT_RECYCLE, OWN_SOCKET, TOO_COSTLY
from engine.runtime.heartbeat import HeartbeatRecord
from engine.supervisor.child import child_command
from engine.supervisor.child_stderr import ChildStderr
from engine.supervisor.environment import child_environment, confined_environment
from engine.supervisor.liveness import HUB_LIMITS, READER_LIMITS, Limits, Liveness
from engine.supervisor.restarts import BackOff
from engine.worker.cpu_budget import BUDGET_SPENT_SIGNAL

Pipe = connection.Connection
CONFINED_ROLES = {
    "worker": ("worker",),
    "feeder": ("feed",),
    "demuxer": ("feed",),
    "reader": ("reader", "processes"),
}
"""The roles that are confined, with the sections of the settings that they need."""


@dataclass(slots=True)
class Running:
    """A process and the parent's end of its control pipe. `heartbeat`: None for one that shows none. `end_by_ns`: when
    it is killed, if it was asked to end; 0 if it was not. `large_since_ns`: since when it is above its ceiling; 0 if it
    is not."""

    process: "subprocess.Popen[bytes]"
    pipe: "Pipe[Any, Any]"
    heartbeat: HeartbeatRecord | None
    liveness: Liveness
    end_by_ns: int = 0
    large_since_ns: int = 0
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, *message: Any) -> None:
        """Send a message, from any thread. A process that died shows by the end of its pipe, not here."""
        with contextlib.suppress(OSError), self._sending:
            self.pipe.send(message)

    def close(self) -> None:
        """Give the descriptors back."""
        self.pipe.close()
        if self.heartbeat is not None:
            self.heartbeat.close()


@dataclass(slots=True)
class Child:
    """One process of the plan. `running`: its current incarnation; None while it waits for a restart. `confinement`: by
    part, whether it is in force in the incarnation that runs; empty for one that is not confined. `given_up`: why it is
    made to end; empty if it is not. `spare`: a worker that is loaded and waits to take the place of another."""

    role: str
    name: str
    task: dict[str, Any]
    spare: bool = False
    generation: int = 0
    running: Running | None = None
    ready: bool = False
    confinement: Mapping[str, bool] = field(default_factory=dict)
    given_up: str = ""
    start_at_ns: int = 0
    back_off: BackOff = field(default_factory=BackOff)

    @property
    def alias(self) -> str:
        """The name of this incarnation: a successor must not be mistaken for the process that died."""
        return f"{self.name}.{self.generation}"

    @property
    def confined(self) -> bool:
        """Whether it reads what cameras send, and is confined to what it needs for that."""
        return self.role in CONFINED_ROLES

    @property
    def visits(self) -> bool:
        """Whether it visits cameras."""
        return self.role in ("feeder", "demuxer")

    def set_settings(self, tree: Mapping[str, Any]) -> None:
        """Give its next incarnation these settings: of a confined process only the sections that it needs, for the
        others hold passwords and addresses."""
        sections = CONFINED_ROLES.get(self.role, tuple(tree))
        self.task["settings"] = {name: tree[name] for name in sections}

    @property
    def limits(self) -> Limits:
        """How long each kind of silence is borne."""
        return {"hub": HUB_LIMITS, "reader": READER_LIMITS}.get(self.role, Limits())

    @property
    def serves_hub(self) -> bool:
        """Whether it works for the hub, which is told of its loss, and goes when the hub does."""
        return self.role not in ("hub", "web")

    @property
    def is_needed(self) -> bool:
        """Whether the patrol waits for it at a start."""
        return self.role != "reader"

    @property
    def _serves_tls(self) -> bool:
        return self.role == "hub" and bool(self.task["settings"]["serve"]["tls_cert_file"])

    def _environment(self) -> dict[str, str]:
        if self.confined:
            return confined_environment(os.environ)
        return child_environment(os.environ, serves_tls=self._serves_tls)

    def start(self, stderr: ChildStderr) -> None:
        """Start the next incarnation; what it writes to stderr is followed."""
        ours, theirs = connection.Pipe()
        self.generation += 1
        log, heartbeat = _log_descriptor(), HeartbeatRecord()
        process = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            child_command(self.role, self.alias, theirs.fileno(), log),
            pass_fds=[theirs.fileno(), log, heartbeat.descriptor],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
            env=self._environment(),
        )
        theirs.close()
        os.close(log)
        if process.stderr is not None:
            stderr.follow(self.alias, process.stderr)
        self.running = Running(process, ours, heartbeat, Liveness(self.limits, monotonic_ns()))
        self.ready = False
        ours.send(json.dumps({**self.task, "spare": self.spare, "heartbeat": heartbeat.descriptor}))


def plan(settings: Settings, calendar: Calendar, run_dir: Path, shard: ShardTask | None = None) -> list[Child]:
    """Return all processes that these settings ask for, the hub first. `shard`: None for an engine alone."""
    feed = settings.feed
    common: dict[str, Any] = {
        "parent_pid": os.getpid(),
        "log": settings.log.model_dump(),
        "run_dir": str(run_dir),
        "confine": settings.runtime.confine,
    }
    feed_task = {**common, "address": f"ipc://{run_dir}/feed"}
    work_task = {**common, "address": f"ipc://{run_dir}/work", "credit": settings.worker.credit}
    read_task = {**common, "address": f"ipc://{run_dir}/read"}
    web_task = {**common, "address": f"unix:{run_dir}/{OWN_SOCKET}"}
    workers = settings.worker.count or os.cpu_count() or 1
    hub_task = {
        **common,
        "calendar": calendar.model_dump(mode="json"),
        "restarts": [],
        "again": False,
        "shard": None if shard is None else asdict(shard),
    }
    children = [
        Child("hub", "hub", hub_task),
        *(Child("worker", f"worker-{n}", work_task, n == workers) for n in range(workers + settings.worker.spare)),
        *(Child("feeder", f"feeder-{n}", feed_task) for n in range(feed.feeders)),
        *(Child("demuxer", f"demuxer-{n}", feed_task) for n in range(feed.demuxers)),
        *(Child("reader", "reader", read_task) for _ in range(settings.reader.enabled and is_installed())),
        *(Child("web", "web", web_task) for _ in range(settings.web.enabled)),
    ]
    tree = settings.model_dump(mode="json")
    for child in children:
        child.task = dict(child.task)  # those of one role share it until now
        child.set_settings(tree)
    return children


def end_reason(exit_code: int) -> str:
    """Return why a process ended that nobody ended, as PROCESS_ENDS of engine.metrics.vitals has it."""
    if exit_code == EXIT_RECYCLE:
        return "recycled"
    if exit_code == -BUDGET_SPENT_SIGNAL:
        return TOO_COSTLY
    return f"signal_{-exit_code}" if exit_code < 0 else f"exit_{exit_code}"


def _log_descriptor() -> int:
    """Return a descriptor of our own stderr for a child's log; the child's stderr is a pipe to us."""
    try:
        return os.dup(2)
    except OSError:  # a service that was started without one
        return os.open(os.devnull, os.O_WRONLY)
