"""`patrol token ...` and `patrol audit`: manage the tokens of the API, and show what callers changed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from engine.cli.database import open_to_read, open_to_write
from engine.cli.json_output import print_message
from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    UtcOption,
    client_of,
    settings_of,
    times_of,
)
from engine.clock import NS_PER_S, wall_ns
from engine.config import Settings
from engine.errors import ConfigError, PatrolError
from engine.model.access import ANONYMOUS, LOCAL, AuditEntry, AuditQuery, Role, Token, TokenOrder
from engine.terminal.tables import show_table
from engine.terminal.times import Times

if TYPE_CHECKING:
    from engine.storage.db.access import Access

app = typer.Typer(no_args_is_help=True, help="Bearer tokens of the API, kept in the database; the engine need not run.")

_DAY_NS = 86_400 * NS_PER_S


class TokenAccess(Protocol):
    """Manages tokens: in the database, or through the API of an engine elsewhere."""

    def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        """Create a token; return it and its secret."""

    def tokens(self, show_ended: bool) -> Iterable[Token]:
        """Return the tokens by number."""

    def revoke_token(self, token_id: int) -> Token:
        """Revoke a token and return it. Raises PatrolError if there is none."""

    def audit_entries(self, query: AuditQuery) -> Iterable[AuditEntry]:
        """Return the entries of the audit log, newest first."""


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who it is for; shown in the ledger and the audit log.")],
    role: Annotated[Role, typer.Option(help="What it may do; each role may do all that the roles before it may.")],
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix of what it may see and change; empty: all.")] = "",
    expires: Annotated[float, typer.Option(help="Days until it expires; 0: never.", min=0)] = 0.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Create a token and print it on standard output, this once. A running engine accepts it within seconds."""
    if not name.strip() or len(name) > 64 or "/" in name:
        raise ConfigError(f"--name {name!r}: allowed: 1 to 64 characters, none of them `/`")
    if len(region) > 6 or (region and not region.isdecimal()):
        raise ConfigError(f"--region {region!r}: allowed: up to 6 digits of a GB/T 2260 code")
    expires_ns = wall_ns() + round(expires * _DAY_NS) if expires else 0
    with _token_access(settings_of(config), server, token, ca, create=True) as access:
        created, secret = access.create_token(TokenOrder(name.strip(), role, region, expires_ns))
    if as_json:
        from engine.serve.messages.access import created_message

        print_message(created_message(created, secret))
        return
    ERR.out(
        f"token {created.token_id} of {created.name}, {created.role}, region {created.region or 'all'}; "
        "it is shown this once:",
        highlight=False,
    )
    OUT.out(secret, highlight=False)


@app.command("list")
def list_tokens(
    ended: Annotated[bool, typer.Option("--all", help="Include tokens that are revoked or expired.")] = False,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """List tokens."""
    settings = settings_of(config)
    times = times_of(settings, utc)
    with _token_access(settings, server, token, ca) as access:
        tokens = list(access.tokens(ended))
    if as_json:
        from engine.serve.messages.access import token_message

        for row in tokens:
            print_message(token_message(row))
        return
    table = [
        [
            str(row.token_id),
            row.actor.name,
            row.role,
            row.region or "all",
            times.day(row.created_wall_ns),
            row.creator,
            _end(row, times),
        ]
        for row in tokens
    ]
    show_table(OUT, ["token", "name", "role", "region", *times.head("made"), "by", *times.head("holds")], table)


@app.command("revoke")
def revoke(
    token_id: Annotated[
        int, typer.Argument(help="Number of the token, as `patrol token list` shows it.", metavar="TOKEN", min=1)
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Revoke a token. Calls in progress with it end within seconds."""
    with _token_access(settings_of(config), server, token, ca) as access:
        revoked = access.revoke_token(token_id)
    if as_json:
        from engine.serve.messages.access import token_message

        print_message(token_message(revoked))
        return
    OUT.out(f"token {revoked.token_id} of {revoked.name} is revoked", highlight=False)


def audit(
    actor: Annotated[str, typer.Option(help="Only changes by this token (its name).")] = "",
    method: Annotated[str, typer.Option(help="Only this call, such as CameraService/DeleteCamera.")] = "",
    days: Annotated[float, typer.Option(help="Only this many days back; 0: all that is kept.", min=0)] = 0.0,
    rows: Annotated[int, typer.Option(help="Entries to show at most.", min=1, max=100_000)] = 100,
    changes: Annotated[
        bool, typer.Option("--changes", help="Only changes: no refused calls, and no pictures that were shown.")
    ] = False,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """List what was changed, which calls were refused, and which pictures were shown: when, by whom, and the outcome.

    The newest come first.
    """
    from engine.serve.access.rules import CHANGES

    query = AuditQuery(
        actor=actor,
        method=method,
        from_wall_ns=wall_ns() - round(days * _DAY_NS) if days else 0,
        page_size=min(rows, 1000),
        change_methods=CHANGES if changes else (),
    )
    settings = settings_of(config)
    times = times_of(settings, utc)
    with _token_access(settings, server, token, ca) as access:
        entries = list(islice(access.audit_entries(query), rows))
    if as_json:
        from engine.serve.messages.access import entry_message

        for entry in entries:
            print_message(entry_message(entry))
        return
    table = [
        [
            times.day(entry.at_wall_ns),
            entry.actor.name,
            "-" if entry.actor == ANONYMOUS else entry.actor.role,
            entry.method or "-",
            entry.resource,
            entry.outcome,
            entry.peer,
        ]
        for entry in entries
    ]
    show_table(OUT, [*times.head("at"), "who", "role", "what", "of", "outcome", "from"], table)


class _DatabaseTokens:
    """Manages tokens in the database. The audit log names the actor of a change `local`."""

    def __init__(self, access: "Access") -> None:
        self._access = access

    def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        created = self._access.create_token(order, LOCAL.name, wall_ns())
        self._audit("AccessService/CreateToken", order.name)
        return created

    def tokens(self, show_ended: bool) -> Iterable[Token]:
        now_ns = wall_ns()
        return [token for token in self._access.tokens() if show_ended or token.is_valid(now_ns)]

    def revoke_token(self, token_id: int) -> Token:
        token = self._access.revoke_token(token_id, wall_ns())
        if token is None:
            raise PatrolError(f"there is no token {token_id}; `patrol token list` shows all")
        self._audit("AccessService/RevokeToken", f"tokens/{token_id}")
        return token

    def audit_entries(self, query: AuditQuery) -> Iterator[AuditEntry]:
        while page := self._access.entries(query):
            yield from page
            query = replace(query, before_id=page[-1].entry_id)

    def _audit(self, method: str, resource: str) -> None:
        self._access.note(AuditEntry(wall_ns(), LOCAL, method, resource, "OK", "command line"))


@contextmanager
def _token_access(
    settings: Settings, server: str, token: str, ca: Path | None, *, create: bool = False
) -> Iterator[TokenAccess]:
    """Open the engine at `server` if one is named, else the database of the configuration.

    `create`: create the database if there is none.
    """
    if server:
        with client_of(settings, server, token, ca) as client:
            yield client.access
        return
    with (open_to_write if create else open_to_read)(settings) as store:
        yield _DatabaseTokens(store.access)


def _end(token: Token, times: Times) -> str:
    if token.revoked_wall_ns:
        return f"revoked {times.day(token.revoked_wall_ns)}"
    return times.day(token.expires_wall_ns) if token.expires_wall_ns else "until revoked"
