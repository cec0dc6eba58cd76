"""Streams cameras from the shared replay server, and counts how many visits of each recorder it had at once."""

import asyncio
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

REPLAY = Path(__file__).parents[3] / "shared" / "tools" / "rtsp_replay.py"
CLIPS = Path(__file__).parents[3] / "shared" / "data" / "camera"
CAMERAS_PER_RECORDER = 10
_PHASE = 37
"""What the replay server makes of the number of a mount."""
_LAST_LINE = "asyncio.run(main())"


class _Recorder:
    """Counts the visits of one recorder. One that lasts longer than `visit_s_max` is none: its process is stopped."""

    def __init__(self, visit_s_max: float) -> None:
        self._visit_s_max = visit_s_max
        self._begun: dict[Any, float] = {}
        self.peak = 0

    def begin(self, client: Any) -> None:
        now_s = time.monotonic()
        self._begun[client] = now_s
        self.peak = max(self.peak, sum(now_s - begun_s < self._visit_s_max for begun_s in self._begun.values()))

    def end(self, client: Any) -> None:
        self._begun.pop(client, None)


class _Clients(set[Any]):
    """The clients of one mount, counted for its recorder."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def add(self, element: Any) -> None:
        super().add(element)
        self._recorder.begin(element)

    def discard(self, element: Any) -> None:
        super().discard(element)
        self._recorder.end(element)


def serve(port: int, cameras: int, visit_s_max: float, pipe: "Connection[Any, Any]") -> None:
    """Serve so many cameras until told to stop; then send the most visits at once of each recorder."""
    module = ModuleType("rtsp_replay")
    source = REPLAY.read_text(encoding="utf-8").replace(_LAST_LINE, "").replace("'127.0.0.1'", "'0.0.0.0'")
    exec(compile(source, str(REPLAY), "exec"), module.__dict__)
    recorders = [_Recorder(visit_s_max) for _ in range(cameras // CAMERAS_PER_RECORDER)]
    plain: Any = module.Channel

    class Counted(plain):  # type: ignore[misc]
        def __init__(self, file: Any, phase: int) -> None:
            super().__init__(file, phase)
            self.clients = _Clients(recorders[phase // _PHASE // CAMERAS_PER_RECORDER])

    module.Channel = Counted  # type: ignore[attr-defined]
    clips = [str(CLIPS / f"{scene}_D1_h264_512k.mp4") for scene in ("canteen", "lobby")]
    sys.argv = ["rtsp_replay.py", "--port", str(port), "--mounts", str(cameras), *clips]

    def answer() -> None:
        pipe.recv()
        pipe.send([recorder.peak for recorder in recorders])

    threading.Thread(target=answer, daemon=True).start()
    asyncio.run(module.main())
