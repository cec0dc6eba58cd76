"""The Redis of Ray's head: asked before Ray is, since Ray would not say what is wrong."""

from pathlib import Path

import pytest

from engine.cluster.head_memory import check_redis, head_variables, namespace
from engine.config.cluster import ClusterSettings
from engine.errors import ConfigError, PatrolError
from tests.support.cluster import redis_server
from tests.support.cluster.redis_server import RedisServer
from tests.support.ports import free_port


def test_without_redis_the_head_has_no_variables(tmp_path: Path) -> None:
    assert head_variables(ClusterSettings(), tmp_path / "none") == {}
    check_redis(ClusterSettings())


def test_two_clusters_have_different_names_in_one_redis_and_a_cluster_always_the_same(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_text("a" * 64)
    same.write_text("a" * 64 + "\n")
    other.write_text("b" * 64)
    assert namespace(one) == namespace(same) != namespace(other)
    settings = ClusterSettings(redis_address="10.0.0.1:6379", redis_password_file="/etc/patrol/redis")
    assert head_variables(settings, one) == {
        "RAY_REDIS_ADDRESS": "10.0.0.1:6379",
        "RAY_external_storage_namespace": namespace(one),
        "PATROL_REDIS_PASSWORD_FILE": "/etc/patrol/redis",
    }
    assert "aaaa" not in str(head_variables(settings, one))


def test_what_is_wrong_with_redis_is_said(tmp_path: Path) -> None:
    if reason := redis_server.missing():
        pytest.skip(reason)
    with RedisServer(tmp_path) as redis:
        address = f"127.0.0.1:{redis.port}"
        right = ClusterSettings(redis_address=address, redis_password_file=str(redis.password_file))
        check_redis(right)
        with pytest.raises(ConfigError, match=r"NOAUTH.*cluster.redis_password_file"):
            check_redis(ClusterSettings(redis_address=address))
        wrong = tmp_path / "wrong"
        wrong.touch(0o600)
        wrong.write_text("another")
        with pytest.raises(ConfigError, match="WRONGPASS") as refused:
            check_redis(ClusterSettings(redis_address=address, redis_password_file=str(wrong)))
        assert "another" not in str(refused.value)
        wrong.chmod(0o644)
        with pytest.raises(ConfigError, match=r"redis_password_file.*others can read it"):
            check_redis(ClusterSettings(redis_address=address, redis_password_file=str(wrong)))
    with pytest.raises(PatrolError, match="Redis does not answer"):
        check_redis(right)
    with pytest.raises(PatrolError, match="Redis does not answer"):
        check_redis(ClusterSettings(redis_address=f"127.0.0.1:{free_port()}"))
