"""Receive notices: checks who signed them and when, and takes every event once, however often it comes.

python examples/webhook_receiver.py SECRET_FILE [PORT] [DATABASE]        # standard library only
"""

import base64
import hashlib
import hmac
import json
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

BODY_BYTES_MAX = 1 << 20
AGE_S_MAX = 300  # an old notice that somebody sends again is refused

SECRETS = [
    base64.b64decode(line.strip().removeprefix("whsec_"))
    for line in Path(sys.argv[1]).read_text().splitlines()
    if line.startswith("whsec_")
]
SEEN = sqlite3.connect(sys.argv[3] if len(sys.argv) > 3 else ":memory:")
SEEN.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, event TEXT NOT NULL)")


def signed_by_us(event_id: str, sent: str, signatures: str, body: bytes) -> bool:
    """Whether one of the signatures is ours, over id, time and body as they came: parse the JSON only afterwards."""
    if not sent.isdecimal() or abs(time.time() - int(sent)) > AGE_S_MAX:
        return False
    digests = (hmac.digest(secret, f"{event_id}.{sent}.".encode() + body, hashlib.sha256) for secret in SECRETS)
    wanted = [b"v1," + base64.b64encode(digest) for digest in digests]
    return any(hmac.compare_digest(given.encode(), one) for given in signatures.split() for one in wanted)


class Receiver(BaseHTTPRequestHandler):
    """POST of one event; 2xx means that it is safe with us, anything else has it sent again."""

    timeout = 30

    def do_POST(self) -> None:
        """Check, keep, answer."""
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), BODY_BYTES_MAX))
        event_id, sent, signatures = (
            self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not signed_by_us(event_id, sent, signatures, body):
            return self.answer(401)
        with SEEN:  # the answer goes out only after the commit
            new = SEEN.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (event_id, body.decode())).rowcount
        event = json.loads(body)
        print("new" if new else "known", event["type"], event["subject"], flush=True)
        return self.answer(204)

    def answer(self, status: int) -> None:
        """Only a status: nobody reads more."""
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
