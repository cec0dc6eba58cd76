"""Settings of the reader: the process that reads clock and name in pictures."""

from typing import ClassVar

from engine.config.setting import Section, key


class ReaderSettings(Section):
    """Reading of the clock and the name that cameras burn into their pictures (docs/overlay.md). It needs the extra
    `kitchen-patrol[ocr]`; without it nothing is read.
    """

    all_file_only: ClassVar[bool] = True

    enabled: bool = key(True, "Whether `patrol run` starts the reader where it is installed.", hot=False)
    cameras_per_min: float = key(
        20.0,
        "Most pictures read in a minute. Each camera is read once a day: 20 a minute read 28,800 cameras in a day. A "
        "picture of 1080p takes 0.3 s of one core.",
        unit="1/min",
        ge=0.1,
        le=600,
    )
    nice: int = key(
        10, "How far the reader stands back behind other processes when cores are scarce.", ge=0, le=19, hot=False
    )
    picture_cpu_s_max: float = key(
        10.0,
        "CPU time that decoding and reading one picture may take; a reader that spends more is replaced, and the "
        "camera is tried again the next day.",
        unit="s",
        ge=1,
        le=60,
        hot=False,
    )
    clock_off_s_max: float = key(
        60.0,
        "A clock is wrong that differs from the arrival of its picture by more than this.",
        unit="s",
        ge=5,
        le=86_400,
    )
    confidence_min: float = key(
        0.9, "A line that is read with less confidence than this, of 0 to 1, is not believed.", ge=0.5, le=1
    )
    names: bool = key(True, "Whether the name in the picture is compared with the registry's.")
