"""Some hundred inputs of each target of `python -m tests.fuzz`; what it finds becomes a case here."""

import random

import pytest

from tests.fuzz import run
from tests.fuzz.run import Finding, fuzz, input_of
from tests.fuzz.targets import TARGETS, Target

RUNS = {"toml": 100}
"""A whole configuration takes 30 ms."""
SEED = 17


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_what_reads_it(name: str) -> None:
    assert not [str(finding) for finding in fuzz(name, RUNS.get(name, 500), SEED)]


@pytest.mark.parametrize("name", TARGETS)
def test_every_valid_input_is_read(name: str) -> None:
    target = TARGETS[name]
    if name == "csv":  # a reader draws CSV or JSON Lines; each refuses the other
        return
    for seed in target.seeds():
        target.read(seed, random.Random(1))


@pytest.mark.parametrize("name", TARGETS)
def test_an_input_is_repeated_by_its_seed_and_number(name: str) -> None:
    first, again, other = (input_of(name, SEED, number)[0] for number in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize(
    ("name", "data"),
    [
        # seed 1, number 4684: a worker's result whose measurement names no known codec ended the hub
        ("wire", b"\0\0\0\x03JR1\0\0\0\x1e\t\x03\0\0\0\x80\0\0\0\x12\x13\n\x07dalage`\x12\x08a Detail"),
    ],
)
def test_what_was_found_stays_mended(name: str, data: bytes) -> None:
    """By its bytes: a new valid input of a target gives its numbers to other inputs."""
    TARGETS[name].read(data, random.Random(1))


def test_what_breaks_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: bytes, _rng: random.Random) -> None:
        if data.endswith(b"!"):
            raise ZeroDivisionError("broken")
        if data.startswith(b"e"):
            raise ValueError("said so")
        while len(data) > 1000:
            pass

    monkeypatch.setattr(run, "SECONDS_MAX", 0.1)
    monkeypatch.setitem(TARGETS, "made up", Target(read, lambda: [b"early", b"x"], (b"!", b"y" * 1001), (ValueError,)))
    findings: list[Finding] = list(fuzz("made up", 300, SEED))
    assert {finding.what.partition(":")[0] for finding in findings} == {"ZeroDivisionError", "takes more than 0.2 s"}
    broken = next(finding for finding in findings if "ZeroDivisionError" in finding.what)
    assert [finding.data for finding in fuzz("made up", 1, SEED, broken.number)] == [broken.data]
    assert f"--seed {SEED} --first {broken.number} --runs 1" in str(broken)
