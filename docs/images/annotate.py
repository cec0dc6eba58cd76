"""Draws docs/images/annotated.jpg: a photograph of scikit-image out of focus, judged and drawn as the engine does it.

`python docs/images/annotate.py`
"""

from pathlib import Path

from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.demo.clips import ClipPlan, clip
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.worker.process import measure, render_annotated

FILE = Path(__file__).with_name("annotated.jpg")
AT_WALL_NS = 1_772_438_400 * 10**9


def main() -> None:
    """Encode, measure, judge and draw one keyframe."""
    plan = ClipPlan(0, "motorcycle_left.png", 0.5, 704, 576, "libx264", "blurred")
    payload = clip(plan)[0]
    keyframe = Keyframe("13010200001320000002", 1, Codec.H264, payload, AT_WALL_NS, None, FeedKind.RTSP)
    decoder = Decoder()
    try:
        verdict, _ = judge_measurement(measure(decoder, keyframe), JudgeState(), JudgeSettings(), only_visit=True)
        picture = render_annotated(decoder, keyframe, verdict, 0, "切配间 第一中学食堂")
    finally:
        decoder.close()
    FILE.write_bytes(picture.jpeg)


if __name__ == "__main__":
    main()
