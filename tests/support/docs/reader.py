"""A reader of one page, on a machine of their own: the files that pages name, and an engine on free ports.

`patrol run` in a page starts that engine, `systemctl stop patrol` stops it; a line that asks a running engine starts
it too. `patrol` is a script that gives `--config patrol.toml` where a line leaves `--config` out, which is how it
finds the engine: everywhere else the defaults hold, and their ports may be in use.
"""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.client import CallError, PatrolClient
from engine.docgen.commands import commands as cli_commands
from engine.model.keyframe import Codec
from tests.support.docs.lines import ADDRESSES, allowed_codes, localised, shortened
from tests.support.docs.pages import ROOT, Command, simple_commands
from tests.support.feed.clips import write_clip
from tests.support.feed.http_site import site
from tests.support.ports import free_ports
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import SECRET_LINE

LINE_TIMEOUT_S = 90.0
FINDINGS_MIN = 12
"""Pages show finding 12."""
_CLI = dict(cli_commands())
_SHIM = """#!{python} -S
import os, sys
words = sys.argv[1:]
if "--config" not in words and "-c" not in words and os.path.exists("patrol.toml"):
    if any(" ".join(words[:n]) in {configurable!r} for n in (1, 2, 3)):
        words += ["--config", "patrol.toml"]
os.execv(sys.executable, [sys.executable, "-m", "engine.cli", *words])
"""
_QUICK = """
[feed]
deadline_s = 3
connect_timeout_s = 1

[worker]
count = 1
spare = false

[scheduler]
key_period_s = 2
ordinary_period_s = 2
suspicious_period_s = 2
offhours_period_s = 2
backoff_stream_first_s = 1
backoff_connect_first_s = 1
backoff_lasting_first_s = 1
backoff_max_s = 2
confirm_spacing_s = 1
outage_cameras_min = 1000
visits_per_uplink_max = 8

[record]
url = "sqlite:///var/patrol.db"

[intake]
listen = "tcp://127.0.0.1:7701"

[serve]
grpc_listen = "127.0.0.1:7702"
metrics_listen = "127.0.0.1:7703"

[web]
listen = "127.0.0.1:7704"

[notices]
source = "urn:kitchen-patrol:docs"

[[notices.endpoints]]
name = "changan"
url = "http://127.0.0.1:{receiver}/patrol"
secret_file = "changan.secret"

[log]
level = "warning"
"""


