"""`patrol notices ...`: webhooks that wait or were given up, sent again, tried out."""

import json
from contextlib import closing
from typing import Annotated

import typer

from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, settings_of
from engine.clock import wall_ns
from engine.errors import ConfigError
from engine.model.notice import DeliveryState, PendingDelivery
from engine.terminal.formatting import day_text, utc_text
from engine.terminal.tables import show_table

app = typer.Typer(no_args_is_help=True, help="Notices (webhooks) of an engine, straight from its database.")
EndpointOption = Annotated[str, typer.Option(help="Only this endpoint.")]


@app.command("list")
def list_notices(
    dead: Annotated[bool, typer.Option("--dead", help="Those that were given up.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that wait.")] = False,
    endpoint: EndpointOption = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The latest so many.")] = 100,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What was delivered, waits or was given up, the latest first, by endpoint; and how much of it in all."""
    from engine.storage.db.store import Store

    if dead and waiting:
        raise ConfigError("--dead and --waiting: a notice is one or the other; give one of them, or neither for all")
    state = DeliveryState.DEAD if dead else DeliveryState.WAITING if waiting else None
    settings = settings_of(config)
    with closing(Store.open(settings.record.url)) as store:
        parcels = store.outbox.deliveries(state, endpoint, limit)
        backlogs = store.outbox.backlogs()
    if as_json:
        for one in parcels:
            OUT.out(json.dumps(_json(one), ensure_ascii=False), highlight=False)
        return
    columns = ["notice", "at", "kind", "region", "state", "attempts", "next", "error"]
    show_table(OUT, columns, [_row(one) for one in parcels])
    for name, backlog in sorted(backlogs.items()):
        since = f", the oldest since {day_text(backlog.oldest_wall_ns)}" if backlog.waiting else ""
        OUT.out(f"{name}: {backlog.waiting} wait{since}; {backlog.dead} given up", highlight=False)


@app.command("replay")
def replay(
    notices: Annotated[
        list[str] | None, typer.Argument(help="As `list` shows them: ENDPOINT/NUMBER; ENDPOINT alone: all of its dead.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    config: ConfigOption = None,
) -> None:
    """Send what was given up on its way again. Receivers know it by its id, which stays the same.

    Exit 1: some of them are not among those that were given up.
    """
    from engine.storage.db.store import Store

    if everything == bool(notices):
        raise ConfigError("replay: give notices as `patrol notices list --dead` shows them, or --all")
    wanted = [("", None)] if everything else [_named(name) for name in notices or ()]
    with closing(Store.open(settings_of(config).record.url)) as store:
        numbers = [store.outbox.replay(endpoint, seq, wall_ns()) for endpoint, seq in wanted]
    OUT.out(f"{sum(numbers)} on their way again", highlight=False)
    missing = [name for name, number in zip(notices or (), numbers, strict=False) if not number]
    for name in missing:
        ERR.out(f"{name}: is not among those that were given up", highlight=False)
    raise typer.Exit(1 if missing else 0)


@app.command("test")
def try_out(
    endpoint: Annotated[str, typer.Argument(help="Name of an endpoint in the configuration.")],
    config: ConfigOption = None,
) -> None:
    """Send an event of the type cn.kitchen-patrol.test.v1 to an endpoint, once, and say what came of it.

    Exit 1: it was not delivered.
    """
    from engine.notices.attempt import Outcome
    from engine.notices.cloud_events import trial_notice
    from engine.notices.webhook import send_once

    notices = settings_of(config).notices
    known = {one.name: one for one in notices.endpoints}
    if endpoint not in known:
        raise ConfigError(
            f"{endpoint!r}: no endpoint of this name; known: {', '.join(sorted(known)) or 'none'}; "
            "give one of them, or add it to [[notices.endpoints]]"
        )
    now_ns = wall_ns()
    answer = send_once(known[endpoint], trial_notice(endpoint, now_ns), notices.source, now_ns)
    OUT.out(f"{endpoint}: {answer.outcome}{': ' if answer.detail else ''}{answer.detail}", highlight=False)
    raise typer.Exit(0 if answer.outcome == Outcome.DELIVERED else 1)


def _named(name: str) -> tuple[str, int | None]:
    endpoint, slash, number = name.partition("/")
    if not endpoint or (slash and not (number.isascii() and number.isdecimal() and len(number) < 19)):
        raise ConfigError(f"{name!r}: is no notice; give ENDPOINT/NUMBER as `patrol notices list` shows it")
    return endpoint, int(number) if slash else None


def _row(parcel: PendingDelivery) -> list[str]:
    notice = parcel.notice
    waits = parcel.state == DeliveryState.WAITING and parcel.next_wall_ns
    return [
        parcel.name,
        day_text(notice.at_wall_ns),
        notice.kind,
        notice.region,
        str(parcel.state),
        str(parcel.attempts),
        day_text(parcel.next_wall_ns) if waits else "-",
        parcel.last_error or "-",
    ]


def _json(parcel: PendingDelivery) -> dict[str, object]:
    notice = parcel.notice
    return {
        "notice": parcel.name,
        "kind": notice.kind,
        "finding": f"findings/{notice.finding_id}" if notice.finding_id else None,
        "at": utc_text(notice.at_wall_ns),
        "region": notice.region,
        "state": parcel.state,
        "attempts": parcel.attempts,
        "queued": utc_text(parcel.queued_wall_ns),
        "next": utc_text(parcel.next_wall_ns),
        "last_error": parcel.last_error,
        "data": json.loads(notice.body),
    }
