"""The examples of docs/callers.md, run as they stand there against a server."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from engine.clock import wall_ns
from engine.model.access import Role, TokenOrder
from engine.storage.db.store import Store
from engine.web.documents import descriptors
from tests.support.serve.served import FakeHub, county_cameras, serving
from tests.support.web.gateway import gateway

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "callers.md").read_text(encoding="utf-8")
NODE_MAJOR_MIN = 18


def example(language: str, name: str = "") -> str:
    """Return the block of a language; `name`: of the file that its first line names."""
    for block in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL):
        if block.startswith(f"// {name}") or not name:
            return str(block)
    raise AssertionError(f"docs/callers.md has no {language} block {name}")


def node_major() -> int:
    node = shutil.which("node")
    if node is None:
        return 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.removeprefix("v").partition(".")[0])


needs_node = pytest.mark.skipif(node_major() < NODE_MAJOR_MIN, reason=f"needs Node {NODE_MAJOR_MIN} or later")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An engine with a token: what the examples read from the environment."""
    folder = tmp_path_factory.mktemp("callers")
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    _, secret = store.access.create_token(TokenOrder("caller", Role.OPERATOR), "test", wall_ns())
    hub = FakeHub(store)
    hub.put(*county_cameras(3))
    (folder / "patrol.v1.binpb").write_bytes(descriptors())
    with serving(folder, hub=hub, watchers_max=20) as served, gateway(served.address) as address:
        hub.judge("c1", 700)
        yield {
            **os.environ,
            "PATROL_HTTP": f"http://{address}",
            "PATROL_SERVER": served.address,
            "PATROL_TOKEN": secret,
            "PATROL_IMAGE": str(folder / "patrol.v1.binpb"),
            "SECONDS": "2",
        }
    store.close()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm packages that the examples name."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("node")
    names = sorted({name for line in re.findall(r"`npm install ([^`]+)`", PAGE) for name in line.split()})
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm could not install {', '.join(names)}: {done.stderr[-300:]}")
    return folder


def run(command: Sequence[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_node
def test_node_over_http(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "http.mjs").write_text(example("js", "http.mjs"), encoding="utf-8")
    said = run(["node", "http.mjs"], environment, tmp_path)
    assert "cameras/c1 VERDICT_STATE_" in said
    assert "cameras/c2 unseen" in said
    assert "NOT_FOUND: camera 'nobody'" in said


@needs_node
@pytest.mark.parametrize("name", ["watch.mjs", "grpc.mjs"])
def test_node_with_packages(environment: dict[str, str], packages: Path, name: str) -> None:
    (packages / name).write_text(example("js", name), encoding="utf-8")
    said = run(["node", name], environment, packages)
    assert "cameras/c1/verdicts/700 VERDICT_STATE_" in said


@needs_node
def test_what_a_browser_does(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "browser.mjs").write_text(example("js", "browser.mjs"), encoding="utf-8")
    assert "cameras/c1/verdicts/700 VERDICT_STATE_" in run(["node", "browser.mjs"], environment, tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(environment: dict[str, str], tmp_path: Path) -> None:
    said = run(["sh", "-euc", example("sh")], environment, tmp_path)
    assert '"displayName":"烹饪间"' in said
    assert '"outcome":"CHECK_OUTCOME_NOT_FOUND"' in said
    assert (tmp_path / "picture.jpg").read_bytes() == b"\xff\xd8"


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
def test_java_over_http(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Cameras.java").write_text(example("java", "Cameras.java"), encoding="utf-8")
    assert '"name":"cameras/c1"' in run(["java", "Cameras.java"], environment, tmp_path)
