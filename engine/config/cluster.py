"""Settings of an engine that runs on several machines."""

import re

from pydantic import field_validator

from engine.config.address import host_port, is_loopback
from engine.config.setting import Section, key
from engine.errors import ConfigError

_PREFIX = re.compile(r"\d{2}(\d{2}(\d{2})?)?")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}=[A-Za-z0-9._-]{1,63}")
_ASKED = re.compile(rf"([a-z0-9][a-z0-9.-]{{0,62}}/)?{_LABEL.pattern}")
"""What a binding can ask for: also labels that Ray gives by itself, such as ray.io/node-group=city."""


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

    node: str = key(
        "",
        "Name of this machine in the cluster; empty: its host name.",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$",
        hot=False,
        file_only=True,
    )
    labels: dict[str, str] = key(
        {},
        'What `bindings` can ask of this machine: `city = "1301"`.',
        max_length=32,
        hot=False,
        file_only=True,
    )
    listen: str = key(
        "127.0.0.1",
        "Address of this machine in the cluster's network. With 127.0.0.1 no other machine can join. With another, Ray "
        "listens at all addresses of this machine, and asks for the token, but does not encrypt: let a firewall keep "
        "its ports to the cluster's network.",
        hot=False,
        file_only=True,
    )
    port: int = key(
        7710,
        "Port of Ray's head, on the machine that runs it. The next one is taken by Ray too, for its own clients.",
        ge=1024,
        le=65_534,
        hot=False,
        file_only=True,
    )
    token_file: str = key(
        "",
        "File with the token by which Ray's processes know each other, the same on all machines; `patrol cluster up` "
        "makes it. Empty: `ray_token` beside the configuration file.",
        hot=False,
        file_only=True,
    )
    redis_address: str = key(
        "",
        "HOST:PORT of a Redis in which Ray's head keeps what it knows: when it begins anew, machines that went on "
        "without it belong to it again, and their shards go on. Only the head's machine needs it. Empty: none; these "
        "machines then have to begin anew too.",
        hot=False,
        file_only=True,
    )
    redis_password_file: str = key(
        "",
        "File with the password of Redis, which this user alone can read. No list of processes shows the password. "
        "Empty: Redis asks for none.",
        hot=False,
        file_only=True,
    )
    dashboard_listen: str = key(
        "",
        "Where Ray's dashboard listens on the head's machine, such as 127.0.0.1:8265; only on the loopback interface. "
        "It asks for the cluster's token, and needs `pip install 'ray[default]'`. Empty: there is none.",
        hot=False,
        file_only=True,
    )
    lease_s: float = key(
        10.0,
        "How long a shard belongs to its engine that does not renew it. Shorter: a lost machine's cameras are visited "
        "again sooner. Longer: a database that is slow to answer costs no shard.",
        unit="s",
        ge=2,
        le=300,
        hot=False,
    )

    @field_validator("redis_address")
    @classmethod
    def _check_redis_address(cls, address: str) -> str:
        if address:
            _address(address)
        return address

    @field_validator("dashboard_listen")
    @classmethod
    def _check_dashboard_listen(cls, listen: str) -> str:
        if listen and not is_loopback(_address(listen)[0]):
            raise ValueError(
                f"{listen!r}: others can reach it, and Ray's dashboard runs what those with the token send; give a "
                "loopback address, such as 127.0.0.1:8265"
            )
        return listen

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for name, value in labels.items():
            if not _LABEL.fullmatch(f"{name}={value}"):
                raise ValueError(
                    f'{name!r} = {value!r} is no label; give a short word and value, such as city = "1301"'
                )
        return labels

    @field_validator("bindings")
    @classmethod
    def _check_bindings(cls, bindings: dict[str, str]) -> dict[str, str]:
        for prefix, label in bindings.items():
            if not _PREFIX.fullmatch(prefix):
                raise ValueError(f"{prefix!r} is no region; give 2, 4 or 6 digits, such as 1301")
            if not _ASKED.fullmatch(label):
                raise ValueError(f"{label!r} is no label; give NAME=VALUE, such as city=1301")
        return bindings


def _address(text: str) -> tuple[str, int]:
    try:
        return host_port(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
