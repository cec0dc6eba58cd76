"""Clients of the engine: a gateway, callers, and watchers that resume; all record what they receive."""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.demo.pictures import damaged, frame, passing, photo
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingQuery, Step
from engine.model.keyframe import Codec, Keyframe
from engine.model.verdict import Verdict
from engine.model.visit import FeedKind
from engine.runtime.transport import Poller, Transport
from engine.serve.messages.resume_token import decode_resume_token, encode_resume_token
from tests.support.feed.clips import encode

PUSHED, VISITED = 200, 12
REGIONS = ("130102", "130203")
PER_S = 100
COVERED_ROUNDS, COVERED_SHARE = 5, 5
"""A camera in five is covered, and after five pictures it is the next ones' turn."""
_VARIANTS = 4
_PATIENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
"""Statuses that a caller may get while something is killed. Any other is a fault of the engine."""
_REFUSED = ("FAILED_PRECONDITION", "ABORTED", "NOT_FOUND")
_CALL_S = 15.0


@dataclass
class CallOutcomes:
    """The statuses of all calls, and the unexpected ones in full."""

    stop: threading.Event
    statuses: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    def failed(self, who: str, error: CallError) -> None:
        self.statuses[error.status] += 1
        if error.status not in _PATIENT:
            self.unexpected.append(f"{who}: {error.status}: {error}")


def cameras(closed_port: int) -> list[Camera]:
    """Those that a gateway pushes for, and those that are visited where nobody listens: a verdict at no cost."""
    pushed = [Camera(f"p{n}", "", push=True, region=REGIONS[n % 2], site_id=f"s{n % 20}") for n in range(PUSHED)]
    return pushed + [
        Camera(f"v{n}", f"rtsp://127.0.0.1:{closed_port}/{n}", region=REGIONS[n % 2], uplink=f"u{n}")
        for n in range(VISITED)
    ]


def keyframes() -> tuple[list[tuple[Codec, bytes]], list[tuple[Codec, bytes]]]:
    """Return keyframes of a visible kitchen and of a covered lens."""
    rng = np.random.default_rng(1)
    size = 640, 360
    clear = photo("astronaut.png", *size, 0.5)
    cover = damaged(clear, "covered", rng)
    shown = [
        [frame(picture, f"12:00:{n:02}", "kitchen", rng) for n, picture in enumerate(pictures)]
        for pictures in ([passing(clear, n / _VARIANTS) for n in range(_VARIANTS)], [cover] * _VARIANTS)
    ]
    coded = [
        [(codec, unit) for codec in (Codec.H264, Codec.MJPEG) for unit in encode(codec, pictures, gop=1)]
        for pictures in shown
    ]
    return coded[0], coded[1]


class Client(threading.Thread, ABC):
    """A thread that works until it is stopped."""

    def __init__(self, name: str, outcomes: CallOutcomes) -> None:
        super().__init__(name=name, daemon=True)
        self.outcomes = outcomes
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.failure = error

    @abstractmethod
    def work(self) -> None:
        """Work until `stopped()`."""

    def stopped(self) -> bool:
        return self.outcomes.stop.is_set()

    def rest(self, seconds: float = 0.3) -> None:
        self.outcomes.stop.wait(seconds)


