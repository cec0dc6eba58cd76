"""What programs import from engine.client stays there."""

import importlib
import subprocess
import sys

import engine.client

PUBLIC = {
    "AccessClient",
    "CallError",
    "CanteenClient",
    "CheckResult",
    "ClientCertificate",
    "FindingChanges",
    "FindingClient",
    "Page",
    "PatrolClient",
    "ThumbnailResult",
    "WatchBatch",
}


def test_the_public_names_are_these() -> None:
    assert set(engine.client.__all__) == PUBLIC
    assert len(engine.client.__all__) == len(PUBLIC)


def test_every_public_name_imports_and_says_what_it_is() -> None:
    module = importlib.import_module("engine.client")
    for name in PUBLIC:
        assert getattr(module, name).__doc__, name


def test_the_command_line_starts_without_the_client() -> None:
    script = "import sys, engine.cli.main; assert not {'engine.client', 'grpc'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
