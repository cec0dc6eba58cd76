"""Settings of the engine's processes: how large each kind may grow."""

from typing import Any, ClassVar

from engine.config.setting import Section, key


def _ceiling(default: int, what: str, then: str) -> Any:
    meaning = f"A {what} that stays above this resident memory is {then}; 0: no ceiling."
    return key(default, meaning, unit="B", ge=0, le=1_099_511_627_776)


class ProcessSettings(Section):
    """How large the engine's processes may grow: it bounds leaks. docs/operating.md says how a process is replaced."""

    all_file_only: ClassVar[bool] = True

    hub_memory_bytes_max: int = _ceiling(
        8_589_934_592, "hub", "stopped as at the end of `patrol run`, and started again"
    )
    worker_memory_bytes_max: int = _ceiling(1_073_741_824, "worker", "replaced once it has ended its job")
    feeder_memory_bytes_max: int = _ceiling(1_073_741_824, "feeder", "replaced once its visits in flight have ended")
    reader_memory_bytes_max: int = _ceiling(
        1_610_612_736, "reader of clocks and names", "replaced once it has ended its job"
    )
    web_memory_bytes_max: int = _ceiling(1_073_741_824, "HTTP gateway", "replaced; watches resume, other calls end")

    def ceilings(self) -> dict[str, int]:
        """Return the ceiling of each kind of process; 0: none."""
        return {
            "hub": self.hub_memory_bytes_max,
            "worker": self.worker_memory_bytes_max,
            "feeder": self.feeder_memory_bytes_max,
            "reader": self.reader_memory_bytes_max,
            "web": self.web_memory_bytes_max,
        }
