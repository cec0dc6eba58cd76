"""Settings of notices (通报): who is told, and how stubbornly."""

from engine.config.setting import Section, key
from engine.model.notice import FINDING_KINDS


class EndpointSettings(Section):
    """Who is told of what happens, by webhook."""

    name: str = key(..., "What lists, logs and metrics call it by.", pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    url: str = key(..., "Where notices are POSTed to: https, or http to this machine.", min_length=1, max_length=2048)
    secret_file: str = key(
        ..., "File of the secrets that sign: `whsec_` and 24 to 64 bytes in base64, one a line; two while they change.",
        min_length=1,
    )  # fmt: skip
    region: str = key("", "GB/T 2260 prefix of what it hears of; empty: everything.", pattern=r"^(\d{2}){0,3}$")
    events: tuple[str, ...] = key(
        ("finding.*",), f"Kinds it hears of, `*` for any: {', '.join(FINDING_KINDS)}, verdict.changed.", min_length=1
    )
    timeout_s: float = key(15.0, "A notice that is not answered in this time has failed.", unit="s", ge=0.1, le=120)
    plain_http: bool = key(False, "http is allowed although everybody on the way can read along.")
    ca_file: str = key("", "PEM of who signed its certificate; empty: whom this system trusts.")


class NoticesSettings(Section):
    """Webhooks (通报); docs/notices.md has what is sent, how it is signed, and when it is tried again."""

    source: str = key(
        "urn:kitchen-patrol",
        "URI that says from which engine a notice comes; give every engine its own.",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
    )
    endpoints: tuple[EndpointSettings, ...] = key((), "Who is told; a `[[notices.endpoints]]` each.", max_length=500)
    verdicts: bool = key(False, "Changes of announced verdicts are noted too, for endpoints that want verdict.changed.")
    in_flight_max: int = key(8, "Notices on the wire at once, at most one an endpoint.", ge=1, le=256)
    probes_max: int = key(2, "Of these, those to endpoints whose circuit is open.", ge=1, le=256)
    per_s_max: float = key(
        50.0, "Notices sent a second: a flood takes little of the patrol.", unit="1/s", gt=0, le=1000
    )
    wait_first_s: float = key(5.0, "First wait after a failure; doubles each time.", unit="s", ge=0.1, le=3600)
    wait_max_s: float = key(3600.0, "Longest wait after failures.", unit="s", ge=0.1, le=86_400)
    retry_after_max_s: float = key(
        7200.0, "An endpoint may ask (Retry-After) for so long a wait at most.", unit="s", ge=1, le=86_400
    )
    age_max_h: float = key(72.0, "A notice that waited longer is given up.", unit="h", ge=0.01, le=8760)
    circuit_failures: int = key(5, "Failures in a row that open the circuit of an endpoint.", ge=1, le=1000)
    refusals_max: int = key(
        3, "A notice refused (400, 413, 415, 422) so often is given up, and lets the next pass.", ge=1,
        le=1000,
    )  # fmt: skip
    waiting_max: int = key(
        100_000, "Notices that wait for one endpoint; beyond that new ones are given up at once.", ge=1, le=10_000_000
    )
    keep_days: float = key(30.0, "What was delivered is kept so long.", unit="days", ge=0.01, le=3650)
    dead_keep_days: float = key(90.0, "What was given up can be replayed so long.", unit="days", ge=0.01, le=3650)
