"""What deploy/ brings is good: each file by the tool made for its kind, and its configuration by the engine itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.config.load import load
from tests.support.docs.pages import ROOT

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "patrol.service"
COMPOSE = DEPLOY / "docker" / "compose.yaml"
EXPOSURE_MAX = 3.0
SERVER_KINDS = {"PodMonitor"}
"""Kinds that Kubernetes itself does not have."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def program(name: str) -> str:
    """The path of a program that a package of the environment brings."""
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else shutil.which(name) or pytest.skip(f"{name} is not installed")


def test_the_systemd_unit_is_closed() -> None:
    analyze = shutil.which("systemd-analyze") or pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    done = run(analyze, "security", "--offline=true", "--no-pager", str(UNIT))
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) < EXPOSURE_MAX


def test_systemd_knows_every_line_of_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze") or pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/patrol/bin/patrol", "/bin/true"))  # it wants programs that are there
    done = run(analyze, "verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_watches_the_supervisors_own_loop() -> None:
    keys = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    assert (keys["Type"], keys["NotifyAccess"]) == ("notify", "main")
    assert int(keys["WatchdogSec"]) >= 10  # the engine tells it once a second


def test_the_dockerfile_passes_hadolint() -> None:
    done = run(program("hadolint"), "--failure-threshold", "style", str(DEPLOY / "docker" / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_gets_what_it_is_built_from_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)


def documents() -> list[Any]:
    paths = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [(path.name, document) for path in paths for document in yaml.safe_load_all(path.read_text())]


def test_the_manifests_are_of_kubernetes_schemas(tmp_path: Path) -> None:
    known = [document for _, document in documents() if document["kind"] not in SERVER_KINDS]
    assert len(known) >= 5
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(known))
    done = run(program("kubernetes-validate"), "--strict", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pod_may_do_little_and_its_ports_are_those_of_the_probes() -> None:
    (pod,) = (document["spec"]["template"]["spec"] for _, document in documents() if document["kind"] == "Deployment")
    (container,) = pod["containers"]
    closed = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert (closed["readOnlyRootFilesystem"], closed["allowPrivilegeEscalation"]) == (True, False)
    assert closed["capabilities"] == {"drop": ["ALL"]}
    (port,) = container["ports"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
    }  # fmt: skip
    (monitor,) = (document["spec"] for _, document in documents() if document["kind"] == "PodMonitor")
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == [port["name"]]


def test_the_compose_file_is_of_the_compose_specification() -> None:
    done = run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_that_the_compose_file_names_is_there() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    mounted = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service["volumes"]
        if volume.startswith(".")
    ]
    assert len(mounted) >= 4
    assert [path for path in mounted if not (COMPOSE.parent / path).exists()] == []
    named = {secret["file"].partition("/")[2] for secret in compose["secrets"].values()}
    head = COMPOSE.read_text().partition("name: ")[0]
    assert all(f"secrets/{name}" in head for name in named)  # its first lines say how to make them
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", ())}
    assert used == set(compose["secrets"])


def test_the_engine_of_the_compose_file_may_do_little_and_publishes_no_port() -> None:
    engine = yaml.safe_load(COMPOSE.read_text())["services"]["patrol"]
    assert (engine["read_only"], engine["cap_drop"], "ports" in engine) == (True, ["ALL"], False)
    assert engine["security_opt"] == ["no-new-privileges:true"]


def test_the_engine_takes_the_configuration_of_the_compose_file() -> None:
    settings = load(DEPLOY / "docker" / "patrol.toml")
    assert settings.serve.grpc_listen.startswith("127.0.0.1:")
    assert settings.record.evidence_dir.startswith("/var/lib/patrol/")


def test_prometheus_of_the_compose_file_scrapes_the_job_of_the_alerts(tmp_path: Path) -> None:
    path = DEPLOY / "docker" / "prometheus.yml"
    (job,) = yaml.safe_load(path.read_text())["scrape_configs"]
    assert f'job="{job["job_name"]}"' in (ROOT / "docs" / "alerts.yml").read_text()
    promtool = shutil.which("promtool") or pytest.skip("promtool is not installed (Debian: prometheus)")
    # In the container the rules are where compose.yaml mounts them.
    here = tmp_path / path.name
    here.write_text(path.read_text().replace("/etc/prometheus/alerts.yml", str(ROOT / "docs" / "alerts.yml")))
    assert "/etc/prometheus" not in here.read_text()
    done = run(promtool, "check", "config", "--lint-fatal", str(here))
    assert done.returncode == 0, done.stdout + done.stderr
