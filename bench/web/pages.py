"""Measures pages over HTTP: the time to their first byte, and the script that a browser loads for each."""

import http.client
import re
import statistics
import time
from typing import Any

PAGES = {
    "today": "/",
    "wall": "/wall",
    "review": "/review",
    "camera": "/camera?id={camera}",
    "ledger": "/ledger",
    "kpis": "/kpis",
    "spot_checks": "/spot-checks",
    "scheduler": "/scheduler",
    "registry": "/registry",
    "access": "/access",
}
_REQUESTS = 100
_CALL_S = 30.0
_SCRIPT = re.compile(r'<script[^>]* src="([^"]+)"')
_HEADERS = {"Accept-Encoding": "gzip", "Accept-Language": "zh-CN"}


def measure(address: str, camera_id: str) -> dict[str, Any]:
    """Return the figures of all pages; `absent`: those that the console has not."""
    js_kb, absent = {}, []
    for name, path in PAGES.items():
        scripts = _scripts(address, "/console" + path.format(camera=camera_id))
        if scripts is None:
            absent.append(name)
        else:
            js_kb[name] = round(sum(_size(address, script) for script in scripts) / 1000, 1)
    times = [_first_byte_ms(address, "/console/") for _ in range(_REQUESTS)]
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return {
        "today_first_byte_ms_p50": round(statistics.median(times), 1),
        "today_first_byte_ms_p95": round(cuts[18], 1),
        "js_kb": js_kb,
        "js_kb_max": max(js_kb.values()),
        "absent": absent,
    }


def _first_byte_ms(address: str, path: str) -> float:
    connection = http.client.HTTPConnection(address, timeout=_CALL_S)
    try:
        connection.connect()
        began_s = time.perf_counter()
        connection.request("GET", path, headers=_HEADERS)
        reply = connection.getresponse()
        reply.read(1)
        taken_ms = 1e3 * (time.perf_counter() - began_s)
        reply.read()
    finally:
        connection.close()
    if reply.status != 200:
        raise SystemExit(f"{path}: HTTP {reply.status}")
    return taken_ms


def _scripts(address: str, path: str) -> list[str] | None:
    """Return the scripts of a page; None if there is no such page."""
    connection = http.client.HTTPConnection(address, timeout=_CALL_S)
    try:
        connection.request("GET", path, headers={"Accept-Language": "zh-CN"})
        reply = connection.getresponse()
        body = reply.read().decode()
    finally:
        connection.close()
    return sorted(set(_SCRIPT.findall(body))) if reply.status == 200 else None


def _size(address: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=_CALL_S)
    try:
        connection.request("GET", path, headers=_HEADERS)
        return len(connection.getresponse().read())
    finally:
        connection.close()
