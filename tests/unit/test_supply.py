"""A known vulnerability fails CI; a missing network does not, and is said."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.supply.audit import judge
from tests.support.supply.packages import pinned


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


GOOD = {"name": "good", "version": "1", "vulns": []}
FLAWED = {"name": "flawed", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("returned", "printed", "errors", "code", "said"),
    [
        (1, report(GOOD, FLAWED), "", 1, "flawed 2 has PYSEC-1; mended in 2.1"),
        (0, report(GOOD), "", 0, "0 of 1 packages"),
        (0, report(GOOD, SKIPPED), "", 0, "not known to the service: own"),
        (0, report(SKIPPED, SKIPPED), "", 0, "not done"),
        (1, "", "x\nrequests.exceptions.ConnectionError: no route", 0, "not done, the vulnerability service cannot"),
        (2, "", "pip_audit: error: unrecognized arguments", 1, "ended with 2"),
        (1, "", "", 1, "nothing said"),
    ],
)
def test_the_audit_fails_for_a_vulnerability_only(
    returned: int, printed: str, errors: str, code: int, said: str
) -> None:
    assert judge(returned, printed, errors)[0] == code
    assert said in judge(returned, printed, errors)[1]


def test_what_is_audited_is_what_runs() -> None:
    names = {line.partition("==")[0] for line in pinned()}
    assert {"av", "numpy", "grpcio", "cryptography", "scikit-image", "llvmlite", "h11"} <= names
    assert not names & {"kitchen-patrol", "pytest", "ruff", "mypy", "hypothesis"}


def test_the_bill_of_materials_has_every_package(tmp_path: Path) -> None:
    tool = shutil.which("cyclonedx-py", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("cyclonedx-bom is not installed (an extra of this project: dev)")
    requirements, bill = tmp_path / "r.txt", tmp_path / "sbom.json"
    requirements.write_text("\n".join(pinned()))
    subprocess.run([tool, "requirements", "--of", "JSON", "-o", str(bill), str(requirements)], check=True)
    components = json.loads(bill.read_text())["components"]
    assert {f"{each['name']}=={each['version']}" for each in components} == set(pinned())
