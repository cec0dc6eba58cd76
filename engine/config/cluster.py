"""Settings of an engine that runs on several machines."""

import re

from pydantic import field_validator

from engine.config.setting import Section, key

_PREFIX = re.compile(r"\d{2}(\d{2}(\d{2})?)?")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}=[A-Za-z0-9._-]{1,63}")


class ClusterSettings(Section):
    """How counties are divided into shards, and where these run. An engine alone needs none of it."""

    shard_cores_min: float = key(
        0.05,
        "Counties of a city whose cameras need fewer cores than this are joined until they need so many: each shard "
        "has processes of its own. 0: each county is a shard, unless it shares a recorder or a platform.",
        unit="cores",
        ge=0,
        le=64,
        hot=False,
    )
    shard_cores_max: float = key(
        0.5,
        "Counties that share a platform are one shard while their cameras need no more cores than this together; "
        "beyond it, the platform's caps are divided among shards.",
        unit="cores",
        ge=0.01,
        le=64,
        hot=False,
    )
    bindings: dict[str, str] = key(
        {},
        'By region prefix, the label that a node must have to run its counties: `1301 = "city=1301"`. The longest '
        "prefix counts.",
        max_length=1000,
        hot=False,
    )

    @field_validator("bindings")
    @classmethod
    def _check_bindings(cls, bindings: dict[str, str]) -> dict[str, str]:
        for prefix, label in bindings.items():
            if not _PREFIX.fullmatch(prefix):
                raise ValueError(f"{prefix!r} is no region; give 2, 4 or 6 digits, such as 1301")
            if not _LABEL.fullmatch(label):
                raise ValueError(f"{label!r} is no label; give NAME=VALUE, such as city=1301")
        return bindings
