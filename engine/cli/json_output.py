"""Prints JSON for programs: one object a line, in the dialect of the API (engine.serve.messages.proto_json)."""

import json
from typing import TYPE_CHECKING, Any

from engine.cli.options import OUT
from engine.model.registry import RowProblem

if TYPE_CHECKING:
    from google.protobuf.message import Message  # imported late: most commands print no JSON


def print_json(tree: Any) -> None:
    """Print a tree whose names are lowerCamelCase already."""
    OUT.out(json.dumps(tree, ensure_ascii=False), highlight=False)


def problem_json(problem: RowProblem) -> dict[str, object]:
    """Return what is wrong with a row of an import. `line`: of the file, from 1; 0 if there is none."""
    return {"line": problem.line, "column": problem.column, "value": problem.value, "message": problem.message}


def print_message(message: "Message") -> None:
    """Print a message of patrol.v1."""
    from engine.serve.messages.proto_json import message_json

    print_json(message_json(message))
