"""Asks whether a package that the engine runs with has a known vulnerability; exit 1 if one has.

    python -m tests.support.supply.audit

pip-audit asks PyPI. Where nobody answers, as on a machine without the network, this says so and exits with 0: a missing
network is no vulnerability. A package that PyPI does not know is named.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.supply.packages import pinned

TIMEOUT_S = 120
UNREACHABLE = ("ConnectionError", "ServiceError", "Timeout", "HTTPError", "SSLError")
"""Errors of pip-audit that say that the service was not reached."""
REPORT = ("--format", "json", "--progress-spinner", "off", "--timeout", "10")


def judge(returned: int, report: str, errors: str) -> tuple[int, str]:
    """Return exit code and text, from what pip-audit returned, printed and complained of."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = (errors.strip().splitlines() or ["nothing said"])[-1]
        if any(name in errors for name in UNREACHABLE):
            return 0, f"audit: not done, the vulnerability service cannot be reached: {last[:200]}"
        return 1, f"audit: pip-audit ended with {returned}: {last[:200]}"
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    lines = [
        f"audit: {package['name']} {package['version']} has {flaw['id']}; mended in "
        f"{', '.join(flaw.get('fix_versions') or ()) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    if len(skipped) == len(packages):
        return 0, f"audit: not done, the index that answers here has no data of any of {len(packages)} packages"
    if skipped:
        lines.append(f"audit: not known to the service: {', '.join(skipped)}")
    known = len(packages) - len(skipped)
    flawed = sum(bool(package.get("vulns")) for package in packages)
    return int(flawed > 0), "\n".join([*lines, f"audit: {flawed} of {known} packages have a known vulnerability"])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(pinned()) + "\n")
        command = [sys.executable, "-m", "pip_audit", "-r", str(requirements), "--no-deps", "--disable-pip", *REPORT]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            print(f"audit: not done, the vulnerability service did not answer within {TIMEOUT_S} s")
            return 0
    code, text = judge(done.returncode, done.stdout, done.stderr)
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
