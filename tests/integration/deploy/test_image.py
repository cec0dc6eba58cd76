"""The container image, built by buildah on a base of Debian's own packages, and run by podman as docs/install.md says.

`make image-test` runs it: it needs root, some minutes and some packages, and downloads a Debian and the wheels. No
image is pulled: the Dockerfile's BASE is made by debootstrap.
"""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.model.keyframe import Codec
from tests.support.docs.pages import ROOT
from tests.support.feed.clips import encode, scene
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif("PATROL_IMAGE_TEST" not in os.environ, reason="takes minutes and the network: make image-test"),
]
PROGRAMS = ("buildah", "podman", "debootstrap", "runc")
MIRROR = "http://deb.debian.org/debian"
BASE, IMAGE = "localhost/patrol-base", "localhost/kitchen-patrol"
IMAGE_BYTES_MAX = 1_200_000_000
"""968 MB on Debian's packages, of which 226 MB are the base."""
STOP_S = 30
"""As stop_grace_period in compose.yaml."""
HEALTHY_S = 300
COMPILE = """
from engine.decode import warmup as decode
from engine.feed import warmup as feed
from engine.judge import warmup as judge
from engine.kernels import warmup as kernels
for package in (decode, feed, judge, kernels):
    package.warm_up()
"""
CONFIG = """
[record]
url = "sqlite:////var/lib/patrol/patrol.db"
evidence_dir = "/var/lib/patrol/evidence"
quarantine_dir = "/var/lib/patrol/quarantine"
[worker]
count = 1
[log]
format = "json"
"""


@dataclass(frozen=True, slots=True)
class Containers:
    """buildah and podman with a storage of their own, and the volumes and the configuration of the engine."""

    folder: Path

    @property
    def storage(self) -> list[str]:
        driver = "overlay" if "overlay" in Path("/proc/filesystems").read_text() else "vfs"
        return ["--root", f"{self.folder}/store", "--runroot", f"{self.folder}/run", "--storage-driver", driver]

    def podman(self, *arguments: str, given: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = ["podman", *self.storage, "--runtime", "runc", *arguments]
        return subprocess.run(command, input=given, capture_output=True, timeout=900, check=check)

    def make_base(self) -> None:
        """Make what the public python image is: a Debian with a Python that is called `python`."""
        root, archive = self.folder / "base", self.folder / "base.tar"
        packages = "python3,python3-venv,python-is-python3"
        _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root), MIRROR)
        _run("tar", "-C", str(root), "-cf", str(archive), ".")
        self.podman("import", str(archive), BASE)
        archive.unlink()
        shutil.rmtree(root)

    def build(self) -> None:
        """Build the Dockerfile. A chroot needs no user namespace; health checks are in images of Docker's format."""
        command = [
            "buildah",
            *self.storage,
            "build",
            "--format",
            "docker",
            "--isolation",
            "chroot",
            "--network",
            "host",
        ]
        if authority := os.environ.get("PIP_CERT"):  # a machine whose way to PyPI has an authority of its own
            pip = self.folder / "pip.conf"
            pip.write_text("[global]\ncert = /etc/ssl/own.crt\n")
            command += ["--volume", f"{pip}:/etc/pip.conf:ro", "--volume", f"{authority}:/etc/ssl/own.crt:ro"]
        command += ["--build-arg", f"BASE={BASE}", "-f", "deploy/docker/Dockerfile", "-t", IMAGE, "."]
        _run(*command)

    def engine(self, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        """The arguments that run the image, closed as in compose.yaml, with no network at all."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        closed = ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        limits = ["--ulimit", f"nofile=1024:{hard}", "--ulimit", "nproc=4096:4096"]
        mounts = ["--tmpfs", "/tmp", "-v", "data:/var/lib/patrol", "-v", "cache:/var/cache/patrol"]
        config = ["-v", f"{self.folder}/patrol.toml:/etc/patrol/patrol.toml:ro"]
        return ["run", "--network", "none", *closed, *limits, *mounts, *config, *options, IMAGE, *arguments]


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]} {done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """The image, built, with its kernels compiled in the cache's volume."""
    if os.geteuid():
        pytest.skip("only root can make a Debian")
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"not installed: apt-get install {' '.join(missing)}")
    containers = Containers(tmp_path_factory.mktemp("image"))
    (containers.folder / "patrol.toml").write_text(CONFIG)
    (containers.folder / "patrol.toml").chmod(0o644)
    try:
        containers.make_base()
        containers.build()
        # On a loaded machine this takes longer than a command or the engine waits for a worker.
        containers.podman(*containers.engine("-c", COMPILE, options=("--rm", "--entrypoint", "python")))
        yield containers
    finally:
        containers.podman("rm", "--all", "--force", "--time", "0", check=False)
        containers.podman("rmi", "--all", "--force", check=False)
        shutil.rmtree(containers.folder / "store", ignore_errors=True)


def test_the_image_is_small_and_has_its_health_check_and_its_user(containers: Containers) -> None:
    told = containers.podman("inspect", IMAGE, "--format", "{{.Size}} {{.User}} {{.HealthCheck.StartPeriod}}").stdout
    size, user, _ = told.decode().split(" ", 2)
    print(f"size of the image: {int(size) / 1e6:.0f} MB")
    assert int(size) < IMAGE_BYTES_MAX
    assert user == "10001:10001"


def test_a_picture_is_checked_inside(containers: Containers) -> None:
    picture = encode(Codec.MJPEG, [scene(640, 480)])[0]
    arguments = ["-c", "cat > /tmp/picture.jpg; patrol check /tmp/picture.jpg; id -u; touch /opt/x"]
    done = containers.podman(
        *containers.engine(*arguments, options=("--rm", "-i", "--entrypoint", "sh")), given=picture, check=False
    )
    said = done.stdout.decode()
    assert "picture.jpg" in said, done.stderr.decode()
    assert " ok " in said
    assert said.splitlines()[-1] == "10001"
    assert "Read-only file system" in done.stderr.decode()


def test_the_engine_becomes_healthy_and_stops_in_time(containers: Containers) -> None:
    containers.podman(*containers.engine(options=("--detach", "--name", "engine")))

    def healthy() -> bool:
        running = containers.podman("inspect", "engine", "--format", "{{.State.Running}}").stdout.strip() == b"true"
        assert running, containers.podman("logs", "engine").stderr.decode()[-2000:]
        return containers.podman("healthcheck", "run", "engine", check=False).returncode == 0

    wait_until(healthy, HEALTHY_S, poll_s=2)
    ready = "import urllib.request as r; r.urlopen('http://127.0.0.1:7703/readyz', timeout=3)"
    wait_until(
        lambda: containers.podman("exec", "engine", "python", "-c", ready, check=False).returncode == 0, 60, poll_s=1
    )
    assert b"lag" in containers.podman("exec", "engine", "patrol", "top", "--once").stdout
    began_s = time.monotonic()
    containers.podman("stop", "--time", str(STOP_S), "engine")
    took_s = time.monotonic() - began_s
    code = containers.podman("inspect", "engine", "--format", "{{.State.ExitCode}}").stdout.strip()
    assert (code, took_s < STOP_S) == (b"0", True), f"{took_s:.0f} s"
