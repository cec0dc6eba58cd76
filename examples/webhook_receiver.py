"""Receives notices: checks their signature and age, and stores every event once, however often it comes.

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
AGE_S_MAX = 300  # refuses a replay of an old notice

SECRETS = [
    base64.b64decode(line.strip().removeprefix("whsec_"))
    for line in Path(sys.argv[1]).read_text().splitlines()
    if line.startswith("whsec_")
]
SEEN = sqlite3.connect(sys.argv[3] if len(sys.argv) > 3 else ":memory:")
SEEN.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, event TEXT NOT NULL)")


def is_signed(event_id: str, sent: str, signatures: str, body: bytes) -> bool:
    """Whether one of the signatures is valid, over id, time and raw body: parse the JSON only afterwards."""
    if not sent.isdecimal() or abs(time.time() - int(sent)) > AGE_S_MAX:
        return False
    digests = (hmac.digest(secret, f"{event_id}.{sent}.".encode() + body, hashlib.sha256) for secret in SECRETS)
    valid = [b"v1," + base64.b64encode(digest) for digest in digests]
    return any(hmac.compare_digest(given.encode(), signature) for given in signatures.split() for signature in valid)


class Receiver(BaseHTTPRequestHandler):
    """Handles the POST of one event; 2xx means that it is stored, anything else makes the engine send it again."""

    timeout = 30

    def do_POST(self) -> None:
        """Check, store, answer."""
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), BODY_BYTES_MAX))
        event_id, sent, signatures = (
            self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not is_signed(event_id, sent, signatures, body):
            return self.answer(401)
        with SEEN:  # the answer goes out only after the commit
            new = SEEN.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (event_id, body.decode())).rowcount
        event = json.loads(body)
        print("new" if new else "known", event["type"], event["subject"], flush=True)
        return self.answer(204)

    def answer(self, status: int) -> None:
        """Send only a status: the engine reads no more."""
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
