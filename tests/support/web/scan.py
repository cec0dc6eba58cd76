"""Every route of the console with the fields that it reads, and a sender of requests that no browser would send."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from engine.web.console.app import build_console
from engine.web.console.languages import CODES
from tests.support.web.console import HERE, THERE, World

_TODAY = "region show all whole"
_LEDGER = "region level state severity kind overdue supervised since until q site camera order page_token print"
_WALL = "region site_id q key_point state kind severity age_h since order size page_token"
_KPIS = "region period from to shown by times rate page_token"
_DIGEST = "region period from to shown length language date"
_QUEUE = "region level kind overdue supervised"
_REGISTRY = "query region canteen key_point disabled push page_token deleted"
_ROW = (
    "display_name url site_id site_name region uplink hours platform_status key_point site_kind required push disabled"
)
_DRAW = "size seed region check_now request_id digest"
_FINDING = "finding step expected_number why request_id"

GETS: Mapping[str, str] = {
    "/signin": "next",
    "/alive": "",
    "/assets/{hash}/{name:path}": "",
    "/": _TODAY,
    **{f"/today/{part}": _TODAY for part in ("rates", "areas", "worse", "urgent", "health")},
    "/wall": _WALL,
    "/wall/cameras.json": f"{_WALL} id",
    "/wall/thumbnails": "id etag side",
    "/wall/live": "region site_id after",
    "/review": f"{_QUEUE} finding done number event",
    "/review/list": _QUEUE,
    "/ledger": _LEDGER,
    "/ledger.csv": _LEDGER,
    "/finding": "finding pictures done",
    "/finding/now": "finding seen",
    "/finding/actions": "finding",
    "/finding/pictures": "finding",
    "/pictures/photograph.jpg": "finding event sha256",
    "/kpis": _KPIS,
    "/kpis/table.csv": _KPIS,
    "/kpis/league": _KPIS,
    "/kpis/league.csv": _KPIS,
    "/kpis/digest": _DIGEST,
    "/kpis/digest.html": _DIGEST,
    "/spot-checks": "",
    "/spot-check": "draw county page print differs visited",
    "/spot-check.csv": "draw",
    "/registry": _REGISTRY,
    "/registry/disagreement": _REGISTRY,
    "/registry/export.csv": _REGISTRY,
    "/registry/add": "",
    "/registry/import": "",
    "/registry/import/rows": "upload all from",
    "/scheduler": "",
    "/scheduler/config": "section",
    "/scheduler/rehearsal": "name",
    "/access": "ended page_token",
    "/access/audit": "actor method changes_only from to page_token",
    "/pictures/thumbnail.jpg": "id side",
    "/pictures/camera.jpg": "id verdict side annotated sha256",
    "/pictures/finding.jpg": "finding which event side annotated",
    "/camera": "id checked done",
    "/camera/now": "id",
    "/camera/figures": "id page_token",
    "/camera/figures.json": "id",
    "/camera/edit": "id",
    "/camera/reset": "id",
    "/camera/delete": "id",
    "/canteen": "id done",
    "/canteen/edit": "id",
}
"""Fields of the query by path."""
POSTS: Mapping[str, str] = {
    "/signin": "next secret",
    "/signout": "",
    "/choose": "language theme back",
    "/review/act": f"{_QUEUE} finding action number why reason request_id",
    "/review/viewing": "finding left",
    "/review/batch": f"{_QUEUE} action target why reason request_id",
    "/finding/act": f"{_FINDING} photographs",
    "/spot-checks/preview": _DRAW,
    "/spot-checks/draw": _DRAW,
    "/registry/add": f"camera_id {_ROW} request_id",
    "/registry/import": "file",
    "/registry/import/apply": "upload keep_good",
    "/scheduler/pause": "scope value reason end_time",
    "/scheduler/resume": "scope value",
    "/scheduler/config/check": "toml value.scheduler.key_period_s",
    "/scheduler/config/apply": "toml revision",
    "/scheduler/rehearse": "toml hours",
    "/scheduler/rehearsal/end": "name",
    "/access/create": "display_name role region expire_time",
    "/access/revoke": "token",
    "/camera/check": "id",
    "/camera/edit": f"id {_ROW} request_id {' '.join('was_' + name for name in _ROW.split())}",
    "/camera/pause": "id reason end",
    "/camera/resume": "id",
    "/camera/reset": "id",
    "/camera/delete": "id typed",
    "/canteen/edit": "id address contact_name contact_phone latitude longitude request_id",
}
"""Fields of the form by path."""
SECRET = "邻县秘密"
"""Name of the camera `secret` and of its canteen, in the county THERE."""
ANONYMOUS = ("/signin", "/signout", "/choose", "/alive", "/assets/{hash}/{name:path}")
USUAL: Mapping[str, str] = {
    "id": "c1", "finding": "1", "draw": "1", "step": "acknowledge", "action": "acknowledge", "target": "1-1",
    "why": "so", "reason": "so", "camera_id": "new", "url": "rtsp://h/1", "size": "1", "etag": "-", "event": "1",
    "display_name": "n", "key_point": "other", "site_kind": "other", "back": "/", "next": "/", "value": "13",
    "typed": "c1", "sha256": "0" * 64,
}  # fmt: skip
"""What a field has while another one is tried."""


TEXTS = (
    "=1+1<script>alert(1)</script>",
    '@x"><img src=x onerror=alert(1)>',
    "+1 {{7*7}}{% raw %}",
    "-1 %(x)s %s %d 100%",
)
"""Names that would do something if they were more than text."""
WRONG = (
    "../../etc/passwd\x00",
    "\x1b[31m\x7f\u202e\u2028",
    "x" * 9000,
    "--5",
    "99999999999999999999",
    "0001-01-01",
    "//[%(x)s{{7*7}}<b>",
)
"""Values that hardly any field takes."""


class _Parts:
    """As much of a console as makes its routes."""

    screens: Sequence[Any] = ()
    map = closing = metrics = None

    def endpoint(self, name: str, handler: Any, **_: Any) -> Any:
        async def answer(_: Any) -> None:
            raise AssertionError(name, handler)

        return answer


def routes() -> set[tuple[str, str]]:
    """Return method and path of every route of the console's application."""
    app: Any = build_console(_Parts())  # type: ignore[arg-type]
    found = {(method, route.path) for route in app._app.routes for method in route.methods or ()}
    return {(method, path) for method, path in found if method != "HEAD"}


