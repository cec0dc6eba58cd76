"""The folder of compiled functions, while other versions of the engine prune it."""

from pathlib import Path

import pytest

from engine.runtime import numba_cache


@pytest.mark.parametrize("was_file", [False, True])
def test_a_file_in_the_place_of_the_folder_keeps_no_process_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_file: bool
) -> None:
    """A version that was pruned while it waited for the lock left a file, and no engine started any more."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if was_file:
        numba_cache.base().mkdir(parents=True)
        numba_cache.directory().touch()
    with numba_cache.compiling("kernels"):
        assert numba_cache.directory().is_dir()
