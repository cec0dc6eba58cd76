"""Settings of what the engine's processes may do on their machine."""

from typing import ClassVar, Literal

from engine.config.setting import Section, key


class RuntimeSettings(Section):
    """What the engine's processes may do on their machine. docs/operating.md#confinement says what each may."""

    all_file_only: ClassVar[bool] = True

    confine: Literal["auto", "required", "off"] = key(
        "auto",
        "Confinement of feeders, demuxers, workers and the reader to what they need, by Landlock and seccomp. auto: as "
        "far as the kernel offers it; required: without it the engine does not start; off: none.",
        hot=False,
    )