class Gateway(Client):
    """Pushes a keyframe every hundredth of a second, as far as the engine accepts them."""

    def __init__(self, intake: str, outcomes: CallOutcomes) -> None:
        super().__init__("gateway", outcomes)
        self._intake = intake
        self.sent = 0
        self.stopping = threading.Event()

    def work(self) -> None:
        clear, covered = keyframes()
        transport = Transport()
        push = transport.connect_push(self._intake, queue_messages_max=64)
        poller = Poller()
        poller.watch_writable("push", push)
        due_s = time.monotonic()
        for number in count():
            if self.stopped() or self.stopping.is_set():
                break
            round_, camera = divmod(number, PUSHED)
            of = covered if (camera + round_ // COVERED_ROUNDS) % COVERED_SHARE == 0 else clear
            codec, payload = of[(camera + round_) % len(of)]
            keyframe = Keyframe(f"p{camera}", 0, codec, payload, wall_ns(), None, FeedKind.GATEWAY)
            if poller.wait(100) and push.send(wire.pack_keyframe(keyframe)):
                self.sent += 1
            due_s = max(due_s + 1 / PER_S, time.monotonic() - 1)
            time.sleep(max(0.0, due_s - time.monotonic()))
        transport.close()


class Checker(Client):
    """Calls CheckNow and reads latest verdicts; `verdicts`: all that it was told of."""

    def __init__(self, address: str, seed: int, outcomes: CallOutcomes) -> None:
        super().__init__(f"checker-{seed}", outcomes)
        self._address, self._rng = address, random.Random(seed)
        self.verdicts: list[Verdict] = []
        self.checked = 0

    def work(self) -> None:
        with PatrolClient(self._address, timeout_s=_CALL_S) as client:
            while not self.stopped():
                try:
                    ids = [f"v{n}" for n in self._rng.sample(range(VISITED), 3)]
                    for checked in client.check_now(ids, timeout_s=_CALL_S):
                        if checked.verdict is not None:
                            self.verdicts.append(checked.verdict)
                            self.checked += 1
                    self.verdicts.append(client.verdict(f"p{self._rng.randrange(PUSHED)}"))
                except CallError as error:
                    if error.status != "NOT_FOUND":  # of a verdict: not visited yet
                        self.outcomes.failed(self.name, error)
                    self.rest()


@dataclass(frozen=True)
class Command:
    """One that was answered. `number`: of the finding's latest event as the answer had it; 0: it was refused."""

    finding_id: int
    step: Step
    request_id: str
    number: int


class Inspector(Client):
    """Acknowledges, claims, closes and dismisses findings; repeats each command until it is answered."""

    def __init__(self, address: str, seed: int, outcomes: CallOutcomes) -> None:
        super().__init__(f"inspector-{seed}", outcomes)
        self._address, self._rng = address, random.Random(seed)
        self.commands: list[Command] = []
        self.repeated = 0

    def work(self) -> None:
        numbers = count(1)
        with PatrolClient(self._address, timeout_s=_CALL_S) as client:
            while not self.stopped():
                try:
                    query = FindingQuery(open_only=True, page_size=50)
                    open_ = [
                        finding.finding_id for finding, _ in zip(client.findings.list(query), range(50), strict=False)
                    ]
                except CallError as error:
                    self.outcomes.failed(self.name, error)
                    open_ = []
                if open_:
                    self._act(client, self._rng.choice(open_), f"{self.name}-{next(numbers)}")
                self.rest(0.05 if open_ else 0.5)

    def _act(self, client: PatrolClient, finding_id: int, request_id: str) -> None:
        of = client.findings
        methods: Sequence[tuple[Step, Callable[..., Finding]]] = (
            (Step.ACKNOWLEDGED, of.acknowledge), (Step.CLAIMED, of.claim),
            (Step.CLOSED, of.close), (Step.DISMISSED, of.dismiss),
        )  # fmt: skip
        step, method = self._rng.choices(methods, (5, 4, 1, 1))[0]
        while not self.stopped():
            try:
                finding = method(finding_id, f"by {self.name}", request_id=request_id)
            except CallError as error:
                if error.status in _REFUSED:
                    self.commands.append(Command(finding_id, step, request_id, 0))
                    return
                self.outcomes.failed(self.name, error)
                self.repeated += 1
                self.rest()
            else:
                self.commands.append(Command(finding_id, step, request_id, finding.number))
                return


class VerdictWatcher(Client):
    """`received`: (camera, visit) in the order they came.

    `marks`: pairs of the number received and the seq of the resume token then.

    `leaves` batches on average it goes away by itself, and comes again with its token; 0: never.
    """

    def __init__(
        self, name: str, address: str, outcomes: CallOutcomes, *, region: str = "", camera_ids: Sequence[str] = (),
        changes_only: bool = False, leaves: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(name, outcomes)
        self._address = address
        self.region, self.camera_ids, self.changes_only = region, tuple(camera_ids), changes_only
        self._leaves, self._rng = leaves, random.Random(name)
        self.received: list[tuple[str, int]] = []
        self.marks: list[tuple[int, int]] = []
        self.resumed = 0

    def work(self) -> None:
        token = encode_resume_token(0)
        with PatrolClient(self._address) as client:
            while not self.stopped():
                try:
                    with closing(
                        client.watch_batches(
                            region_prefix=self.region, camera_ids=self.camera_ids, changes_only=self.changes_only,
                            resume_token=token,
                        )
                    ) as batches:  # fmt: skip
                        for batch in batches:
                            self.received += [(verdict.camera_id, verdict.visit_id) for verdict in batch.verdicts]
                            token = batch.resume_token
                            self.marks.append((len(self.received), decode_resume_token(token)))
                            if self.stopped() or (self._leaves and self._rng.randrange(self._leaves) == 0):
                                break
                except CallError as error:
                    self.outcomes.failed(self.name, error)
                    self.rest()
                self.resumed += 1


class PatientWatcher(VerdictWatcher):
    """Uses PatrolClient.watch, which reconnects by itself."""

    def work(self) -> None:
        with PatrolClient(self._address) as client:
            try:
                for verdict in client.watch(region_prefix=self.region, resume_token=encode_resume_token(0)):
                    self.received.append((verdict.camera_id, verdict.visit_id))
                    if self.stopped():
                        return
            except CallError as error:
                self.outcomes.statuses[error.status] += 1
                self.outcomes.unexpected.append(f"{self.name}: {error.status}: {error}")


class FindingWatcher(Client):
    """`received`: (finding, event) in the order they came."""

    def __init__(self, name: str, address: str, outcomes: CallOutcomes, *, region: str = "") -> None:
        super().__init__(name, outcomes)
        self._address, self.region = address, region
        self.received: list[tuple[int, int]] = []
        self.resumed = 0

    def work(self) -> None:
        token = encode_resume_token(0)
        with PatrolClient(self._address) as client:
            while not self.stopped():
                try:
                    with closing(client.findings.watch(FindingQuery(region_prefix=self.region), token)) as batches:
                        for batch in batches:
                            self.received += [(event.finding_id, event.number) for event, _ in batch.changes]
                            token = batch.resume_token
                            if self.stopped():
                                break
                except CallError as error:
                    self.outcomes.failed(self.name, error)
                    self.rest()
                self.resumed += 1
