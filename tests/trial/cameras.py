"""The forty cameras of the trial: which server each hangs on, and what the engine has to announce of it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.model.verdict import FaultKind, Verdict

REGION = "139901"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers of the trial listen. `gst`: port by clip and, for one, by `login`."""

    live555: int
    gst: dict[str, int]
    rtmp: int
    hls: int
    mpegts: list[int]
    flv: list[int]
    snapshots: int
    silent: int
    refusing: int


@dataclass(frozen=True, slots=True)
class TrialCamera:
    """A camera, its URL, and what must be announced: the state, and one of `whys` (kinds or reasons; empty: any).

    `looped`: its file begins anew with each caller, so that it may rightly be frozen as well.
    """

    server: str
    url: str
    state: str
    whys: tuple[str, ...] = ()
    looped: bool = False

    def holds(self, verdict: Verdict | None) -> bool:
        """Whether the announced state is the expected one."""
        if verdict is not None and self.looped and FaultKind.FROZEN in verdict.announced_kinds:
            return True
        if verdict is None or verdict.announced != self.state:
            return False
        return not self.whys or bool({*verdict.announced_kinds, verdict.reason} & set(self.whys))

    @property
    def expected(self) -> str:
        return f"{self.state} {'/'.join(self.whys)}".strip()


def cameras(at: Addresses) -> list[TrialCamera]:
    """The forty cameras.

    A server that plays its file to each caller from the beginning may send the same keyframe at every visit
    (`looped`); what one process loops for all callers is live.
    """
    return [*_live555(at), *_gst(at), *_nginx(at), *_ffmpeg(at), *_snapshots(at), *_nobody(at)]


def write_registry(path: Path, trial_cameras: list[TrialCamera]) -> dict[str, TrialCamera]:
    """Write the registry as CSV; return the cameras by id."""
    by_id = {f"{REGION}0111132{number:07}": camera for number, camera in enumerate(trial_cameras, 1)}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["camera_id", "url", "name", "site_id", "site_name", "region", "key_point", "required"])
        for number, (camera_id, camera) in enumerate(by_id.items()):
            site = number // 5 + 1
            row = [camera_id, camera.url, f"{camera.server} {number}", f"T-{site}", f"青禾县第{site}小学食堂"]
            writer.writerow([*row, REGION, "cooking", "true"])
    return by_id


def _live555(at: Addresses) -> Iterator[TrialCamera]:
    base = f"rtsp://127.0.0.1:{at.live555}"
    for clip, state, whys in (
        ("clear-h264", "ok", ()),
        ("clear-h265", "ok", ()),
        ("blurred-h264", "fault", ("blurred",)),
        ("frozen-h264", "fault", ("frozen",)),
    ):
        for _ in range(2):
            yield TrialCamera("live555", f"{base}/{clip}", state, whys, looped=not whys)
    yield TrialCamera("live555", f"{base}/covered-h264", "fault", ("covered",))
    yield TrialCamera("live555", f"{base}/absent", "offline", ("not_found",))


def _gst(at: Addresses) -> Iterator[TrialCamera]:
    for clip in ("clear-h264", "clear-h265"):
        for _ in range(2):
            yield TrialCamera("gst-rtsp-server", f"rtsp://127.0.0.1:{at.gst[clip]}/live", "ok", looped=True)
    yield TrialCamera("gst-rtsp-server", f"rtsp://127.0.0.1:{at.gst['covered-h264']}/live", "fault", ("covered",))
    yield TrialCamera("gst, Digest", f"rtsp://user:trial@127.0.0.1:{at.gst['login']}/live", "ok", looped=True)
    for login in ("user:wrong@", ""):
        yield TrialCamera(
            "gst, Digest", f"rtsp://{login}127.0.0.1:{at.gst['login']}/live", "offline", ("unauthorized",)
        )


def _nginx(at: Addresses) -> Iterator[TrialCamera]:
    base = f"rtmp://127.0.0.1:{at.rtmp}/live"
    for clip, state, whys in (
        ("clear-h264", "ok", ()),
        ("blurred-h264", "fault", ("blurred",)),
        ("dark-h264", "fault", ("too_dark",)),
        ("covered-h264", "fault", ("covered",)),
    ):
        yield TrialCamera("nginx-rtmp", f"{base}/{clip}", state, whys)
    yield TrialCamera("nginx-rtmp", f"{base}/clear-h264", "ok")
    yield TrialCamera("nginx-rtmp", f"{base}/absent", "offline", ("not_found", "no_video", "timeout_keyframe"))
    for clip, state, whys in (("clear-h264", "ok", ()), ("covered-h264", "fault", ("covered",))):
        yield TrialCamera("nginx, HLS", f"http://127.0.0.1:{at.hls}/hls/{clip}.m3u8", state, whys)


def _ffmpeg(at: Addresses) -> Iterator[TrialCamera]:
    for port in at.mpegts:
        yield TrialCamera("ffmpeg, MPEG-TS", f"http://127.0.0.1:{port}/live.ts", "ok")
    for port in at.flv:
        yield TrialCamera("ffmpeg, HTTP-FLV", f"http://127.0.0.1:{port}/live.flv", "ok")


def _snapshots(at: Addresses) -> Iterator[TrialCamera]:
    for path, login, state, whys in (
        ("clear.jpg", "user:trial@", "ok", ()),
        ("covered.jpg", "user:trial@", "fault", ("covered", "low_contrast")),
        ("clear.jpg", "user:wrong@", "offline", ("unauthorized",)),
        ("page.html", "user:trial@", "offline", ("no_video", "protocol_error", "unsupported_codec")),
        ("absent.jpg", "user:trial@", "offline", ("not_found",)),
    ):
        yield TrialCamera("HTTP, Digest", f"http://{login}127.0.0.1:{at.snapshots}/{path}", state, whys)


def _nobody(at: Addresses) -> Iterator[TrialCamera]:
    for number in range(2):
        yield TrialCamera("nobody", f"rtsp://127.0.0.1:{at.refusing}/{number}", "offline", ("refused",))
    silent = ("timeout_connect", "timeout_keyframe")
    yield TrialCamera("a silent server", f"rtsp://127.0.0.1:{at.silent}/1", "offline", silent)
