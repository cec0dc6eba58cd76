"""The folder of compiled functions, while other versions of the engine delete what they think is unused."""

import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest

from engine.clock import NS_PER_S, wall_ns
from engine.runtime import numba_cache
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
HOLD = "import sys; from engine.runtime import numba_cache; print(numba_cache.CACHED, flush=True); sys.stdin.read()"
HOURS_3_S = 3 * 3600


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give this process a cache directory of its own, which it does not hold yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    held: list[int] = []
    monkeypatch.setattr(numba_cache, "_held", held)
    monkeypatch.setattr(numba_cache, "CACHED", True)
    yield numba_cache.base()
    for descriptor in held:
        os.close(descriptor)


@contextlib.contextmanager
def another_process(program: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program of the engine in a process with the same cache directory."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def old_version(name: str, age_s: float) -> Path:
    """Make the folder of another version, last loaded `age_s` ago."""
    folder = numba_cache.base() / name
    (folder / "kernels_1").mkdir(parents=True)
    (folder / "kernels_1" / "score.nbc").write_bytes(b"code")
    then_ns = wall_ns() - round(age_s * NS_PER_S)
    os.utime(folder, ns=(then_ns, then_ns))
    return folder


def waits_for_a_lock(pid: int) -> bool:
    """Whether the kernel says so: in /proc/locks an arrow marks who waits."""
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(line[1] == "->" and str(pid) in line for line in lines)


@pytest.mark.parametrize("was_file", [False, True])
def test_a_file_in_the_place_of_the_folder_keeps_no_process_from_starting(was_file: bool) -> None:
    """A version that was pruned while it waited for the lock left a file, and no engine started any more."""
    if was_file:
        numba_cache.base().mkdir(parents=True)
        numba_cache.directory().touch()
    numba_cache.load("kernels")
    assert numba_cache.directory().is_dir()


def test_versions_that_nobody_uses_are_deleted_those_unused_for_longest_first() -> None:
    versions = [old_version(f"{number:016x}", HOURS_3_S + number) for number in range(6)]
    numba_cache.load("kernels")
    assert [path.exists() for path in versions] == [True, True, True, False, False, False]
    assert not list(numba_cache.base().glob("000000000000000[345].lock"))
    assert numba_cache.directory().is_dir()


def test_a_version_that_a_process_holds_is_not_deleted_until_it_ends() -> None:
    with another_process(HOLD) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        theirs = numba_cache.directory().rename(numba_cache.base() / "ffffffffffffffff")
        lock = numba_cache.directory().with_suffix(".lock")
        lock.rename(theirs.with_suffix(".lock"))
        os.utime(theirs, (0, 0))
        for number in range(6):
            old_version(f"{number:016x}", HOURS_3_S)
        numba_cache.load("kernels")
        assert theirs.exists()
    numba_cache.load("kernels")
    assert not theirs.exists()


def test_a_version_that_was_loaded_within_the_hour_is_not_deleted() -> None:
    versions = [old_version(f"{number:016x}", 1800) for number in range(8)]
    numba_cache.load("kernels")
    assert all(path.exists() for path in versions)


def test_a_process_that_waits_while_its_version_is_deleted_makes_it_again() -> None:
    """It must not share the lock of a file that is gone: then nobody would see that it uses the version."""
    lock = numba_cache.base() / f"{numba_cache.directory().name}.lock"
    deleting = """
        import fcntl, pathlib, shutil, sys
        lock = pathlib.Path(sys.argv[1])
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            print("locked", flush=True)
            sys.stdin.readline()
            lock.unlink()
        print("deleted", flush=True)
        sys.stdin.read()
    """
    with another_process(deleting, str(lock)) as deleter:
        assert deleter.stdin is not None
        assert deleter.stdout is not None
        assert deleter.stdout.readline() == "locked\n"
        with another_process(HOLD) as user:
            assert user.stdout is not None
            wait_until(lambda: waits_for_a_lock(user.pid))
            deleter.stdin.write("go on\n")
            deleter.stdin.flush()
            assert deleter.stdout.readline() == "deleted\n"
            assert user.stdout.readline() == "True\n"
            assert lock.exists()
            assert f":{lock.stat().st_ino} " in Path("/proc/locks").read_text()


COMPILED = """
import numba
from engine.runtime.numba_cache import CACHED

@numba.njit(["int64(int64)"], cache=CACHED)
def twice(value):
    return 2 * value
"""


@pytest.fixture
def compiled_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have modules of `tmp_path` imported; returns the name of the one that `write_module` writes."""
    package = tmp_path / "kernels"
    package.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(numba_cache.directory()))
    yield "module_under_test"
    sys.modules.pop("module_under_test", None)


def write_module(folder: Path) -> None:
    (folder / "module_under_test.py").write_text(COMPILED)


def test_a_folder_that_is_deleted_while_it_is_written_means_another_compilation(
    tmp_path: Path, compiled_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions before this one know no lock."""
    write_module(tmp_path)
    replaced = os.replace
    deletions = iter([1])

    def replace_in_a_deleted_folder(source: str, target: str) -> None:
        if next(deletions, 0):
            shutil.rmtree(numba_cache.directory())
        replaced(source, target)

    monkeypatch.setattr(os, "replace", replace_in_a_deleted_folder)
    numba_cache.load("kernels", compiled_module)
    assert sys.modules[compiled_module].twice(21) == 42
    assert list(numba_cache.directory().rglob("*.nbc"))


def test_on_a_full_disk_code_is_compiled_for_the_process_alone(
    tmp_path: Path, compiled_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(tmp_path)

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    numba_cache.load("kernels", compiled_module)
    assert sys.modules[compiled_module].twice(21) == 42
    assert not numba_cache.CACHED


def test_code_that_a_loss_of_power_cut_off_is_compiled_again(tmp_path: Path, compiled_module: str) -> None:
    package = tmp_path / "kernels"
    write_module(package)
    (package / "__init__.py").touch()
    name = f"kernels.{compiled_module}"
    numba_cache.load("kernels", name)
    stored = [*numba_cache.directory().rglob("*.nbc"), *numba_cache.directory().rglob("*.nbi")]
    assert len(stored) == 2
    for file in stored:
        file.write_bytes(b"")
    del sys.modules[name]
    numba_cache.load("kernels", name)
    assert sys.modules[name].twice(21) == 42
    assert all(file.stat().st_size for file in stored)
    del sys.modules[name], sys.modules["kernels"]


def test_with_a_file_where_the_cache_should_be_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "kitchen-patrol").touch()
    program = """
        from engine.runtime import numba_cache
        numba_cache.load("decode", "engine.decode.grid_steps")
        print(numba_cache.CACHED)
    """
    with another_process(program) as process:
        assert process.communicate()[0].endswith("False\n")
