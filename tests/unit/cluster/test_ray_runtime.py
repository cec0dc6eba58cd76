"""How Ray's processes are started: with a token that nobody else can read, in a folder that is nobody else's."""

import importlib.util
import os
import socket
from importlib import metadata
from pathlib import Path

import pytest

from engine.cluster.ray_runtime import RayNode, environment, make_token, own_folder, require_ray, token_file
from engine.config.cluster import ClusterSettings
from engine.errors import ConfigError, PatrolError
from tests.support.ports import free_port

HERE = ClusterSettings(node="node-1")


def test_the_token_is_made_once_and_only_this_user_reads_it(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    path = token_file(HERE, config)
    assert path == tmp_path / "ray_token"
    make_token(path)
    secret = path.read_text()
    assert len(secret) == 64
    make_token(path)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (secret, 0o600)
    variables = environment(HERE, config)
    assert (variables["RAY_AUTH_MODE"], variables["RAY_AUTH_TOKEN_PATH"]) == ("token", str(path))
    assert secret not in variables.values(), "what Ray hands down names the file"


def test_without_a_token_or_with_one_that_others_read_nothing_is_started(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    with pytest.raises(ConfigError, match="copy the token of the cluster there"):
        environment(HERE, config)
    token_file(HERE, config).write_text("secret")
    token_file(HERE, config).chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        environment(HERE, config)


def test_a_machine_that_listens_on_loopback_cannot_join_and_stays_on_loopback(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    make_token(token_file(HERE, config))
    assert environment(HERE, config)["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    elsewhere = HERE.model_copy(update={"listen": "10.7.0.2"})
    assert environment(elsewhere, config)["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "1"
    with pytest.raises(ConfigError, match="no other machine can reach it"):
        RayNode(HERE, config, 1.0, "10.7.0.1:7710")
    with pytest.raises(ConfigError, match=r"an address is host:port"):
        RayNode(elsewhere, config, 1.0, "10.7.0.1")


def test_a_long_name_of_a_machine_leaves_room_for_the_path_of_a_socket() -> None:
    settings = HERE.model_copy(update={"node": "x" * 63})
    folder = own_folder(settings)
    folder.rmdir()
    assert len(f"{folder}/ray/session_2026-11-30_10-41-36_595594_4194304/sockets/plasma_store") <= 107


@pytest.mark.parametrize("make", ["a link", "a file", "a folder that others enter"])
def test_a_folder_that_is_not_this_users_alone_is_refused(tmp_path: Path, make: str) -> None:
    settings = HERE.model_copy(update={"node": f"test-{os.getpid()}-{tmp_path.name}"})
    folder = own_folder(settings)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert own_folder(settings) == folder, "a second start finds it as it was"
    folder.rmdir()
    try:
        if make == "a link":
            folder.symlink_to(tmp_path)
        elif make == "a file":
            folder.touch()
        else:
            folder.mkdir(0o755)
        with pytest.raises(ConfigError, match="not a folder of this user alone"):
            RayNode(settings, tmp_path / "patrol.toml", 1.0)
    finally:
        folder.rmdir() if folder.is_dir() and not folder.is_symlink() else folder.unlink()


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "-a", "x" * 64])
def test_a_name_that_is_no_name_of_a_machine_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="node"):
        ClusterSettings(node=name)


@pytest.mark.parametrize("version", ["2.51.1", "2.9.3", "1.13.0"])
def test_a_version_that_asks_nobody_for_a_token_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: version)
    with pytest.raises(ConfigError, match="run what anybody sends them"):
        require_ray()


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(ConfigError, match=r"kitchen-patrol\[cluster\]"):
        require_ray()


@pytest.mark.parametrize("listen", ["0.0.0.0:8265", "10.7.0.1:8265", "dashboard.example:8265"])
def test_a_dashboard_that_others_can_reach_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match=r"others can reach it.*loopback address"):
        ClusterSettings(dashboard_listen=listen)


def test_a_dashboard_without_what_ray_needs_for_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "opencensus" else object())
    settings = HERE.model_copy(update={"dashboard_listen": "127.0.0.1:8265", "port": free_port()})
    config = tmp_path / "patrol.toml"
    make_token(token_file(settings, config))
    with pytest.raises(ConfigError, match=r"needs opencensus; pip install 'ray\[default\]'"):
        RayNode(settings, config, 1.0)


def test_a_second_head_at_the_same_address_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    make_token(token_file(HERE, config))
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = HERE.model_copy(update={"port": other.getsockname()[1]})
        with pytest.raises(PatrolError, match="something listens there already"):
            RayNode(settings, config, 1.0)


@pytest.mark.parametrize("binding", ["city=1301", "ray.io/node-group=city-a"])
def test_a_binding_may_ask_for_labels_that_ray_gives_itself(binding: str) -> None:
    assert ClusterSettings(bindings={"1301": binding}).bindings == {"1301": binding}


@pytest.mark.parametrize("binding", ["city", "/city=1", "ray.io/=1", "Ray.io/a=1"])
def test_what_is_no_label_is_refused(binding: str) -> None:
    with pytest.raises(ValueError, match="no label"):
        ClusterSettings(bindings={"1301": binding})
