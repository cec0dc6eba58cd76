"""Step: the ways of installing that docs/install.md shows. The last one: it takes longest where the network is slow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.trial.machine import ROOT, Trial
from tests.trial.steps import expect, step

INSTALL_S = 200.0


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


def _must(command: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command; fail the step with its last words if it fails."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_S, check=False, cwd=cwd,
        env={**clean, **(environment or {})},
    )  # fmt: skip
    expect(done.returncode == 0, f"{' '.join(command)[:80]}: {done.stderr[-300:]}")
    return done.stdout
