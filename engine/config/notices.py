"""Settings of notices (通报): who receives them, and how delivery is retried."""

from engine.config.setting import Section, key
from engine.model.notice import FINDING_KINDS


class EndpointSettings(Section):
    """One webhook endpoint."""

    name: str = key(..., "Name of the endpoint in lists, logs and metrics.", pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    url: str = key(
        ...,
        "URL that notices are POSTed to: https, or http to this machine.",
        min_length=1,
        max_length=2048,
        file_only=True,
    )
    secret_file: str = key(
        ...,
        "File with the secrets that sign: `whsec_` and 24 to 64 bytes in base64, one per line; two while they are "
        "changed.",
        min_length=1,
        file_only=True,
    )
    region: str = key(
        "", "GB/T 2260 prefix of the regions whose notices it receives; empty: all.", pattern=r"^(\d{2}){0,3}$"
    )
    events: tuple[str, ...] = key(
        ("finding.*",),
        f"Kinds of notices it receives, `*` for any: {', '.join(FINDING_KINDS)}, verdict.changed.",
        min_length=1,
    )
    timeout_s: float = key(15.0, "A notice that is not answered within this time has failed.", unit="s", ge=0.1, le=120)
    plain_http: bool = key(False, "Allow http to another machine, although everybody on the way can read it.")
    ca_file: str = key(
        "",
        "PEM file of the authority that signed its certificate; empty: those that this system trusts.",
        file_only=True,
    )


class NoticesSettings(Section):
    """Webhooks; docs/notices.md says what is sent, how it is signed, and when it is retried."""

    source: str = key(
        "urn:kitchen-patrol",
        "URI that identifies the engine in its notices; give every engine its own.",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
    )
    endpoints: tuple[EndpointSettings, ...] = key(
        (),
        "Receivers of notices; one table `[[notices.endpoints]]` each.",
        max_length=500,
        file_only=True,
    )
    verdicts: bool = key(False, "Also send changes of announced states, to endpoints that receive verdict.changed.")
    in_flight_max: int = key(8, "Most notices being sent at once; at most one per endpoint.", ge=1, le=256)
    probes_max: int = key(2, "Most of them to endpoints whose circuit is open.", ge=1, le=256)
    per_s_max: float = key(
        50.0, "Most notices sent per second, so that a flood takes little from the patrol.", unit="1/s", gt=0, le=1000
    )
    wait_first_s: float = key(
        5.0, "First wait after a failure; it doubles with each failure.", unit="s", ge=0.1, le=3600
    )
    wait_max_s: float = key(3600.0, "Longest wait after failures.", unit="s", ge=0.1, le=86_400)
    retry_after_max_s: float = key(
        7200.0, "Longest wait that an endpoint may ask for with Retry-After.", unit="s", ge=1, le=86_400
    )
    age_max_h: float = key(72.0, "A notice that has waited longer than this is given up.", unit="h", ge=0.01, le=8760)
    circuit_failures: int = key(5, "Failures in a row that open the circuit of an endpoint.", ge=1, le=1000)
    refusals_max: int = key(
        3,
        "A notice that was refused (400, 413, 415, 422) this many times is given up, so that the next one can pass.",
        ge=1,
        le=1000,
    )
    waiting_max: int = key(
        100_000,
        "Most notices that wait for one endpoint; beyond it new ones are given up at once.",
        ge=1,
        le=10_000_000,
    )
    keep_days: float = key(30.0, "How long delivered notices are kept.", unit="days", ge=0.01, le=3650)
    dead_keep_days: float = key(
        90.0, "How long notices that were given up can be replayed.", unit="days", ge=0.01, le=3650
    )
