"""`patrol cluster plan` as a person runs it: what is shown, what a program reads, what a typo in an option is told."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli.main import app
from engine.errors import ConfigError
from engine.model.camera import Camera
from engine.storage.db.store import Store


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Six counties of 20 cameras each; two of them share a recorder, one city has a machine room of its own."""
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    store.registry.upsert(
        Camera(
            f"{county}-{n}",
            f"rtsp://10.{county[3]}.{county[5]}.{n}/1",
            region=county,
            uplink="shared" if n == 0 and county in ("130102", "130104") else "",
        )
        for county in ("130102", "130104", "130105", "130203", "130204", "130205")
        for n in range(20)
    )
    store.close()
    path = tmp_path / "patrol.toml"
    record = f"[record]\nurl = 'sqlite:///{tmp_path}/patrol.db'\n"
    text = f"{record}[cluster]\nshard_cores_min = 0\n[cluster.bindings]\n1302 = 'city=1302'\n"
    path.write_text(text, encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["cluster", "plan", *map(str, arguments)])


def test_the_table_says_what_each_machine_would_run(config: Path) -> None:
    done = run("--config", config, "--node", "a:16", "--node", "b:8:city=1302", "--shards")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["node", "cores", "shards", "cameras"]
    nodes = {line.split()[0]: line.split()[1:4] for line in lines[1:3]}
    assert nodes == {"a": ["16", "2", "60"], "b": ["8", "3", "60"]}
    assert any("130102 130104" in line for line in lines), "they share a recorder"


def test_a_program_reads_what_a_loss_moves(config: Path) -> None:
    nodes = [word for name in ("a:8:city=1302", "b:8:city=1302", "c:8") for word in ("--node", name)]
    done = run("--config", config, *nodes, "--lose", "b", "--json")
    plan = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [node["node"] for node in plan["nodes"]] == ["a", "c"]
    assert sum(node["cameras"] for node in plan["nodes"]) == 120
    assert {move["from"] for move in plan["moves"] if move["cause"] == "node gone"} == {"b"}
    assert {county: shard["node"] for shard in plan["shards"] for county in shard["counties"]}["130203"] == "a"


def test_a_shard_that_would_run_nowhere_is_named_and_the_exit_code_says_so(config: Path) -> None:
    done = run("--config", config, "--nodes", "2")
    assert done.exit_code == 1
    assert "runs nowhere: no node has the label city=1302" in done.stdout


def test_a_file_is_planned_without_a_database(tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text("camera_id,url,region\nc1,rtsp://h/1,130102\nc2,rtsp://h/2,130102\n", encoding="utf-8")
    plan = json.loads(run("--registry", path, "--nodes", 1, "--json").stdout)
    assert [(shard["counties"], shard["cameras"]) for shard in plan["shards"]] == [(["130102"], 2)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give the machines by --node, or how many by --nodes"),
        (["--node", "a", "--nodes", "2"], "give the machines by --node, or how many by --nodes"),
        (["--node", "a", "--node", "a:4"], "two of them have the same name"),
        (["--node", "a:many"], "give NAME, NAME:CORES or NAME:CORES:LABEL=VALUE"),
        (["--node", "a:4:city"], "give NAME, NAME:CORES or NAME:CORES:LABEL=VALUE"),
        (["--nodes", "2", "--lose", "node-3"], "there is no such node; allowed: node-1, node-2"),
    ],
)
def test_a_wrong_option_is_told_what_is_allowed(config: Path, arguments: list[str], words: str) -> None:
    done = run("--config", config, *arguments)
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)