class Reader:
    """Types the lines of a page into a shell. `environment`: of that shell."""

    def __init__(self, folder: Path, receiver_port: int, pictures_port: int) -> None:
        self.folder = folder
        self.ports = dict(zip(ADDRESSES.values(), free_ports(len(ADDRESSES)), strict=True))
        self.environment = dict(os.environ)
        self._engine: subprocess.Popen[bytes] | None = None
        _furnish(folder, receiver_port, pictures_port)
        self._localise_configuration()
        shims = folder / ".shims"
        configurable = {" ".join(words) for words, command in _CLI.items() if "--config" in _options(command)}
        for name, text in (
            ("patrol", _SHIM.format(python=sys.executable, configurable=configurable)),
            ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n'),
        ):
            shims.mkdir(exist_ok=True)
            (shims / name).write_text(text)
            (shims / name).chmod(0o755)
        self.environment |= {"PATH": f"{shims}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "160"}

    def type(self, command: Command) -> str:
        """Run a line; return what went wrong, empty if nothing did."""
        text = command.text
        if text.startswith(("patrol run", "systemctl start patrol")):
            self.stop_engine()
            return self.start_engine()
        if text.startswith("systemctl stop patrol"):
            self.stop_engine()
            return ""
        if _asks_the_engine(text) and self._engine is None and (problem := self.start_engine()):
            return problem
        if re.match(r"patrol (findings|picture|cameras show|verdicts)", text):
            wait_until(lambda: self._findings() >= FINDINGS_MIN, 60, what="the findings that pages show", poll_s=0.5)
        if text.startswith("patrol token create") and "PATROL_TOKEN" not in self.environment:
            # From the first token on every call needs one: the reader is an admin.
            made = self._shell("patrol token create --name reader --role admin")
            self.environment["PATROL_TOKEN"] = made.stdout.strip().splitlines()[-1]
        done = self._shell(localised(shortened(text), self.ports))
        self._localise_configuration()
        if done.returncode not in allowed_codes(text) or "Traceback" in done.stderr:
            return f"`{text}` ended with {done.returncode}: {done.stderr[-1500:] or done.stdout[-500:]}"
        return ""

    def import_registry(self) -> None:
        """Fill the registry that pages other than README take for granted."""
        done = self._shell("patrol cameras import cameras.csv")
        assert done.returncode == 0, done.stderr

    def run_python(self, source: str, seconds: float) -> str:
        """Run a block of Python, which may go on for ever; return what went wrong within `seconds`."""
        try:
            done = subprocess.run(
                [sys.executable, "-c", localised(source, self.ports)],
                capture_output=True, text=True, cwd=self.folder, env=self.environment, timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode() if isinstance(error.stderr, bytes) else error.stderr or ""
            return said if "Traceback" in said else ""
        return "" if done.returncode == 0 else done.stderr

    def start_engine(self) -> str:
        """Start `patrol run --config patrol.toml` and wait until it answers; return why it did not."""
        log = self.folder / "engine.log"
        with log.open("ab") as output:
            self._engine = subprocess.Popen(
                ["patrol", "run", "--config", "patrol.toml"],
                executable=str(self.folder / ".shims" / "patrol"),
                cwd=self.folder, env=self.environment, stdout=output, stderr=output,
            )  # fmt: skip
        engine = self._engine
        wait_until(lambda: engine.poll() is not None or self._answers(), 120, what="the engine answers", poll_s=0.2)
        return "" if engine.poll() is None else f"patrol run ended: {log.read_text()[-1500:]}"

    def stop_engine(self) -> None:
        """Stop the engine if it runs."""
        if self._engine is not None:
            self._engine.send_signal(signal.SIGTERM)
            self._engine.wait(20)
            self._engine = None

    def _findings(self) -> int:
        return self._shell("patrol findings list --json").stdout.count("\n")

    def _answers(self) -> bool:
        token = self.environment.get("PATROL_TOKEN", "")
        with PatrolClient(f"127.0.0.1:{self.ports['grpc']}", token=token) as client, contextlib.suppress(CallError):
            return bool(client.status())
        return False

    def _shell(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", text],
            capture_output=True, text=True, cwd=self.folder, env=self.environment, timeout=LINE_TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _localise_configuration(self) -> None:
        """Give patrol.toml, which a line may have written anew, the ports of this run."""
        for path in self.folder.glob("*.toml"):
            text = path.read_text(encoding="utf-8")
            if (local := localised(text, self.ports)) != text:
                tomllib.loads(local)
                path.write_text(local, encoding="utf-8")


@contextmanager
def reader(folder: Path, receiver_port: int) -> Iterator[Reader]:
    """Give a reader a machine of their own; its engine is stopped at the end."""
    with site({"/dark.jpg": ("image/jpeg", _dark_picture())}) as pictures:
        person = Reader(folder, receiver_port, int(pictures.rpartition(":")[2]))
        try:
            yield person
        finally:
            person.stop_engine()


def _asks_the_engine(text: str) -> bool:
    """Whether a line asks a running engine: by a command of `patrol`, a program of examples/, or its address."""
    if any(f"127.0.0.1:{port}" in text for port in ADDRESSES):
        return True
    for program, *words in simple_commands(text):
        if program == "python" and words and words[0].startswith("examples/"):
            return True
        if program == "patrol":
            name = max((name for name in _CLI if tuple(words[: len(name)]) == name), key=len, default=None)
            if (
                name is not None
                and name != ("cameras", "import")
                and any("--server" in p.opts for p in _CLI[name].params)
            ):
                return True
    return False


def _options(command: Any) -> set[str]:
    return {spelling for parameter in command.params for spelling in parameter.opts}


def _furnish(folder: Path, receiver_port: int, pictures_port: int) -> None:
    """Put the files there that pages name. Cameras of 130102 give a picture that is too dark: each has a finding."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    clip = write_clip(folder / "canteen.mp4", Codec.H264, frames=3, size=(640, 360))
    for name in ("clip.mp4", "kitchen.mp4"):
        shutil.copy(clip, folder / name)
    _defocus(clip, folder / "canteen_defocus.mp4")
    for name in ("before.jpg", "after.jpg"):
        (folder / name).write_bytes(_dark_picture())
    quick = _QUICK.format(receiver=receiver_port)
    for name in ("patrol.toml", "new.toml", "denser.toml", "old.toml", "新配置.toml", "新.toml", "旧.toml"):
        (folder / name).write_text(quick, encoding="utf-8")
    (folder / "plan.toml").write_text("[scheduler]\nkey_period_s = 300\nvisits_max = 500\n")
    (folder / "defaults.toml").touch()
    policy = '{ key_point = "sub_with_main", ordinary = "sub_with_main" }'
    (folder / "sub.toml").write_text(f"[scheduler]\nstreams = {policy}\n")
    (folder / "shorter.toml").write_text(
        (ROOT / "examples/plans/sessions_64.toml").read_text().replace("300.0", "150.0")
    )
    (folder / "changan.secret").write_text(SECRET_LINE + "\n")
    sample = (ROOT / "examples/cameras.csv").read_text(encoding="utf-8")
    codes = [f"1301020000132{number:07}" for number in range(1, 18) if number != 9]  # a page adds number 9
    rows = [
        f"{code},http://127.0.0.1:{pictures_port}/dark.jpg,烹饪间,s-{n + 15},长安第{n}小学,"
        f"130102,cooking,true,nvr-{n // 2},,"
        for n, code in enumerate(codes)
    ]
    for name in ("cameras.csv", "名册.csv"):
        (folder / name).write_text(sample + "\n".join(rows) + "\n", encoding="utf-8")
    (folder / "channels.jsonl").write_text(
        '{"gbDeviceId": "13010200001320000021", "gbName": "专间", "gbCivilCode": "130102", '
        '"gbParentId": "13010200001180000001"}\n', encoding="utf-8",
    )  # fmt: skip


def _dark_picture() -> bytes:
    from PIL import Image

    output = io.BytesIO()
    Image.effect_noise((640, 360), 4).point(lambda level: max(0, level - 124)).save(output, "JPEG")
    return output.getvalue()


def _defocus(clip: Path, target: Path) -> None:
    """Write a clip out of focus."""
    import av
    from PIL import Image, ImageFilter

    with av.open(str(clip)) as source:
        picture = next(source.decode(video=0)).to_ndarray(format="rgb24")
    blurred = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(9))
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = blurred.width, blurred.height, "yuv420p"
        for packet in [*stream.encode(av.VideoFrame.from_image(blurred)), *stream.encode(None)]:
            container.mux(packet)
