"""docs/alerts.yml: its recording rules, and each alert's link to the runbook. The alerts are written by hand."""

import re
from collections.abc import Iterator

from engine.metrics.recorded import RECORDED

RUNBOOK_URL = "https://patrol.example/docs/runbook.md"
"""Where people on call read the runbook. The project has no public address: whoever runs the engine puts in theirs."""
_BEGIN, _END = "      # recorded\n", "      # /recorded\n"
_BLOCK = re.compile(f"^{re.escape(_BEGIN)}.*?^{re.escape(_END)}", re.DOTALL | re.MULTILINE)
_LINKED = re.compile(r"^(      - alert: (\w+)\n(?:(?!      - alert: ).*\n)*?          runbook_url:).*$", re.MULTILINE)


def update(text: str) -> str:
    """Return docs/alerts.yml with its recording rules and links renewed.

    Raises ValueError unless the file has the marks of the recording rules once.
    """
    if len(_BLOCK.findall(text)) != 1:
        raise ValueError(f"the file needs one line {_BEGIN.strip()!r} with one {_END.strip()!r} behind it")
    text = _BLOCK.sub(lambda _: _BEGIN + "".join(_rules()) + _END, text)
    return _LINKED.sub(lambda alert: f"{alert[1]} {link(alert[2])}", text)


def link(alert: str) -> str:
    """Return the address of an alert's entry in the runbook."""
    return f"{RUNBOOK_URL}#{alert.lower()}"


def _rules() -> Iterator[str]:
    for rule in RECORDED:
        yield f"      # {rule.metric.help}\n"
        yield f"      - record: {rule.metric.name}\n        expr: >-\n          {rule.expression}\n"
