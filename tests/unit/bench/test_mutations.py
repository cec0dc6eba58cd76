"""bench.mutations: the same seed damages in the same way, and no damaged picture is called a fault."""

import random
from collections import Counter
from functools import cache

import pytest

from bench.mutations.mutate import KINDS, mutate
from bench.mutations.originals import Original, originals
from bench.mutations.run import Inputs, judge_answer
from bench.mutations.workers import Answer
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.visit import FeedKind
from engine.worker.process import measure
from engine.worker.wire import Failed

INPUTS = 240


@cache
def some() -> list[Original]:
    return originals(None, scenes=2)


def outcome(decoder: Decoder, inputs: Inputs, number: int) -> str:
    original, mutant = inputs[number]
    keyframe = Keyframe("camera", number, original.codec, mutant.payload, number, None, FeedKind.GATEWAY)
    try:
        answer = Answer(number, measure(decoder, keyframe))
    except DecodeError as error:
        answer = Answer(number, Failed(error.reason, str(error)))
    judged = judge_answer(answer, original)
    return judged.word if judged.word != "fault" else f"{number} {mutant.kind} {original.name}: {judged.detail}"


def test_the_originals_are_of_every_codec_and_no_fault() -> None:
    assert {original.codec for original in some()} == set(Codec)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_within_the_bounds_of_a_payload(kind: str) -> None:
    for original in some():
        once, again = (
            KINDS[kind](original.codec, original.payload, original.other, random.Random(kind)) for _ in range(2)
        )
        assert once == again
        assert len(mutate(original.codec, original.payload, original.other, random.Random(1)).payload) <= (
            PAYLOAD_BYTES_MAX
        )


def test_damaged_keyframes_are_never_a_fault() -> None:
    decoder = Decoder()
    inputs = Inputs(some(), seed=1)
    outcomes = Counter(outcome(decoder, inputs, number) for number in range(INPUTS))
    decoder.close()
    assert set(outcomes) <= {"ok", "unknown", "flagged", "refused"}, "withheld would be damage that was not found"
    assert outcomes["flagged"] + outcomes["refused"] > INPUTS // 2
