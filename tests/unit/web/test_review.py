"""The review queue: its order out of three lists, its figures in words, its texts."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import InvalidArgumentError
from engine.model.verdict import FaultKind
from engine.terminal import verdict_reasons
from engine.web.console.languages import language
from engine.web.console.review.actions import ACTIONS, REASONS
from engine.web.console.review.figures import RULES, comparisons
from engine.web.console.review.queue import QueueFilter, merge
from patrol.v1.findings_pb2 import Finding, FindingLevel, ListFindingsResponse
from patrol.v1.verdicts_pb2 import FaultKind as Kind
from patrol.v1.verdicts_pb2 import FaultSeverity, Verdict

BLIND, IMPAIRED, COSMETIC = 3, 2, 1


def made(number: int, severity: int, deadline_s: int) -> Any:
    finding = Finding(name=f"findings/{number}", severity=FaultSeverity.Name(severity))
    finding.deadline_time.seconds = deadline_s
    return finding


def lists(findings: list[Any], page_size: int) -> list[Any]:
    """Return what the engine would answer to the three requests."""
    replies = []
    for severity_min in (BLIND, IMPAIRED, 0):
        fitting = [finding for finding in findings if finding.severity >= severity_min]
        fitting.sort(key=lambda finding: (finding.deadline_time.seconds, int(finding.name[9:])))
        replies.append(ListFindingsResponse(findings=fitting[:page_size], total_size=len(fitting)))
    return replies


def in_order(findings: list[Any]) -> list[str]:
    return [
        finding.name
        for finding in sorted(
            findings,
            key=lambda finding: (-max(finding.severity, 1), finding.deadline_time.seconds, int(finding.name[9:])),
        )
    ]


@pytest.mark.parametrize("seed", range(40))
def test_the_three_lists_together_begin_as_the_whole_queue_would(seed: int) -> None:
    chance = random.Random(seed)
    findings = [made(n, chance.choice((3, 2, 1, 0)), chance.randrange(30)) for n in range(1, chance.randrange(2, 60))]
    window = chance.choice((5, 20, 100))
    queue = merge(lists(findings, window), window)
    assert [finding.name for finding in queue.findings] == in_order(findings)[:window]
    assert queue.total == len(findings)


def test_pages_that_are_shorter_than_asked_for_leave_out_what_comes_behind_them() -> None:
    findings = [made(1, BLIND, 9), made(2, BLIND, 8), made(3, BLIND, 7), made(4, COSMETIC, 1)]
    queue = merge(lists(findings, 2), 200)
    assert [finding.name for finding in queue.findings] == ["findings/3", "findings/2"]
    assert queue.total == 4


def test_a_finding_that_has_left_the_queue_still_has_neighbours() -> None:
    first, gone, last = made(7, BLIND, 1), made(8, BLIND, 2), made(2, IMPAIRED, 0)
    queue = merge(lists([first, last], 10), 10)
    assert (queue.place(first), queue.place(gone), queue.place(last)) == (1, 0, 2)
    assert (queue.before(gone), queue.after(gone)) == (first, last)
    assert (queue.before(first), queue.after(last), queue.first) == (None, None, first)
    assert merge(lists([], 10), 10).first is None


def test_a_filter_is_read_and_written() -> None:
    fields = {"region": "1301", "level": "county", "kind": "partly_covered", "overdue": "yes", "supervised": "no"}
    wanted = QueueFilter.of({**fields, "other": "x"})
    assert wanted.query() == fields
    asked = wanted.message(FaultSeverity.FAULT_SEVERITY_BLIND)
    assert (asked.region_prefix, asked.level, list(asked.cause_keys)) == (
        "1301",
        FindingLevel.FINDING_LEVEL_COUNTY,
        ["partly_covered"],
    )
    assert (asked.overdue, asked.supervised) == (True, False)
    everything = QueueFilter.of({}).message(0)
    assert not everything.HasField("overdue")
    assert not everything.HasField("level")


@pytest.mark.parametrize(
    "fields", [{"region": "13x"}, {"level": "x"}, {"kind": "<script>"}, {"overdue": "1"}, {"supervised": "maybe"}]
)
def test_a_filter_that_makes_no_sense_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError):
        QueueFilter.of(fields)


def test_the_rules_are_those_of_the_terminal() -> None:
    ours = {
        (Kind.Name(kind).removeprefix("FAULT_KIND_").lower(), rule.figure, rule.limit, rule.from_limit, rule.percent)
        for kind, rules in RULES.items()
        for rule in rules
    }
    theirs = {
        (FaultKind(kind).value, rule.figure, rule.limit, rule.from_limit, rule.percent)
        for kind, rules in verdict_reasons._RULES.items()
        for rule in rules
    }
    assert ours == theirs
    rises = {rule.limit for rules in RULES.values() for rule in rules if rule.is_rise}
    assert rises == set(verdict_reasons._RISES)


def test_the_figures_that_decided_are_chosen() -> None:
    verdict = Verdict(
        kinds=[Kind.FAULT_KIND_BLURRED, Kind.FAULT_KIND_TOO_DARK],
        figures={"luma_mean": 30.0, "luma_p5": 1.0},
        thresholds={"sharpness_min": 36.0, "dark_mean_max": 20.0},
    )
    verdict.scores.sharpness = 21
    (blurred,) = comparisons(verdict)
    assert (blurred.rule.figure, blurred.value, blurred.limit, blurred.is_fault) == ("sharpness", 21, 36, True)
    verdict.scores.sharpness = 50
    assert [item.is_fault for item in comparisons(verdict)] == [False, False]
    assert comparisons(Verdict(kinds=[Kind.FAULT_KIND_STEAM])) == []


def test_every_text_in_code_has_its_chinese() -> None:
    texts = {rule.words for rules in RULES.values() for rule in rules}
    texts |= {*REASONS.values(), *(action.done for action in ACTIONS.values())}
    texts |= {action.usual_reason for action in ACTIONS.values() if action.usual_reason}
    texts |= {
        "is empty; choose a reason or write one, the ledger keeps it",
        "is empty; mark at least one finding of the list",
    }
    assert sorted(texts - set(language("zh").texts)) == []


def test_a_supervised_or_acknowledged_finding_has_no_such_button_again() -> None:
    page: Any = SimpleNamespace(may=lambda role: role != "admin")
    finding = Finding(supervised=True, state="FINDING_STATE_ACKNOWLEDGED")
    assert {name for name, action in ACTIONS.items() if action.is_open_to(page, finding)} == {"claim", "dismiss"}
    ended = Finding(state="FINDING_STATE_CLOSED")
    assert not any(action.is_open_to(page, ended) for action in ACTIONS.values())
