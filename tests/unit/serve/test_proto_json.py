"""JSON of messages: what Protocol Buffers' own library reads back, in the names and types of proto3."""

from google.protobuf.json_format import ParseDict

from engine.model.measurement import Scores
from engine.model.verdict import FaultKind, State, Verdict
from engine.serve.messages.checks import check_message
from engine.serve.messages.convert import verdict_message
from engine.serve.messages.proto_json import message_json, time_json
from patrol.v1 import patrol_pb2, verdicts_pb2

VERDICT = Verdict(
    "c/1", 7, 1_700_000_000_123_000_000, State.FAULT, (FaultKind.TOO_DARK,), scores=Scores(1.5, None, 0.0),
    figures={"luma_mean": 2.0}, width=640, height=480,
)  # fmt: skip


def test_a_message_comes_back_unchanged_and_leaves_out_its_defaults() -> None:
    message = verdict_message(VERDICT)
    tree = message_json(message)
    assert ParseDict(tree, verdicts_pb2.Verdict()) == message
    assert (tree["name"], tree["visitTime"]) == ("cameras/c%2F1/verdicts/7", "2023-11-14T22:13:20.123Z")
    assert (tree["state"], tree["kinds"]) == ("VERDICT_STATE_FAULT", ["FAULT_KIND_TOO_DARK"])
    assert tree["scores"] == {"sharpness": 1.5, "occlusion": 0.0}
    assert tree["figures"] == {"luma_mean": 2.0}
    assert "reason" not in tree


def test_64_bit_integers_are_strings() -> None:
    status = patrol_pb2.PatrolStatus(cameras=2**60, machine=patrol_pb2.MachineStatus(visits_in_flight=3))
    assert message_json(status) == {"cameras": str(2**60), "machine": {"visitsInFlight": 3}}


def test_a_check_has_its_outcome_and_its_verdict_if_there_is_one() -> None:
    with_verdict = message_json(check_message("c", "verdict", VERDICT))
    assert with_verdict["outcome"] == "CHECK_OUTCOME_VERDICT"
    assert with_verdict["verdict"]["width"] == 640
    assert message_json(check_message("c", "not_found", None)) == {
        "camera": "cameras/c", "outcome": "CHECK_OUTCOME_NOT_FOUND",
    }  # fmt: skip


def test_times_are_utc_and_never_is_none() -> None:
    assert time_json(0) is None
    assert time_json(1_700_000_000_000_000_000) == "2023-11-14T22:13:20Z"
