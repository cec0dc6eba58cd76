"""Files that the configuration names: no FIFO, no device, no folder, nothing too large; whoever reads them."""

import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config import load
from engine.config.calendar import load_calendar
from engine.config.notices import EndpointSettings
from engine.config.reading.bounded_file import read_bounded
from engine.errors import ConfigError
from engine.model.notice import Notice
from engine.notices.attempt import Outcome
from engine.notices.webhook import send_once
from engine.runtime.certificate import TlsFiles, server_context

READERS: dict[str, Callable[[str], object]] = {
    "the configuration": lambda path: load(Path(path)),
    "the calendar": load_calendar,
    "a certificate": lambda path: server_context(TlsFiles("serve", path, path)),
}


@pytest.fixture(params=["fifo", "zero", "folder", "missing", "terminal"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the path of something that is no regular file."""
    path = tmp_path / "thing"
    match request.param:
        case "fifo":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "terminal":
            path.symlink_to("/dev/ptmx")
    return str(path)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_what_is_no_regular_file_is_refused_at_once_and_not_read(read: Callable[[str], object], no_file: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failures: list[Exception] = []

    def attempt() -> None:
        try:
            read(no_file)
        except ConfigError as error:
            failures.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the reader waits"
    (failure,) = failures
    assert "is no regular file" in str(failure) or "No such file" in str(failure)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "KB"


@pytest.mark.parametrize("key", ["secret_file", "ca_file"])
def test_a_webhook_whose_file_is_none_fails_and_says_so(key: str, no_file: str, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("whsec_" + "A" * 44 + "\n")
    endpoint = EndpointSettings(name="a", url="https://127.0.0.1:9/x", secret_file=str(secrets))
    endpoint = endpoint.model_copy(update={key: no_file})
    result = send_once(
        endpoint, Notice(1, "finding.opened", 1, 1, 1, "", "{}"), "urn:x", 1, lambda host, address: False
    )
    assert result.outcome is Outcome.NO_SECRET
    assert key in result.detail


def test_an_empty_file_of_authorities_does_not_trust_the_systems(tmp_path: Path) -> None:
    secrets, empty = tmp_path / "secrets", tmp_path / "ca.pem"
    secrets.write_text("whsec_" + "A" * 44 + "\n")
    empty.write_text(" \n")
    endpoint = EndpointSettings(name="a", url="https://127.0.0.1:9/x", secret_file=str(secrets), ca_file=str(empty))
    result = send_once(
        endpoint, Notice(1, "finding.opened", 1, 1, 1, "", "{}"), "urn:x", 1, lambda host, address: False
    )
    assert (result.outcome, "is empty" in result.detail) == (Outcome.NO_SECRET, True)


def test_a_file_that_grows_or_is_too_large_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 1000)
    assert read_bounded(path, 1000) == b"x" * 1000
    with pytest.raises(OSError, match="has more than 999 bytes"):
        read_bounded(path, 999)
    os.truncate(path, 2**40)  # sparse: no disk holds it
    began_s = time.monotonic()
    with pytest.raises(ConfigError, match="has more than"):
        load_calendar(str(path))
    assert time.monotonic() - began_s < 10
