"""`patrol notices ...`: lists webhook deliveries, sends dead ones again, and tests an endpoint."""

import json
from typing import Annotated

import typer

from engine.cli import exit_codes
from engine.cli.database import open_to_read
from engine.cli.json_output import print_json
from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, UtcOption, settings_of, times_of
from engine.clock import wall_ns
from engine.errors import ConfigError
from engine.model.notice import DeliveryState, PendingDelivery
from engine.terminal.tables import show_table
from engine.terminal.times import Times

app = typer.Typer(no_args_is_help=True, help="Notices (webhooks) of an engine, read from its database.")
EndpointOption = Annotated[str, typer.Option(help="Only this endpoint.")]


@app.command("list")
def list_notices(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for delivery.")] = False,
    endpoint: EndpointOption = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most notices to show; the latest are shown.")] = 100,
    utc: UtcOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List notices that were delivered, wait or were given up, latest first, with totals by endpoint."""
    if dead and waiting:
        raise ConfigError("--dead and --waiting: give one of them, or neither for all notices")
    state = DeliveryState.DEAD if dead else DeliveryState.WAITING if waiting else None
    settings = settings_of(config)
    with open_to_read(settings) as store:
        deliveries = store.outbox.deliveries(state, endpoint, limit)
        backlogs = store.outbox.backlogs()
    if as_json:
        for delivery in deliveries:
            print_json(_json(delivery))
        return
    times = times_of(settings, utc)
    columns = ["notice", *times.head("at"), "kind", "region", "state", "attempts", *times.head("next"), "error"]
    show_table(OUT, columns, [_row(delivery, times) for delivery in deliveries])
    for name, backlog in sorted(backlogs.items()):
        since = f", the oldest since {times.sentence(backlog.oldest_wall_ns)}" if backlog.waiting else ""
        OUT.out(f"{name}: {backlog.waiting} wait{since}; {backlog.dead} given up", highlight=False)


@app.command("replay")
def replay(
    notices: Annotated[
        list[str] | None,
        typer.Argument(help="ENDPOINT/NUMBER as `list` shows it; ENDPOINT alone: all its dead ones."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All notices that were given up.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send notices again that were given up. They keep their ids, so receivers recognise them.

    Exit 1: some of the notices named were not given up.
    """
    if everything == bool(notices):
        raise ConfigError("replay: give notices as `patrol notices list --dead` shows them, or --all")
    selected = [("", None)] if everything else [_parse_name(name) for name in notices or ()]
    with open_to_read(settings_of(config)) as store:
        numbers = [store.outbox.replay(endpoint, seq, wall_ns()) for endpoint, seq in selected]
    missing = [name for name, number in zip(notices or (), numbers, strict=False) if not number]
    if as_json:
        print_json({"queued": sum(numbers), "missing": missing})
    else:
        OUT.out(f"{sum(numbers)} queued again", highlight=False)
        for name in missing:
            ERR.out(f"{name}: not among the notices that were given up", highlight=False)
    raise typer.Exit(exit_codes.NO if missing else exit_codes.OK)


@app.command("test")
def try_out(
    endpoint: Annotated[str, typer.Argument(help="Name of an endpoint in the configuration.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send one event of the type cn.kitchen-patrol.test.v1 to an endpoint, once, and show the outcome.

    Exit 1: it was not delivered.
    """
    from engine.hub.webhook_addresses import is_refused
    from engine.notices.attempt import Outcome
    from engine.notices.cloud_events import trial_notice
    from engine.notices.webhook import send_once

    notices = settings_of(config).notices
    endpoints = {each.name: each for each in notices.endpoints}
    if endpoint not in endpoints:
        raise ConfigError(
            f"{endpoint!r}: there is no endpoint of this name; known: {', '.join(sorted(endpoints)) or 'none'}; "
            "give one of them, or add it to [[notices.endpoints]]"
        )
    now_ns = wall_ns()
    answer = send_once(endpoints[endpoint], trial_notice(endpoint, now_ns), notices.source, now_ns, is_refused)
    if as_json:
        print_json({"endpoint": endpoint, "outcome": answer.outcome, "detail": answer.detail})
    else:
        OUT.out(f"{endpoint}: {answer.outcome}{': ' if answer.detail else ''}{answer.detail}", highlight=False)
    raise typer.Exit(exit_codes.OK if answer.outcome == Outcome.DELIVERED else exit_codes.NO)


def _parse_name(name: str) -> tuple[str, int | None]:
    endpoint, slash, number = name.partition("/")
    if not endpoint or (slash and not (number.isascii() and number.isdecimal() and len(number) < 19)):
        raise ConfigError(f"{name!r}: not the name of a notice; give ENDPOINT/NUMBER as `patrol notices list` shows it")
    return endpoint, int(number) if slash else None


def _row(delivery: PendingDelivery, times: Times) -> list[str]:
    notice = delivery.notice
    waits = delivery.state == DeliveryState.WAITING and delivery.next_wall_ns
    return [
        delivery.name,
        times.day(notice.at_wall_ns),
        notice.kind,
        notice.region,
        str(delivery.state),
        str(delivery.attempts),
        times.day(delivery.next_wall_ns) if waits else "-",
        delivery.last_error or "-",
    ]


def _json(delivery: PendingDelivery) -> dict[str, object]:
    """Return a delivery as JSON. `data` is what the receiver gets, in its own words (docs/notices.md)."""
    from engine.serve.messages.proto_json import time_json

    notice = delivery.notice
    return {
        "notice": delivery.name,
        "kind": notice.kind,
        "finding": f"findings/{notice.finding_id}" if notice.finding_id else None,
        "time": time_json(notice.at_wall_ns),
        "region": notice.region,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "queueTime": time_json(delivery.queued_wall_ns),
        "nextTime": time_json(delivery.next_wall_ns),
        "lastError": delivery.last_error,
        "data": json.loads(notice.body),
    }
