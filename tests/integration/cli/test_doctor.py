"""Plants faults in a healthy installation one by one: `patrol doctor` finds each, and names the remedy."""

import datetime
import fcntl
import http.server
import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.clock import NS_PER_S, wall_ns
from engine.doctor.diagnosis import Diagnosis, Level
from engine.doctor.examine import Options, examine
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.verdict import State, Verdict
from engine.storage.db.store import Store, VisitRecord
from tests.support.ports import free_port

_DAY_NS = 86_400 * NS_PER_S


@dataclass
class Installation:
    """A configuration, its database and its ports. `sections`: keys that are written into the TOML file, by section."""

    folder: Path
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "patrol.db"

    @property
    def config(self) -> Path:
        path = self.folder / "patrol.toml"
        lines = []
        for section, keys in self.sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        path.write_text("\n".join(lines))
        return path

    def set(self, section: str, **keys: Any) -> None:
        self.sections.setdefault(section, {}).update(keys)

    def store(self) -> "closing[Store]":
        return closing(Store.open(f"sqlite:///{self.database}"))

    def problems(self) -> list[Diagnosis]:
        found = examine(self.config, Options(sample=5, timeout_s=2.0))
        return [line for line in found if line.level is not Level.OK]


@pytest.fixture
def camera_port() -> Iterator[int]:
    """A port that accepts connections, as a recorder does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def healthy(tmp_path: Path, camera_port: int, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Installation(tmp_path)
    made.set("record", url=f"sqlite:///{made.database}", evidence_dir=str(tmp_path / "evidence"), evidence="none")
    made.set("record", quarantine_dir=str(tmp_path / "quarantine"))
    made.set("serve", grpc_listen=f"127.0.0.1:{free_port()}", metrics_listen=f"127.0.0.1:{free_port()}")
    made.set("web", listen=f"127.0.0.1:{free_port()}")
    with made.store() as store:
        store.registry.upsert([Camera(f"camera-{n}", f"rtsp://127.0.0.1:{camera_port}/{n}") for n in range(3)])
    for path in tmp_path.glob("patrol.db*"):
        path.chmod(0o600)
    return made


def test_an_archive_that_answers_is_left_as_it_was(healthy: Installation) -> None:
    healthy.set("record", archive_url=f"file://{healthy.folder}/archive")
    lines = examine(healthy.config, Options(sample=0))
    (found,) = [line for line in lines if line.topic == "archive"]
    assert (found.level, "stored, read and deleted" in found.found) == (Level.OK, True)
    assert not [path for path in (healthy.folder / "archive").rglob("*") if path.is_file()]


def test_a_healthy_installation_has_nothing_to_mend(healthy: Installation) -> None:
    # Whether something keeps the clock right, and how much memory is there, is up to the machine of the test.
    assert [line for line in healthy.problems() if line.topic not in ("clock", "memory")] == []


def _older_schema(made: Installation) -> None:
    _stamp(made, "0001")


def _newer_schema(made: Installation) -> None:
    _stamp(made, "9999")


def _stamp(made: Installation, revision: str) -> None:
    with closing(sqlite3.connect(made.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def _no_database_file(made: Installation) -> None:
    made.database.write_bytes(b"this is a letter, not a database\n" * 100)


def _verdict_of_tomorrow(made: Installation) -> None:
    with made.store() as store:
        verdict = Verdict("camera-0", 1, wall_ns() + _DAY_NS, State.OK, announced=State.OK)
        store.write([VisitRecord(verdict, b"")])


def _expired_token(made: Installation) -> None:
    with made.store() as store:
        now = wall_ns()
        store.access.create_token(TokenOrder("board", Role.VIEWER, "", now - 3 * _DAY_NS), "root", now - 9 * _DAY_NS)


def _token_that_ends_soon(made: Installation) -> None:
    with made.store() as store:
        now = wall_ns()
        store.access.create_token(TokenOrder("board", Role.VIEWER, "", now + 5 * _DAY_NS), "root", now)


def _no_cameras(made: Installation) -> None:
    with made.store() as store:
        store.registry.remove([camera.camera_id for camera in store.registry.cameras()])


def _lost_key(made: Installation) -> None:
    with made.store() as store:
        store.registry.upsert([Camera("camera-8", "rtsp://admin:hunter2@127.0.0.1:1/8")])
    Path(f"{made.database}.key").unlink()


def _refusing_cameras(made: Installation) -> None:
    with made.store() as store:
        store.registry.upsert([Camera(f"camera-{n}", f"rtsp://127.0.0.1:{free_port()}/{n}") for n in range(3)])


def _camera_without_a_name_server(made: Installation) -> None:
    with made.store() as store:
        store.registry.upsert([Camera("camera-9", "rtsp://recorder.invalid/9")])


def _unknown_key(made: Installation) -> None:
    made.set("scheduler", key_periods_s=60)


def _broken_calendar(made: Installation) -> None:
    (made.folder / "calendar.toml").write_text('timezone = "Mars/Olympus"\n')
    made.set("scheduler", calendar_file=str(made.folder / "calendar.toml"))


def _impossible_periods(made: Installation) -> None:
    with made.store() as store:
        store.registry.upsert([Camera(f"more-{n}", f"rtsp://127.0.0.1:1/{n}", required=True) for n in range(2000)])
    made.set("scheduler", key_period_s=10)


def _evidence_below_a_file(made: Installation) -> None:
    made.set("record", evidence_dir=str(made.config / "evidence"))


def _evidence_larger_than_the_disk(made: Installation) -> None:
    made.set("record", evidence="all", evidence_bytes_max=1 << 44)


def _readable_by_all(made: Installation) -> None:
    made.database.chmod(0o644)


def _too_many_workers(made: Installation) -> None:
    made.set("worker", count=512)


def _public_without_token(made: Installation) -> None:
    _certificate(made, days=300)
    made.set("serve", grpc_listen=f"0.0.0.0:{free_port()}")


def _expired_certificate(made: Installation) -> None:
    _certificate(made, days=-1)


def _certificate_of_another_key(made: Installation) -> None:
    _certificate(made, days=300)
    other = ec.generate_private_key(ec.SECP256R1())
    (made.folder / "key.pem").write_bytes(_pem(other))


def _missing_certificate(made: Installation) -> None:
    made.set("web", tls_cert_file=str(made.folder / "none.pem"), tls_key_file=str(made.folder / "none.key"))


def _certificate(made: Installation, days: int) -> None:
    """Make a certificate of the API that ends after so many days."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "patrol.test")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now - datetime.timedelta(days=30))
    signed = built.not_valid_after(now + datetime.timedelta(days=days)).sign(key, hashes.SHA256())
    (made.folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (made.folder / "key.pem").write_bytes(_pem(key))
    made.set("serve", tls_cert_file=str(made.folder / "cert.pem"), tls_key_file=str(made.folder / "key.pem"))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _archive_that_does_not_answer(made: Installation) -> None:
    made.set("record", archive_url="s3://evidence/x", archive_endpoint=f"http://127.0.0.1:{free_port()}")


def _archive_below_a_file(made: Installation) -> None:
    (made.folder / "note").write_text("no folder")
    made.set("record", archive_url=f"file://{made.folder}/note/archive")


PLANTED: tuple[tuple[Callable[[Installation], None], Level, str, str, str], ...] = (
    (_unknown_key, Level.FAULT, "configuration", "key_periods_s", "patrol config check"),
    (_broken_calendar, Level.FAULT, "configuration", "Mars/Olympus", "patrol config check"),
    (_older_schema, Level.FAULT, "database", "patrol db upgrade", "message"),
    (_newer_schema, Level.FAULT, "database", "9999", "message"),
    (_no_database_file, Level.FAULT, "database", "patrol.db", "message"),
    (_verdict_of_tomorrow, Level.FAULT, "clock", "behind the newest verdict", "chrony"),
    (_expired_token, Level.FAULT, "token", "'board' ended 3 days ago", "patrol token create"),
    (_token_that_ends_soon, Level.WARNING, "token", "'board' ends in", "patrol token create"),
    (_no_cameras, Level.WARNING, "registry", "no camera", "patrol cameras import"),
    (_lost_key, Level.FAULT, "registry", "no key opens the URLs of 1 cameras", "rotate-key --lost"),
    (_refusing_cameras, Level.FAULT, "cameras", "0 of 3 addresses", "is the recorder up"),
    (_camera_without_a_name_server, Level.WARNING, "cameras", "recorder.invalid:554 (name unknown)", "name servers"),
    (_impossible_periods, Level.WARNING, "capacity", "scheduler.visits_per_host_max", "lengthen the periods"),
    (_evidence_below_a_file, Level.FAULT, "folders", "record.evidence_dir", "chown"),
    (_evidence_larger_than_the_disk, Level.WARNING, "disk space", "may grow by", "record.evidence_bytes_max"),
    (_archive_that_does_not_answer, Level.FAULT, "archive", "s3://evidence/x: cannot store", "AWS_ACCESS_KEY_ID"),
    (_archive_below_a_file, Level.FAULT, "archive", "cannot store: ", "may the engine's user write"),
    (_readable_by_all, Level.WARNING, "permissions", "0644", "chmod 0600"),
    (_too_many_workers, Level.WARNING, "cores", "512 workers", "worker.count"),
    (_too_many_workers, Level.WARNING, "memory", "512 workers", "worker.count"),
    (_public_without_token, Level.FAULT, "listeners", "is public, and there is no valid token", "patrol token create"),
    (_expired_certificate, Level.FAULT, "certificate", "serve.tls_cert_file ended 1 day ago", "renew"),
    (_certificate_of_another_key, Level.FAULT, "certificate", "the key is not that of", "belong together"),
    (_missing_certificate, Level.FAULT, "certificate", "none.pem", "readable PEM files"),
)


@pytest.mark.parametrize(("plant", "level", "topic", "found", "remedy"), PLANTED)
def test_a_planted_fault_is_found_and_the_remedy_named(
    healthy: Installation, plant: Callable[[Installation], None], level: Level, topic: str, found: str, remedy: str
) -> None:
    plant(healthy)
    problems = healthy.problems()
    named = [line for line in problems if line.topic == topic and found in line.found and remedy in line.remedy]
    assert [line.level for line in named] == [level], problems


@pytest.mark.parametrize("key", ["serve.grpc_listen", "serve.metrics_listen", "web.listen"])
def test_a_port_that_somebody_else_has_is_named(healthy: Installation, key: str) -> None:
    section, _, name = key.partition(".")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        healthy.set(section, **{name: f"127.0.0.1:{port}"})
        (problem,) = (line for line in healthy.problems() if line.topic == "listeners")
    assert problem.level is Level.FAULT
    assert key in problem.found
    assert f"sport = :{port}" in problem.remedy


def test_an_engine_that_holds_the_database_and_says_nothing(healthy: Installation) -> None:
    with Path(f"{healthy.database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (problem,) = (line for line in healthy.problems() if line.topic == "engine")
    assert problem.level is Level.FAULT
    assert "does not answer" in problem.found


def test_an_engine_that_is_not_ready_says_why(healthy: Installation) -> None:
    with _status(healthy, 503, "no worker is ready\nthe database takes no writes\n"):
        (problem,) = (line for line in healthy.problems() if line.topic == "engine")
    assert problem.level is Level.FAULT
    assert problem.found == "is not ready: no worker is ready; the database takes no writes"


def test_beside_a_running_engine_its_ports_are_no_fault(healthy: Installation) -> None:
    with _status(healthy, 200, "ready\n"):
        assert [line for line in healthy.problems() if line.topic in ("engine", "listeners")] == []


@contextmanager
def _status(made: Installation, status: int, text: str) -> Iterator[None]:
    """Answer /readyz at the installation's address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        made.set("serve", metrics_listen=f"127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def test_the_command_says_all_in_json_and_exits_with_1(healthy: Installation, tmp_path: Path) -> None:
    """Limits and environment belong to a process, so these faults are planted in one of its own."""
    (tmp_path / "cache").write_text("a file")
    environment = {**os.environ, "HTTPS_PROXY": "http://proxy.invalid:3128", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "doctor", "--json", "--config", str(healthy.config)],
        capture_output=True, text=True, env=environment, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)),
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert (done.returncode, report["level"], done.stderr) == (1, "fault", "")
    lines = {line["topic"]: line for line in report["diagnoses"]}
    assert lines["open files"]["level"] == "fault"
    assert "LimitNOFILE" in lines["open files"]["remedy"]
    assert lines["environment"]["found"] == "HTTPS_PROXY is set"
    assert lines["kernels"]["level"] == "warning"
    assert "XDG_CACHE_HOME" in lines["kernels"]["remedy"]
    assert lines["configuration"]["level"] == "ok"


def test_the_command_prints_a_table_and_a_summary(healthy: Installation) -> None:
    healthy.set("worker", count=512)
    command = [sys.executable, "-m", "engine.cli", "doctor", "--sample", "0", "--config", str(healthy.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "512 workers" in done.stdout
    assert "warning" in done.stdout.splitlines()[-1]
    assert not any("cameras " in line and "addresses" in line for line in done.stdout.splitlines())


def test_what_it_says_holds_no_password(healthy: Installation) -> None:
    healthy.set("record", url="postgresql+psycopg://patrol:hunter2@127.0.0.1:1/patrol")
    said = "".join(f"{line.found}{line.remedy}" for line in examine(healthy.config, Options(sample=0)))
    assert "127.0.0.1:1" in said
    assert "hunter2" not in said
