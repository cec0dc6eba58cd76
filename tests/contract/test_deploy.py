"""What deploy/ brings is good: each file by the tool made for its kind, and its configuration by the engine itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.cluster.shard_settings import shard_settings
from engine.config.load import load
from tests.support.docs.pages import ROOT

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "patrol.service"
DOCKER = DEPLOY / "docker"
COMPOSE, CLUSTER = DOCKER / "compose.yaml", DOCKER / "cluster.compose.yaml"
each_compose = pytest.mark.parametrize("path", [COMPOSE, CLUSTER], ids=lambda path: path.name)
EXPOSURE_MAX = 3.0
SERVER_KINDS = {"PodMonitor", "RayCluster", "ScrapeConfig"}
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
    known += [{"apiVersion": "v1", "kind": "Pod", **template} for template in ray_templates().values()]
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(known))
    done = run(program("kubernetes-validate"), "--strict", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def ray_templates() -> dict[str, Any]:
    """The pod templates of the RayCluster, with a name each."""
    spec = manifest("RayCluster", "patrol-ray")
    groups = {"patrol-ray-head": spec["headGroupSpec"]}
    groups |= {f"patrol-ray-{group['groupName']}": group for group in spec["workerGroupSpecs"]}
    return {
        name: {"metadata": {"name": name, **group["template"]["metadata"]}, "spec": group["template"]["spec"]}
        for name, group in groups.items()
    }


def template_of(kind: str, name: str) -> Any:
    return ray_templates()[name] if kind == "RayCluster" else manifest(kind, name)["template"]


def manifest(kind: str, name: str) -> Any:
    (spec,) = (
        document["spec"]
        for _, document in documents()
        if document["kind"] == kind and document["metadata"]["name"] == name
    )
    return spec


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "patrol"),
        ("Deployment", "patrol-front"),
        ("StatefulSet", "patrol-machine"),
        ("RayCluster", "patrol-ray-head"),
        ("RayCluster", "patrol-ray-machines"),
        ("Job", "patrol-place"),
    ],
)
def test_the_pod_may_do_little(kind: str, name: str) -> None:
    pod = template_of(kind, name)["spec"]
    (container,) = pod["containers"]
    first = pod.get("initContainers", [])
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    claims = manifest(kind, name).get("volumeClaimTemplates", ()) if kind == "StatefulSet" else ()
    for closed in (each["securityContext"] for each in (container, *first)):
        assert (closed["readOnlyRootFilesystem"], closed["allowPrivilegeEscalation"]) == (True, False)
        assert closed["capabilities"] == {"drop": ["ALL"]}
    assert {mount["name"] for each in (container, *first) for mount in each["volumeMounts"]} == {
        *(volume["name"] for volume in pod["volumes"]),
        *(claim["metadata"]["name"] for claim in claims),
    }


def test_the_ray_cluster_asks_for_a_token_and_its_head_runs_no_shards() -> None:
    spec = manifest("RayCluster", "patrol-ray")
    (group,) = spec["workerGroupSpecs"]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (worker,) = group["template"]["spec"]["containers"]
    assert group["rayStartParams"]["num-cpus"] == worker["resources"]["requests"]["cpu"]
    assert str(worker["ports"][0]["containerPort"]) == group["rayStartParams"]["node-manager-port"]
    (policy,) = (document for _, document in documents() if document["metadata"]["name"] == "patrol-ray"
                 and document["kind"] == "NetworkPolicy")  # fmt: skip
    assert policy["spec"]["podSelector"]["matchLabels"] == {"ray.io/cluster": "patrol-ray"}


def test_without_the_stateful_set_the_other_manifests_of_the_cluster_are_what_ray_needs() -> None:
    """kuberay.yaml tells to apply cluster.yaml with a selector of labels."""
    applied = [
        (document["kind"], document["metadata"]["name"])
        for name, document in documents()
        if name == "cluster.yaml"
        and document["metadata"].get("labels", {}).get("app.kubernetes.io/name") != "patrol-machine"
    ]
    assert {("ServiceAccount", "patrol-cluster"), ("ConfigMap", "patrol-cluster"), ("Deployment", "patrol-front")} <= {
        *applied
    }
    assert "StatefulSet" not in {kind for kind, _ in applied}


@pytest.mark.parametrize("name", ["patrol", "patrol-front"])
def test_the_ports_of_the_pod_are_those_of_the_probes_and_of_prometheus(name: str) -> None:
    (container,) = manifest("Deployment", name)["template"]["spec"]["containers"]
    port = next(port for port in container["ports"] if port["name"] == "metrics")
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
    }  # fmt: skip
    monitor = manifest("PodMonitor", name)
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == [port["name"]]


@pytest.mark.parametrize(
    ("pod", "started"),
    [
        ("patrol-front-5d9c-x7", "front --config {run}/front.toml"),
        ("patrol-machine-0", "cluster up --cores 2 --config {run}/machine.toml"),
        ("patrol-machine-1", "cluster join 127.0.0.1:7710 --cores 2 --config {run}/machine.toml"),
        ("patrol-ray-head-x7", ""),
        ("patrol-place-x7", "cluster up --existing ray://patrol-ray-head-svc:10001 --config {run}/machine.toml"),
    ],
)
def test_the_pods_of_a_cluster_start_with_files_that_the_engine_takes(tmp_path: Path, pod: str, started: str) -> None:
    url = "postgresql+psycopg://patrol:a&b|c%5C'1@db.example/patrol"
    (files,) = (document["data"] for _, document in documents() if document["kind"] == "ConfigMap")
    folders = {"/etc/patrol-secret": "secret", "/etc/patrol": "config", "/run/patrol": "run"}
    for name in (*folders.values(), "bin"):
        (tmp_path / name).mkdir()
    for name, text in files.items():
        for path, folder in folders.items():
            text = text.replace(f"{path}/", f"{tmp_path}/{folder}/")
        (tmp_path / "config" / name).write_text(text.replace("patrol-machine-0.patrol-machine", "127.0.0.1"))
    for name, text in (("database_url", url), ("ray_token", "t"), ("patrol_key", "k"), ("tls_cert", "c")):
        (tmp_path / "secret" / name).write_text(text)
        (tmp_path / "secret" / name).chmod(0o440)
    (tmp_path / "bin" / "patrol").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "bin" / "patrol").chmod(0o755)
    variables = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "POD_NAME": pod, "POD_IP": "10.1.2.3", "CORES": "2"}
    for _ in range(2):  # a container that is started again finds the files of the first start
        done = subprocess.run(
            ["sh", str(tmp_path / "config" / "start.sh")], env=variables, capture_output=True, text=True, check=False
        )
        assert (done.stdout.strip(), done.stderr) == (started.format(run=tmp_path / "run"), "")
    made = {path.name: path for path in (tmp_path / "run").iterdir()}
    assert made.keys() == {"front.toml", "machine.toml", "ray_token", "patrol_key", "tls_cert"}
    assert {path.stat().st_mode & 0o077 for path in made.values()} == {0}
    for name in ("front", "machine"):
        assert load(made[f"{name}.toml"]).record.url == url
    engine = shard_settings(load(made["machine.toml"]), 1).serve
    assert (engine.grpc_listen, engine.metrics_listen) == ("10.1.2.3:0", "10.1.2.3:0")


@each_compose
def test_the_compose_file_is_of_the_compose_specification(path: Path) -> None:
    done = run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@each_compose
def test_every_file_that_the_compose_file_names_is_there(path: Path) -> None:
    compose = yaml.safe_load(path.read_text())
    mounted = [
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service["volumes"]
        if volume.startswith(".")
    ]
    assert len(mounted) >= 4
    assert [name for name in mounted if not (DOCKER / name).exists()] == []
    named = {secret["file"].partition("/")[2] for secret in compose["secrets"].values()}
    head = path.read_text().partition("\nname: ")[0]
    assert all(f"secrets/{name}" in head for name in named)  # its first lines say how to make them
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", ())}
    assert used == set(compose["secrets"])


@pytest.mark.parametrize(("path", "name"), [(COMPOSE, "patrol"), (CLUSTER, "machine-a"), (CLUSTER, "machine-b")])
def test_the_engine_of_the_compose_file_may_do_little_and_publishes_no_port(path: Path, name: str) -> None:
    engine = yaml.safe_load(path.read_text())["services"][name]
    assert (engine["read_only"], engine["cap_drop"], "ports" in engine) == (True, ["ALL"], False)
    assert engine["security_opt"] == ["no-new-privileges:true"]


def test_the_engine_takes_the_configuration_of_the_compose_file() -> None:
    settings = load(DEPLOY / "docker" / "patrol.toml")
    assert settings.serve.grpc_listen.startswith("127.0.0.1:")
    assert settings.record.evidence_dir.startswith("/var/lib/patrol/")


@pytest.mark.parametrize("name", ["machine-a", "machine-b"])
def test_the_machines_of_the_cluster_are_where_the_compose_file_puts_them(name: str) -> None:
    services = yaml.safe_load(CLUSTER.read_text())["services"]
    settings = load(DOCKER / "cluster" / f"{name}.toml")
    engine = shard_settings(settings, 1).serve
    address = services[name]["networks"]["inside"]["ipv4_address"]
    assert (settings.cluster.listen, settings.cluster.node) == (address, name)
    assert (engine.grpc_listen, engine.metrics_listen) == (f"{address}:0", f"{address}:0")
    assert (
        f"{services['machine-a']['networks']['inside']['ipv4_address']}:{settings.cluster.port}"
        in (services["machine-b"]["command"])
    )
    front = load(DOCKER / "cluster" / "front.toml")
    assert front.front.shard_tls_ca_file == front.serve.tls_cert_file == settings.serve.tls_cert_file
    assert f"DNS:{front.front.shard_tls_name}," in CLUSTER.read_text()


@pytest.mark.parametrize("name", ["prometheus.yml", "cluster/prometheus.yml"])
def test_prometheus_of_the_compose_file_scrapes_the_job_of_the_alerts(tmp_path: Path, name: str) -> None:
    path = DOCKER / name
    (job,) = yaml.safe_load(path.read_text())["scrape_configs"]
    assert f'job="{job["job_name"]}"' in (ROOT / "docs" / "alerts.yml").read_text()
    promtool = shutil.which("promtool") or pytest.skip("promtool is not installed (Debian: prometheus)")
    # In the container the rules are where compose.yaml mounts them.
    here = tmp_path / path.name
    here.write_text(path.read_text().replace("/etc/prometheus/alerts.yml", str(ROOT / "docs" / "alerts.yml")))
    assert "/etc/prometheus" not in here.read_text()
    done = run(promtool, "check", "config", "--lint-fatal", str(here))
    assert done.returncode == 0, done.stdout + done.stderr
