"""Settings: bounds, rules over keys, and pages that follow the code."""

from pathlib import Path

import pytest

from engine.config import Settings, load, loads
from engine.config.address import host_port, is_loopback
from engine.config.describe import rows, toml
from engine.config.diff import diff
from engine.errors import ConfigError


def test_the_shown_file_loads_back_to_the_same_settings() -> None:
    assert loads(toml()) == Settings()


def test_every_key_says_what_it_means() -> None:
    for row in rows():
        assert row.meaning.endswith((".", "...")), row.key
        assert row.default


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[feed]\ndeadlin_s = 1", "feed.deadlin_s: unknown key; did you mean deadline_s?"),
        ("[fead]\n", "fead: unknown key; did you mean feed?"),
        ("[feed]\ndeadline_s = 1000", "feed.deadline_s = 1000"),
        ("[feed]\ndeadline_s = 'soon'", "feed.deadline_s = 'soon'"),
        ("[feed]\nrtsp_transport = 'pigeon'", "feed.rtsp_transport = 'pigeon'"),
        ("[feed]\nschemes = ['rtsp', 'gopher']", "feed.schemes = 'gopher'"),
        ("[feed]\nallowed_networks = ['10.0.0.0/8', 'kitchen']", "feed.allowed_networks = 'kitchen': no network"),
        ("[feed]\nconnect_timeout_s = 20", "feed.connect_timeout_s = 20"),
        ("[scheduler]\norder_timeout_s = 5", "scheduler.order_timeout_s = 5"),
        ("[scheduler]\nbackoff_connect_first_s = 2000", "scheduler.backoff_connect_first_s"),
        ("[scheduler]\nkey_period_s = 0", "scheduler.key_period_s = 0"),
        ("[scheduler]\nordinary_period_s = -900", "scheduler.ordinary_period_s = -900"),
        ("[scheduler]\nsuspicious_period_s = nan", "scheduler.suspicious_period_s = nan"),
        ("[scheduler]\nkey_period_s = inf", "scheduler.key_period_s = inf"),
        ("[scheduler]\nordinary_period_s = 86401", "scheduler.ordinary_period_s = 86401"),
        ("[scheduler]\noffhours_period_s = 0.5", "allowed: 0 (no visits) or at least 1"),
        ("[scheduler]\nkey_weight = 0", "scheduler.key_weight = 0"),
        ("[scheduler]\nvisits_max = 0", "scheduler.visits_max = 0"),
        ("[scheduler]\nstarts_per_s_max = 0", "scheduler.starts_per_s_max = 0"),
        ("[scheduler]\njitter = 0.6", "scheduler.jitter = 0.6"),
        ("[scheduler]\nhost_visits_max = {'media.example' = 0}", "scheduler.host_visits_max.'media.example' = 0"),
        ("[scheduler]\noutage_probe_s = 300", "scheduler.outage_probe_s = 300"),
        ("[scheduler]\nhours = 'mon-fry 05:00-06:00'", "'mon-fry' is no day"),
        ("[judge]\nconfirm_n = 4", "judge.confirm_n = 4"),
        ("[serve]\ngrpc_listen = '0.0.0.0:1'", "serve.grpc_listen = '0.0.0.0:1': a public address needs"),
        ("[serve]\ngrpc_listen = 'nowhere'", "serve.grpc_listen = 'nowhere'"),
        ("[serve]\nmetrics_listen = '[::]:1'", "serve.metrics_public"),
        ("[serve]\ntls_cert_file = 'a'", "one without the other"),
        ("[web]\nlisten = '0.0.0.0:1'", "web.listen = '0.0.0.0:1': a public address needs web.tls_cert_file"),
        ("[web]\nlisten = 'nowhere'", "web.listen = 'nowhere'"),
        ("[web]\ntls_key_file = 'a'", "one without the other"),
        ("[web]\ncors_origins = ['*']", "web.cors_origins = '*': allowed: https://host"),
        ("[web]\ncors_origins = ['https://a.example/x']", "without a path"),
        ("[intake]\nlisten = 'tcp://*:7701'", "intake.curve_secret_file"),
        ("[intake]\nlisten = 'udp://127.0.0.1:1'", "allowed: tcp://host:port"),
        ("[intake]\ncurve_secret_file = 'a'", "one without the other"),
        ("[intake]\npush_behind_max_s = 0", "intake.push_behind_max_s = 0"),
        ("[[intake.gateways]]\nname = 'g'\nregions = ['13']", "without keys nobody knows which gateway"),
        ("[[intake.gateways]]\nname = 'g'", "intake.gateways[0] (g): may push for nothing"),
        ("[[intake.gateways]]\nname = '../g'", "intake.gateways.0.name"),
        ("[[intake.gateways]]\nname = 'g'\nregion = '13'", "did you mean regions?"),
        ("[[intake.gateways]]\nname = 'g'\nregions = ['1']", "regions = '1': allowed: a GB/T 2260 code"),
        ("[[intake.gateways]]\nname = 'g'\n[[intake.gateways]]\nname = 'g'", "another table has this name"),
        ("feed = 3", "feed = 3"),
        ("[feed", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_key_value_and_remedy(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text)
    assert what in str(caught.value)


def test_all_wrong_keys_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        loads("[feed]\nx = 1\ny = 2\ndeadline_s = -1")
    assert len(str(caught.value).splitlines()) == 3


def test_public_listeners_are_taken_with_their_locks() -> None:
    loads(
        "[serve]\ngrpc_listen = '0.0.0.0:1'\ntls_cert_file = 'c'\ntls_key_file = 'k'\n"
        "metrics_listen = '0.0.0.0:2'\nmetrics_public = true\n"
        "[web]\nlisten = '0.0.0.0:4'\ntls_cert_file = 'c'\ntls_key_file = 'k'\ncors_origins = ['https://a.example:8443']\n"
        "[intake]\nlisten = 'tcp://0.0.0.0:3'\ncurve_secret_file = 's'\ncurve_clients_dir = 'd'\n"
    )


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin.toml")


def test_a_diff_names_what_changed_and_whether_it_needs_a_restart() -> None:
    changes = diff(Settings(), loads("[worker]\ncount = 2\n[judge]\nconfirm_n = 1"))
    assert [(change.key, change.new, change.hot) for change in changes] == [
        ("worker.count", "2", False),
        ("judge.confirm_n", "1", True),
    ]


@pytest.mark.parametrize(
    ("text", "host", "loopback"),
    [("127.0.0.1:1", "127.0.0.1", True), ("[::1]:1", "::1", True), ("localhost:1", "localhost", True),
     ("0.0.0.0:1", "0.0.0.0", False), ("example.org:1", "example.org", False)],
)  # fmt: skip
def test_addresses_are_told_apart(text: str, host: str, loopback: bool) -> None:
    assert host_port(text) == (host, 1)
    assert is_loopback(host) is loopback