class Attacker:
    """Sends one request after the other; no cookie but `cookie` goes along, and none is kept."""

    def __init__(self, address: str, cookie: str = "", form_token: str = "", language: str = CODES[1]) -> None:
        self.cookie = cookie
        self.form_token = form_token
        self.origin = f"http://{address}"
        self._language = language
        self._http = httpx.Client(base_url=f"{self.origin}/console", timeout=20)

    def close(self) -> None:
        self._http.close()

    def headers(self, **more: str) -> dict[str, str]:
        cookie = {"Cookie": f"patrol_session={self.cookie}"} if self.cookie else {}
        return {"Accept-Language": self._language, **cookie, **more}

    def get(self, path: str, query: Any = None, **headers: str) -> httpx.Response:
        """Load a page; of a stream only its head."""
        self._http.cookies.clear()
        if path == "/wall/live":
            with self._http.stream("GET", path, params=query, headers=self.headers(**headers)) as reply:
                if reply.headers.get("content-type", "").startswith("text/event-stream"):
                    return httpx.Response(reply.status_code, headers=reply.headers, text="")
                reply.read()
                return reply
        return self._http.get(path, params=query or None, headers=self.headers(**headers))

    def post(self, path: str, fields: Mapping[str, Any], files: Any = None, **headers: str) -> httpx.Response:
        """Send a form; with its own token, unless it has another one."""
        self._http.cookies.clear()
        data = {"form_token": self.form_token, **fields}
        headers = {"Origin": self.origin, **headers}
        return self._http.post(path, data=data, files=files, headers=self.headers(**headers))

    def raw(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """Send a body as it is."""
        self._http.cookies.clear()
        return self._http.post(path, content=body, headers=self.headers(**headers))

    def send(self, method: str, path: str, fields: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Send the fields in query or form; what a form has as a file, it gets as one."""
        path = path.replace("{hash}/{name:path}", "0/console.css")
        if method == "GET":
            return self.get(path, fields, **headers)
        files = {name: ("a.csv", fields[name]) for name in ("file", "photographs") if name in fields}
        rest = {name: value for name, value in fields.items() if name not in files}
        return self.post(path, rest, files or None, **headers)


def there(world: World) -> tuple[list[tuple[str, dict[str, str]]], list[tuple[str, dict[str, str]]]]:
    """Return addresses and forms about things of the other county."""
    hub = world.served.hub
    number = str(next(n for n, finding in hub.ledger.all.items() if finding.subject.camera_id == "secret"))
    camera, canteen, finding = {"id": "secret"}, {"id": "secretsite"}, {"finding": number}
    gets = [(path, camera) for path in GETS if path.startswith("/camera")]
    gets += [(f"/pictures/{name}.jpg", camera) for name in ("thumbnail", "camera")]
    gets += [("/canteen", canteen), ("/canteen/edit", canteen), ("/canteen", {"id": f"{THERE}/{SECRET}"})]
    gets += [(path, finding) for path in GETS if path.startswith("/finding")] + [("/review", finding)]
    gets += [("/pictures/finding.jpg", {**finding, "which": w}) for w in ("evidence", "baseline", "last_good")]
    gets += [("/pictures/photograph.jpg", {**finding, "event": "1", "sha256": "0" * 64})]
    gets += [(path, {"region": THERE}) for path in GETS if path == "/" or path.startswith(("/today/", "/kpis"))]
    gets += [(path, {}) for path in GETS if path.startswith(("/scheduler", "/access"))]
    posts = [(path, camera) for path in ("/camera/check", "/camera/resume", "/camera/reset")]
    posts += [("/camera/pause", {**camera, "reason": "x"}), ("/camera/delete", {**camera, "typed": "secret"})]
    row = {"url": "rtsp://h/9", "region": HERE, "key_point": "other", "site_kind": "other"}
    posts += [("/camera/edit", {**camera, **row}), ("/registry/add", {**row, "camera_id": "new", "region": THERE})]
    posts += [("/canteen/edit", {**canteen, "address": "x"})]
    steps = ("acknowledge", "claim", "supervise", "close", "dismiss", "reopen")
    posts += [("/finding/act", {**finding, "step": step, "why": "x", "expected_number": "1"}) for step in steps]
    posts += [("/review/act", {**finding, "action": name, "why": "x"}) for name in steps if name != "close"]
    posts += [("/review/viewing", finding), ("/spot-checks/draw", {"size": "1", "region": THERE})]
    posts += [("/scheduler/pause", {"scope": "camera", "value": "secret", "reason": "x"})]
    posts += [("/scheduler/pause", {"scope": "region", "value": THERE, "reason": "x"})]
    posts += [("/scheduler/resume", {"scope": "region", "value": THERE})]
    return gets, posts
