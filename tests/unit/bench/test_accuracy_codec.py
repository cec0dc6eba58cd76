"""bench.accuracy's encoders: a keyframe takes its share of the bit rate, whatever is in the picture."""

import math

import numpy as np
import pytest

from bench.accuracy.imaging.codec import QP_MAX, QP_MIN, Coding, keyframe
from engine.model.keyframe import Codec

_SHAPE = (192, 256)


def _room() -> np.ndarray:
    """Shelves and things on them: edges and plain colours."""
    random = np.random.default_rng(4)
    blocks = np.kron(random.uniform(30, 220, (12, 16, 3)), np.ones((16, 16, 1)))
    y, x = np.mgrid[: _SHAPE[0], : _SHAPE[1]]
    room: np.ndarray = blocks + 12 * np.sin(x / 3.0 + y / 5.0)[..., None]
    return room


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("noise", [0.0, 3.0, 12.0, 40.0])
@pytest.mark.parametrize("first_qp", [QP_MIN, 30, QP_MAX])
def test_an_encoder_settles_at_the_size_that_it_may_take_also_where_noise_vanishes_at_once(
    codec: Codec, noise: float, first_qp: int
) -> None:
    grain = np.random.default_rng(1).standard_normal((*_SHAPE, 3))
    picture = np.clip(_room() + noise * grain, 0, 255).astype(np.uint8)
    coding = Coding(codec, 128, 0.2)
    payload, qp = keyframe(coding, picture, first_qp, 8)
    excess = math.log2(len(payload) / coding.keyframe_bytes)
    finer, _ = keyframe(coding, picture, qp - 1, 1)
    coarser, _ = keyframe(coding, picture, qp + 1, 1)
    # One step of the quantiser is the least that it can change.
    assert abs(excess) < 0.2 or len(coarser) <= coding.keyframe_bytes <= len(finer)
