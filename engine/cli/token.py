"""`patrol token ...`, `patrol audit`: who may call, and what they changed."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Protocol

import typer

from engine.cli.options import (
    ERR,
    OUT,
    CaOption,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    client_of,
    settings_of,
)
from engine.clock import NS_PER_S, wall_ns
from engine.config import Settings
from engine.errors import ConfigError, PatrolError
from engine.model.access import Actor, AuditEntry, AuditQuery, Role, Token, TokenOrder
from engine.terminal.formatting import day_text
from engine.terminal.tables import show_table

app = typer.Typer(no_args_is_help=True, help="Bearer tokens of the API: in the database, engine running or not.")

_DAY_NS = 86_400 * NS_PER_S
_OPERATOR = Actor("local", Role.ADMIN)


class TokenAccess(Protocol):
    """Where tokens are made: the database itself, or an engine elsewhere by its API."""

    def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        """A new token, and its secret."""

    def tokens(self, show_ended: bool) -> Iterable[Token]:
        """Tokens by number."""

    def revoke_token(self, token_id: int) -> Token:
        """The token holds no longer."""

    def audit_entries(self, query: AuditQuery) -> Iterable[AuditEntry]:
        """Changes, newest first."""


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who it is for; stands in the ledger and the audit log.")],
    role: Annotated[Role, typer.Option(help="What it may do; each role may what those before it may.")],
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix of what it sees and may touch; empty: all.")] = "",
    expires: Annotated[float, typer.Option(help="Days until it expires; 0: never.", min=0)] = 0.0,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """Make a token; it is shown this once, on standard output. A running engine takes it within seconds."""
    if not name.strip() or len(name) > 64 or "/" in name:
        raise ConfigError(f"--name {name!r}: allowed: 1 to 64 characters, none of them `/`")
    if len(region) > 6 or (region and not region.isdecimal()):
        raise ConfigError(f"--region {region!r}: allowed: up to 6 digits of a GB/T 2260 code")
    expires_ns = wall_ns() + round(expires * _DAY_NS) if expires else 0
    with _office(settings_of(config), server, token, ca) as office:
        made, secret = office.create_token(TokenOrder(name.strip(), role, region, expires_ns))
    ERR.out(
        f"token {made.token_id} of {made.name}, {made.role}, region {made.region or 'all'}; it is shown this once:",
        highlight=False,
    )
    OUT.out(secret, highlight=False)


@app.command("list")
def list_tokens(
    ended: Annotated[bool, typer.Option("--all", help="Those that are revoked or expired, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """The tokens there are."""
    with _office(settings_of(config), server, token, ca) as office:
        tokens = list(office.tokens(ended))
    if as_json:
        for one in tokens:
            OUT.out(json.dumps(asdict(one), ensure_ascii=False), highlight=False)
        return
    table = [
        [
            str(one.token_id),
            one.name,
            one.role,
            one.region or "all",
            day_text(one.created_wall_ns),
            one.creator,
            _end(one),
        ]
        for one in tokens
    ]
    show_table(OUT, ["token", "name", "role", "region", "made", "by", "holds"], table)


@app.command("revoke")
def revoke(
    token_id: Annotated[
        int, typer.Argument(help="Its number, as `patrol token list` shows it.", metavar="TOKEN", min=1)
    ],
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """The token holds no longer; calls under way with it end within seconds."""
    with _office(settings_of(config), server, token, ca) as office:
        one = office.revoke_token(token_id)
    OUT.out(f"token {one.token_id} of {one.name} holds no longer", highlight=False)


def audit(
    actor: Annotated[str, typer.Option(help="Only what this token did.")] = "",
    method: Annotated[str, typer.Option(help="Only this call, such as CameraService/DeleteCamera.")] = "",
    days: Annotated[float, typer.Option(help="Only the last so many days; 0: all that is kept.", min=0)] = 0.0,
    rows: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 100,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    server: ServerOption = "",
    token: TokenOption = "",
    ca: CaOption = None,
) -> None:
    """What was changed, when, by whom, and what came of it; newest first."""
    from_ns = wall_ns() - round(days * _DAY_NS) if days else 0
    query = AuditQuery(actor=actor, method=method, from_wall_ns=from_ns, page_size=min(rows, 1000))
    with _office(settings_of(config), server, token, ca) as office:
        entries = [one for one, _ in zip(office.audit_entries(query), range(rows), strict=False)]
    if as_json:
        for one in entries:
            OUT.out(json.dumps(asdict(one), ensure_ascii=False), highlight=False)
        return
    table = [
        [day_text(one.at_wall_ns), one.actor.name, one.actor.role, one.method, one.resource, one.outcome, one.peer]
        for one in entries
    ]
    show_table(OUT, ["at", "who", "role", "what", "of", "outcome", "from"], table)


class _DatabaseTokens:
    """The database itself. What is changed goes to the audit log as done by local."""

    def __init__(self, settings: Settings) -> None:
        from engine.storage.db.store import Store

        self._store = Store.open(settings.record.url)
        self._access = self._store.access

    def close(self) -> None:
        self._store.close()

    def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        made = self._access.create_token(order, _OPERATOR.name, wall_ns())
        self._note("AccessService/CreateToken", order.name)
        return made

    def tokens(self, show_ended: bool) -> Iterable[Token]:
        now_ns = wall_ns()
        return [one for one in self._access.tokens() if show_ended or one.is_valid(now_ns)]

    def revoke_token(self, token_id: int) -> Token:
        token = self._access.revoke_token(token_id, wall_ns())
        if token is None:
            raise PatrolError(f"there is no token {token_id}; `patrol token list` names those there are")
        self._note("AccessService/RevokeToken", f"tokens/{token_id}")
        return token

    def audit_entries(self, query: AuditQuery) -> Iterator[AuditEntry]:
        while page := self._access.entries(query):
            yield from page
            query = replace(query, before_id=page[-1].entry_id)

    def _note(self, method: str, resource: str) -> None:
        self._access.note(AuditEntry(wall_ns(), _OPERATOR, method, resource, "OK", "command line"))


@contextmanager
def _office(settings: Settings, server: str, token: str, ca: Path | None) -> Iterator[TokenAccess]:
    """The engine at `server` if one is named, else the database of the configuration."""
    if server:
        with client_of(settings, server, token, ca) as client:
            yield client.access
        return
    book = _DatabaseTokens(settings)
    try:
        yield book
    finally:
        book.close()


def _end(token: Token) -> str:
    if token.revoked_wall_ns:
        return f"revoked {day_text(token.revoked_wall_ns)}"
    return day_text(token.expires_wall_ns) if token.expires_wall_ns else "until revoked"
