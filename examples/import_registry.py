"""Adds the cameras of a CSV file to an engine with the generated stubs alone, and prints every bad row.

    python examples/import_registry.py cameras.csv [--server 127.0.0.1:7702] [--token TOKEN] [--keep-good]

Columns: camera_id, url, name, site_name, region. The stubs of other languages are similar: proto/patrol/v1/.
"""

import argparse
import csv
import os
import sys
from collections.abc import Iterator

import grpc

from patrol.v1 import cameras_pb2, cameras_pb2_grpc

ROWS_A_MESSAGE = 500


def requests(path: str, keep_good: bool) -> Iterator[cameras_pb2.ImportCamerasRequest]:
    """Yield the rows of the file in messages of ROWS_A_MESSAGE rows."""
    options = cameras_pb2.ImportOptions(keep_good=keep_good)
    message = cameras_pb2.ImportCamerasRequest(options=options)
    with open(path, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123 (plain for readers)
        for row in csv.DictReader(file):
            message.cameras.add(
                name=f"cameras/{row['camera_id']}",
                url=row["url"],
                display_name=row["name"],
                site_name=row["site_name"],
                region=row["region"],
            )
            if len(message.cameras) == ROWS_A_MESSAGE:
                yield message
                message = cameras_pb2.ImportCamerasRequest(options=options)
    yield message


def main() -> int:
    """Import the file; return the exit code: 1 if a row is bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--server", default="127.0.0.1:7702")
    parser.add_argument("--token", default=os.environ.get("PATROL_TOKEN", ""))
    parser.add_argument("--keep-good", action="store_true")
    arguments = parser.parse_args()
    metadata = (("authorization", f"Bearer {arguments.token}"),) if arguments.token else ()
    with grpc.insecure_channel(arguments.server) as channel:
        stub = cameras_pb2_grpc.CameraServiceStub(channel)  # type: ignore[no-untyped-call]
        reply = stub.ImportCameras(requests(arguments.file, arguments.keep_good), metadata=metadata, timeout=600)
    for problem in reply.problems:
        print(f"row {problem.index + 1}: {problem.field} {problem.value!r}: {problem.message}", file=sys.stderr)
    print(f"{reply.added} added, {reply.changed} changed, {reply.unchanged} unchanged, {reply.problems_total} problems")
    return 1 if reply.problems_total else 0


if __name__ == "__main__":
    sys.exit(main())
