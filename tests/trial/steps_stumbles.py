"""Steps: what first users stumbled over, each shown gone. One function a stumble.

A stumble whose cure is a command skips with a reason on an engine that does not have the command yet.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from engine.docgen.commands import commands
from tests.trial.machine import ROOT, Trial
from tests.trial.steps import CannotRunError, expect, step

INSTALL_S = 300.0
SPOILT_ID = "1.30102E+19"
"""A camera code as a spreadsheet leaves it."""


def _needs(*words: str, option: str = "") -> None:
    """CannotRunError unless `patrol` has this command, and the option."""
    command = dict(commands()).get(words)
    if command is None:
        raise CannotRunError(f"this engine has no `patrol {' '.join(words)}`")
    if option and not any(option in parameter.opts for parameter in command.params):
        raise CannotRunError(f"`patrol {' '.join(words)}` has no {option}")


@step("README's way of installing gives a `patrol` that runs: pip, pipx, uv, from one wheel")
def installs(trial: Trial) -> str:
    folder = trial.folder / "install"
    tree, wheels = folder / "tree", folder / "wheels"
    shutil.copytree(
        ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache")
    )
    pip = [sys.executable, "-m", "pip"]
    _must([*pip, "wheel", "-q", str(tree), "--no-deps", "--wheel-dir", str(wheels)])
    wheel = str(next(wheels.glob("*.whl")))
    _must([sys.executable, "-m", "venv", str(folder / "tools")])
    tools = folder / "tools" / "bin"
    _must([str(tools / "pip"), "install", "-q", "pipx", "uv"])
    _must([sys.executable, "-m", "venv", str(folder / "pip")])
    _must([str(folder / "pip" / "bin" / "pip"), "install", "-q", wheel])
    environment = {"PIPX_HOME": f"{folder}/pipx", "PIPX_BIN_DIR": f"{folder}/pipx-bin"}
    _must([str(tools / "pipx"), "install", wheel], environment)
    environment = {"UV_TOOL_DIR": f"{folder}/uv", "UV_TOOL_BIN_DIR": f"{folder}/uv-bin"}
    _must([str(tools / "uv"), "tool", "install", wheel], environment)
    found = [folder / "pip" / "bin" / "patrol", folder / "pipx-bin" / "patrol", folder / "uv-bin" / "patrol"]
    versions = {_must([str(program), "--version"], cwd=folder).strip() for program in found}
    expect(len(versions) == 1, f"versions: {versions}")
    return f"{Path(wheel).name} by pip, pipx and uv: {versions.pop()}"


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


def _numbers(value: object) -> list[object]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value]


def _must(command: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command; fail the step with its last words if it fails."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_S, check=False, cwd=cwd,
        env={**clean, **(environment or {})},
    )  # fmt: skip
    expect(done.returncode == 0, f"{' '.join(command)[:80]}: {done.stderr[-300:]}")
    return done.stdout
