"""The hub's end to the reader process: one job at a time."""

from concurrent.futures import Future

from engine.model.keyframe import Keyframe
from engine.model.overlay import Box, PictureText
from engine.reader import wire
from engine.runtime.control import TOO_COSTLY
from engine.runtime.transport import Channel

LOST = "lost"
"""Reason of a job whose reader ended, for whatever reason but the picture's cost."""

Outcome = PictureText | bytes | wire.Failed


class ReaderLink:
    """For the hub's thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._reader = ""
        self._job_id = 0
        self._answer: Future[Outcome] | None = None

    @property
    def is_free(self) -> bool:
        """Whether the reader is ready and has no job."""
        return bool(self._reader) and self._answer is None

    def ready(self, name: str) -> None:
        """Take a reader into service, in place of an earlier one."""
        self._end(wire.Failed(LOST, "another reader came"))
        self._reader = name

    def lost(self, name: str, reason: str) -> None:
        """Note that a reader ended; its job comes to nothing. `reason`: as of LOST in engine.runtime.control."""
        if name == self._reader:
            self._reader = ""
            word = TOO_COSTLY if reason == TOO_COSTLY else LOST
            self._end(wire.Failed(word, f"the reader ended: {reason}"))

    def ask(self, keyframe: Keyframe, crop: Box | None = None) -> "Future[Outcome]":
        """Have a keyframe read, or with `crop` a part of it made a JPEG. The future never fails.

        Without a free reader the outcome is LOST at once.
        """
        answer: Future[Outcome] = Future()
        self._job_id += 1
        job = wire.Job(self._job_id, keyframe, crop)
        if self.is_free and self._channel.send(wire.pack_job(job), self._reader.encode()):
            self._answer = answer
        else:
            answer.set_result(wire.Failed(LOST, "no reader is free"))
        return answer

    def finish(self, result: wire.Result) -> None:
        """Take a result; one of a job that is no longer waited for is ignored."""
        if result.job_id == self._job_id:
            self._end(result.outcome)

    def garbled(self) -> None:
        """Note that the reader sent what is no result: its job comes to nothing."""
        self._end(wire.Failed("garbled", "the reader sent what is no result"))

    def _end(self, outcome: Outcome) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.set_result(outcome)
