"""The folder of the gateways' keys: what is in it counts, and what does not belong there does no harm."""

import os
import time
from pathlib import Path

import pytest
import zmq
import zmq.auth

from engine.errors import ConfigError
from engine.runtime.curve_keys import CurveKeys
from tests.support.waiting import wait_until


def key_file(folder: Path, name: str) -> str:
    """Make a key pair as the documentation says; returns the public key."""
    public_file, secret_file = zmq.auth.create_certificates(folder, name)
    Path(secret_file).unlink()
    return zmq.auth.load_certificate(public_file)[0].decode()


def test_each_file_names_the_gateway_of_its_key(tmp_path: Path) -> None:
    one, two = key_file(tmp_path, "one"), key_file(tmp_path, "two")
    (tmp_path / "notes.txt").write_text("no key")
    keys = CurveKeys(tmp_path)
    assert dict(keys.names) == {one: "one", two: "two"}
    assert keys.admits(one)
    assert not keys.admits("x" * 40, "10.0.0.1")
    assert (keys.drain_refused(), keys.drain_refused()) == ({("x" * 40, "10.0.0.1"): 1}, {})


def test_a_flood_of_keys_that_nobody_knows_is_counted_within_bounds(tmp_path: Path) -> None:
    keys = CurveKeys(tmp_path)
    for n in range(5000):
        assert not keys.admits(f"{n:040d}", "10.0.0.1")
    refused = keys.drain_refused()
    assert refused.total() == 5000
    assert len(refused) <= 51


def test_the_folder_is_followed_without_a_reload(tmp_path: Path) -> None:
    one = key_file(tmp_path, "one")
    keys = CurveKeys(tmp_path)
    keys.start()
    two = key_file(tmp_path, "two")
    (tmp_path / "one.key").unlink()
    wait_until(lambda: dict(keys.names) == {two: "two"}, 10)
    assert not keys.admits(one)
    keys.close()


def test_a_file_that_is_replaced_brings_another_key(tmp_path: Path) -> None:
    old = key_file(tmp_path, "one")
    keys = CurveKeys(tmp_path)
    new = key_file(tmp_path, "one")
    keys.refresh()
    assert (dict(keys.names), keys.admits(old)) == ({new: "one"}, False)


def test_files_that_are_no_keys_are_left_out_and_hold_nobody_up(tmp_path: Path) -> None:
    good = key_file(tmp_path, "good")
    (tmp_path / "empty.key").write_bytes(b"")
    (tmp_path / "binary.key").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "short.key").write_text('public-key = "too short"')
    (tmp_path / "copy.key").write_text(f'public-key = "{good}"')
    (tmp_path / "folder.key").mkdir()
    (tmp_path / "nowhere.key").symlink_to(tmp_path / "absent")
    (tmp_path / "zero.key").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo.key")
    began = time.monotonic()
    keys = CurveKeys(tmp_path)
    assert time.monotonic() - began < 5
    assert list(keys.names) == [good]


def test_a_folder_that_is_absent_is_refused_at_the_start_and_harmless_later(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"intake\.curve_clients_dir = .*: No such file"):
        CurveKeys(tmp_path / "absent")
    folder = tmp_path / "clients"
    folder.mkdir()
    good = key_file(folder, "good")
    keys = CurveKeys(folder)
    folder.rename(tmp_path / "away")
    keys.refresh()
    assert keys.admits(good), "a disk that is away for a moment locks nobody out"
    (tmp_path / "away").rename(folder)
    (folder / "good.key").unlink()
    keys.refresh()
    assert not keys.admits(good)
