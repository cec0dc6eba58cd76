"""What a library in C writes to stderr past every logger comes out as lines of the log."""

import json
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
