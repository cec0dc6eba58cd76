"""How the tests run the lines of the pages: what is substituted, what is not run and why, what may end otherwise.

Everything that differs from a reader's machine is in this module. A line that matches no rule runs as it stands.
"""

import re
import shutil
from dataclasses import dataclass

ADDRESSES = {"7701": "intake", "7702": "grpc", "7703": "metrics", "7704": "web"}
"""The default ports; a page's 127.0.0.1:PORT becomes a free port of this machine, in lines and in patrol.toml alike."""


PROGRAMS_THAT_MAY_MISS = ("jq", "curl")
"""Lines with them are not run where they are not installed; .ci/run installs them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Lines that match `pattern` from their beginning, and why they are an exception."""

    pattern: str
    reason: str

    def holds(self, line: str) -> bool:
        return re.match(self.pattern, line) is not None


NOT_RUN = (
    Rule(r"make |\.ci/run", "builds an environment and runs everything; test_docs.py checks that the target exists"),
    Rule(r"(pip|pipx|uv|uvx|python3 -m venv|/opt/patrol/bin/) ?", "installs; `python -m tests.trial` does it"),
    Rule(
        r"(apt-get|createuser|useradd|install -D|cp deploy/systemd/patrol\.service|journalctl)", "changes the machine"
    ),
    Rule(
        r"systemctl (daemon-reload|enable|reload)", "changes the machine; stop and start are done to the test's engine"
    ),
    Rule(r"grpcurl ", "not on every machine; test_docs.py reads call and request, `python -m tests.trial` calls"),
    Rule(r"python -m (bench|tests)\.|pytest ", "takes minutes; test_docs.py checks module and flags"),
    Rule(r"PATROL=", "a script of docs/callers.md: tests/integration/web/test_callers.py runs it"),
    Rule(r"patrol cameras pull ", "needs a media platform: tests/integration/feed/test_platforms.py"),
    Rule(
        r"patrol (front|cluster (assign|up|join|drain|status|down))", "needs shards: tests/integration/cluster has them"
    ),
    Rule(r"patrol config apply .*--server ", "needs a front: tests/integration/cluster has one"),
    Rule(r"patrol demo", "takes a minute and needs no line of a page before it"),
    Rule(r"(ffmpeg|docker|kubectl|node|npm|npx|go|java|dotnet|prometheus|promtool|openssl) ", "another program's line"),
)
"""What is not run on a test machine. tests/contract/test_docs.py checks what can be checked without running it."""

ENDS_WITH = {
    2: (
        Rule(r"patrol check .*rtsp://", "one of the sources has no picture, as the page shows"),
        Rule(r"patrol db restore FILE", "FILE is the copy of an engine that runs: refused, as the page says"),
    ),
    22: (Rule(r"curl -s http://127\.0\.0\.1:7703/readyz", "503: the engine has just been started"),),
    124: (Rule(r"curl -N ", "a watch: it never ends by itself"),),
    1: (
        Rule(r"patrol check .*canteen_defocus", "one of the sources is a fault, as the page shows"),
        Rule(r"patrol config check .*(plan|new|patrol|新配置)\.toml", "usable, with warnings"),
        Rule(r"patrol doctor ", "the machine has something to mend, such as a clock that nothing keeps right"),
        Rule(r"patrol check-now ", "the camera visited is a fault"),
        Rule(r"patrol config diff ", "the two differ, as diff(1) says it"),
        Rule(r"patrol simulate ", "a promise was broken, or nothing was due in the shortened time"),
        Rule(r"patrol notices replay ", "the notice named was not given up"),
    ),
}
"""Lines that may end with another code than 0."""

SHORTENED = (
    (re.compile(r"--lose-node (\S+)@3h"), r"--lose-node \1@30s"),
    (re.compile(r"^(patrol simulate .*?)( *#.*)?$"), r"\1 --hours 0.02"),
    (re.compile(r"^(patrol cameras delete .*?)( *#.*)?$"), r"\1 --yes"),  # it asks on a terminal
    (re.compile(r"^curl -N "), "timeout 5 curl -N --fail-with-body "),
    (re.compile(r"^curl (?!-N)"), "curl --fail-with-body "),
    (re.compile(r"--cameras 131072"), "--cameras 4096"),
    (re.compile(r"^(python examples/gateway\.py .*?)( *#.*)?$"), r"\1 --intake tcp://127.0.0.1:7701 --count 2"),
)
"""What would take minutes, never end or ask is run with less of it; a later option goes before an earlier one."""


def not_run(line: str) -> str:
    """Why a line is not run; empty if it is."""
    return next((rule.reason for rule in NOT_RUN if rule.holds(line)), "")


def needs_missing_program(line: str) -> bool:
    """Whether a line needs one of PROGRAMS_THAT_MAY_MISS that this machine does not have."""
    return any(re.search(rf"\b{name}\b", line) and shutil.which(name) is None for name in PROGRAMS_THAT_MAY_MISS)


def allowed_codes(line: str) -> set[int]:
    """The exit codes with which a line may end."""
    return {0} | {code for code, rules in ENDS_WITH.items() if any(rule.holds(line) for rule in rules)}


def localised(text: str, ports: dict[str, int]) -> str:
    """Replace the default ports of loopback addresses by `ports`, by the names of ADDRESSES."""
    for port, name in ADDRESSES.items():
        text = re.sub(rf"\b127\.0\.0\.1:{port}\b", f"127.0.0.1:{ports[name]}", text)
    return text


def shortened(line: str) -> str:
    """Apply SHORTENED."""
    for pattern, replacement in SHORTENED:
        line = pattern.sub(replacement, line)
    return line
