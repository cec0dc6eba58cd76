"""What a library in C writes to stderr past every logger comes out as lines of the log."""

import json
import os
import subprocess
import sys

SCRIPT = """
import os, sys
from engine.runtime.log import configure_logging, logger
from engine.supervisor.child_stderr import own_stderr
with own_stderr("web") as stream:
    configure_logging("info", "json", "web", stream)
    os.write(2, b"E0000 chttp2_server.cc:1] No address added\\n")
    logger().info("ready")
print("plain again", file=sys.stderr)
"""


def test_plain_lines_of_a_library_become_lines_of_the_log() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    *logged, last = ran.stderr.splitlines()
    events = {event["event"]: event for event in map(json.loads, logged)}
    assert events["stderr"]["line"] == "E0000 chttp2_server.cc:1] No address added"
    assert events["stderr"]["name"] == "web"
    assert events["ready"]["process"] == "web"
    assert last == "plain again"


COUNTING = """
import os, time
from engine.runtime.log import configure_logging
from engine.supervisor.child_stderr import ChildStderr
configure_logging("info", "json", "x")
lines, (readable, writable) = ChildStderr(), os.pipe()
lines.follow("hub", os.fdopen(readable, "rb"))
for line in (
    "W1129 19:59:24.445577   16192 log.cc:102] Log level INFO is not suitable for production. Prefer WARNING or ERROR.",
    "I1129 19:59:24.474783   16203 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: error:1",
    "I1129 19:59:24.997982   16202 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: error:2",
    "I1129 19:59:25.000001   16202 server.cc:1] something that INFO says",
    "E1129 19:59:25.000002   16202 server.cc:1] something that matters",
):
    os.write(writable, line.encode() + b"\\n")
os.close(writable)
lines.close()
print(lines.drain_handshakes_failed(), lines.drain_handshakes_failed())
"""


def test_failed_handshakes_of_grpc_are_counted_and_its_chatter_is_left_out() -> None:
    quiet = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    ran = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, text=True, timeout=60, env=quiet)
    assert ran.stdout.split() == ["2", "0"], ran.stderr
    assert [json.loads(line)["line"].rpartition("] ")[2] for line in ran.stderr.splitlines()] == [
        "something that matters"
    ]
