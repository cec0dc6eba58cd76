"""A machine without a reader is told so, and lacks nothing."""

from engine.config.reader import ReaderSettings
from engine.doctor.diagnosis import Level
from engine.doctor.reader import examine


def test_it_says_whether_clocks_are_read_and_how_they_would_be() -> None:
    read, missing = examine(ReaderSettings(), installed=True), examine(ReaderSettings(), installed=False)
    off = examine(ReaderSettings(enabled=False), installed=True)
    assert {read.level, missing.level, off.level} == {Level.OK}
    assert "20 a minute" in read.found
    assert "kitchen-patrol[ocr]" in missing.found
    assert "reader.enabled" in off.found
