"""Steps: what first users stumbled over, each shown gone. One function a stumble.

A stumble whose cure is a command skips with a reason on an engine that does not have the command yet.
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.docgen.commands import commands
from tests.trial.machine import ROOT, Trial
from tests.trial.steps import CannotRunError, expect, step

SPOILT_ID = "1.30102E+19"
"""A camera code as a spreadsheet leaves it."""


def _needs(*words: str, option: str = "") -> None:
    """Skip the step unless `patrol` has this command, and the option."""
    command = dict(commands()).get(words)
    if command is None:
        raise CannotRunError(f"this engine has no `patrol {' '.join(words)}`")
    if option and not any(option in parameter.opts for parameter in command.params):
        raise CannotRunError(f"`patrol {' '.join(words)}` has no {option}")


@step("check: a folder that does not exist is told in one sentence, not by a traceback")
def picture_without_folder(trial: Trial) -> str:
    clip = str(trial.folder / "clips" / "clear-h264.mp4")
    done = trial.patrol("check", clip, "--picture", "/no/such/dir/a.png")
    expect("Traceback" not in done.stderr, "a traceback")
    expect(done.returncode == 2, f"exit {done.returncode}")
    return done.stderr.strip().splitlines()[-1][:100]


@step("cameras list in another folder creates no database, and says which it means")
def list_in_another_folder(trial: Trial) -> str:
    folder = trial.folder / "elsewhere"
    folder.mkdir(exist_ok=True)
    config = folder / "patrol.toml"
    config.write_text('[serve]\ngrpc_listen = "127.0.0.1:1"\n[record]\nurl = "sqlite:///var/patrol.db"\n')
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "cameras", "list", "--config", "patrol.toml"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    expect(not (folder / "var").exists(), "an empty database was created")
    expect("patrol.db" in done.stdout + done.stderr, "the database is not named")
    return (done.stderr or done.stdout).strip().splitlines()[-1][:100]


@step("an id that a spreadsheet spoilt is refused, with the remedy")
def spoilt_id(trial: Trial) -> str:
    path = trial.folder / "spoilt.csv"
    path.write_text(f"camera_id,url\n{SPOILT_ID},rtsp://127.0.0.1/1\n")
    done = trial.patrol("cameras", "import", str(path), "--config", "patrol.toml")
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stdout}")
    expect("text" in done.stderr, done.stderr)
    return "refused; the message says how to keep the column as text"


@step("check-now from the command line")
def check_now(trial: Trial) -> str:
    _needs("check-now")
    camera_id = next(code for code, camera in trial.cameras.items() if camera.state == "ok")
    done = trial.patrol("check-now", camera_id, "--config", "patrol.toml")
    expect(done.returncode == 0, done.stderr)
    return done.stdout.strip().splitlines()[-1][:100]


@step("the picture of a camera from the command line")
def picture(trial: Trial) -> str:
    _needs("picture")
    camera_id = next(code for code, camera in trial.cameras.items() if camera.state == "ok")
    target = trial.folder / "camera.jpg"
    done = trial.patrol("picture", camera_id, "-o", str(target), "--config", "patrol.toml")
    expect(done.returncode == 0, done.stderr)
    expect(target.read_bytes()[:2] == b"\xff\xd8", "no JPEG")
    return f"{target.stat().st_size} bytes of JPEG"


@step("kpi --from after --to is an error")
def kpi_backwards(trial: Trial) -> str:
    done = trial.patrol("kpi", "--from", "2026-11-20", "--to", "2026-11-10", "--config", "patrol.toml")
    expect(done.returncode == 2, f"exit {done.returncode}: {done.stdout[:100]}")
    return done.stderr.strip()[:100]


@step("64-bit ids are strings in JSON: jq and Node keep every digit")
def long_ids(trial: Trial) -> str:
    done = trial.patrol("cameras", "list", "--json", "--config", "patrol.toml")
    numbers = [
        value
        for line in done.stdout.splitlines()
        for value in _numbers(json.loads(line))
        if isinstance(value, int) and abs(value) > 2**53
    ]
    expect(not numbers, f"{len(numbers)} numbers beyond 2^53, such as {numbers[:1]}")
    return "no number beyond 2^53"


@step("a wrong password is on the operator's list, and no finding of the school")
def operators_list(trial: Trial) -> str:
    ours = {code for code, camera in trial.cameras.items() if "unauthorized" in camera.whys}
    done = trial.patrol("findings", "list", "--json", "--rows", "1000", "--config", "patrol.toml")
    accused = {json.loads(line)["camera"].rpartition("/")[2] for line in done.stdout.splitlines()}
    expect(accused, "no findings at all")
    expect(not accused & ours, f"findings of {', '.join(sorted(accused & ours))}")
    done = trial.patrol("cameras", "list", "--operator", "--json", "--config", "patrol.toml")
    listed = {json.loads(line)["name"].rpartition("/")[2] for line in done.stdout.splitlines()}
    expect(ours <= listed, f"not on the operator's list: {', '.join(sorted(ours - listed))}")
    return (
        f"{len(accused)} findings, none of the {len(ours)} with a wrong password; {len(listed)} on the operator's list"
    )


@step("a report shows every open finding with its pictures")
def report(trial: Trial) -> str:
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat()
    page = trial.folder / "report.html"
    words = ("report", "--region", "139901", "--day", today, "--lang", "en", "--html", str(page))
    done = trial.patrol(*words, "--config", "patrol.toml")
    expect(done.returncode == 0, done.stderr)
    pictures = page.read_text(encoding="utf-8").count("data:image/jpeg")
    expect(pictures, "no picture in it")
    return f"{pictures} pictures, {page.stat().st_size} bytes"


@step("probes: /healthz, /readyz and /metrics apart, HEAD allowed, anything else 404")
def probes(trial: Trial) -> str:
    def code(method: str, path: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{trial.metrics}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    asked = (("GET", "/healthz"), ("HEAD", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/nonsense"))
    codes = [code(*each) for each in asked]
    expect(codes == [200, 200, 200, 200, 404], f"{codes}")
    return "200, 200, 200, 200, 404"


def _numbers(value: object) -> list[object]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value]
