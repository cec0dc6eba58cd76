"""Runs the HTTP gateway in a thread, in front of an engine that runs elsewhere."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from engine.config import Settings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.web import process


@contextmanager
def gateway(engine: str, ca: bytes = b"", serve: ServeSettings | None = None, **settings: Any) -> Iterator[str]:
    """Run it with these settings of [web] and [serve]; yields its address. `engine`: gRPC address."""
    web = WebSettings(**{"listen": "127.0.0.1:0", **settings})
    chosen = Settings(web=web, serve=serve or ServeSettings())
    ready = threading.Event()
    stops: list[Callable[[], object]] = []
    address = ""

    def watch(stop: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop))

    def on_ready(bound: str) -> None:
        nonlocal address
        address = bound
        ready.set()

    thread = threading.Thread(target=process.serve, args=(chosen, engine, ca, on_ready, watch), name="gateway")
    thread.start()
    try:
        assert ready.wait(10), "the gateway did not start"
        yield address
    finally:
        for stop in stops:
            stop()
        thread.join(10)
        assert not thread.is_alive(), "the gateway did not stop"


@contextmanager
def caller(address: str, token: str = "", **more: Any) -> Iterator[httpx.Client]:
    """Yield an HTTP client of the gateway."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=f"http://{address}", headers=headers, timeout=20, **more) as client:
        yield client


def reason(reply: httpx.Response) -> str:
    """Return the reason in the ErrorInfo of an error."""
    details = reply.json()["error"].get("details", [])
    return next((str(detail["reason"]) for detail in details if detail["@type"].endswith("ErrorInfo")), "")


def fields(reply: httpx.Response) -> list[str]:
    """Return the fields that an error names."""
    details = reply.json()["error"].get("details", [])
    return [item["field"] for detail in details for item in detail.get("fieldViolations", ())]
