"""The engine of a shard: its own folders and ports on a machine that runs several."""

import pytest

from engine.cluster.shard_settings import at_address, shard_settings
from engine.config import loads
from engine.config.checks import cross_key_errors

TEXT = (
    "[record]\nurl = 'postgresql://patrol@db/patrol'\nevidence_dir = '/var/ev'\nquarantine_dir = '/var/q'\n"
    "[serve]\ngrpc_listen = '127.0.0.1:7702'\nmetrics_listen = '127.0.0.1:7703'\n"
)


def test_two_shards_of_a_machine_share_neither_folder_nor_port() -> None:
    one, two = (shard_settings(loads(TEXT), number) for number in (1, 2))
    assert (one.record.evidence_dir, two.record.evidence_dir) == ("/var/ev/shard-1", "/var/ev/shard-2")
    assert (one.record.quarantine_dir, two.record.quarantine_dir) == ("/var/q/shard-1", "/var/q/shard-2")
    assert {one.serve.grpc_listen, one.serve.metrics_listen} == {"127.0.0.1:0"}
    assert one.record.url == "postgresql://patrol@db/patrol"
    assert not one.web.enabled
    assert (one.worker.count, one.worker.spare) == (1, False)
    assert one.record.batch_wait_s == 0.5
    assert shard_settings(loads(TEXT.replace("[serve]", "batch_wait_s = 0.1\n[serve]")), 1).record.batch_wait_s == 0.1
    assert not cross_key_errors(one)


@pytest.mark.parametrize(
    ("listen", "made"),
    [("tcp://127.0.0.1:7701", "tcp://127.0.0.1:0"), ("", ""), ("tcp://[::1]:7701", "tcp://[::1]:0")],
)
def test_gateways_push_to_a_port_of_the_shard(listen: str, made: str) -> None:
    assert shard_settings(loads(f"[intake]\nlisten = '{listen}'\n"), 1).intake.listen == made


@pytest.mark.parametrize(
    ("listen", "own", "made"),
    [
        ("127.0.0.1:7703", "10.7.0.1", "127.0.0.1:0"),
        ("10.7.0.9:7703", "10.7.0.1", "10.7.0.9:0"),
        ("0.0.0.0:7703", "10.7.0.1", "10.7.0.1:0"),
        ("[::]:7703", "fd00::1", "[fd00::1]:0"),
        ("", "10.7.0.1", ""),
    ],
)
def test_the_address_of_a_shard_is_one_at_which_others_reach_it(listen: str, own: str, made: str) -> None:
    text = f"[serve]\nmetrics_listen = '{listen}'\nmetrics_public = true\n[cluster]\nlisten = '{own}'\n"
    assert shard_settings(loads(text), 1).serve.metrics_listen == made


def test_what_the_file_says_of_workers_holds() -> None:
    settings = shard_settings(loads(TEXT + "[worker]\ncount = 3\nspare = true\n"), 1)
    assert (settings.worker.count, settings.worker.spare) == (3, True)


def test_machines_that_share_a_file_listen_each_at_its_own_address() -> None:
    shared = TEXT.replace("127.0.0.1:7703'", "0.0.0.0:7703'\nmetrics_public = true")
    assert shard_settings(at_address(loads(shared), "10.7.0.2"), 1).serve.metrics_listen == "10.7.0.2:0"
    given = loads(f"{shared}[cluster]\nlisten = '10.7.0.9'\n")
    assert shard_settings(at_address(given, "10.7.0.2"), 1).serve.metrics_listen == "10.7.0.9:0"
