"""CPU of all figures of one 1080p 8-bit picture, beside OpenCV's Laplacian variance plus histogram on one thread.

    python -m bench.kernels [--json] [--record] [--rounds N] [--data DIR]

`fused_ms`: every figure, score, the tile map and the signature. `luma_ms`, `chroma_ms`: the passes alone. `opencv_ms`:
`cv2.Laplacian(y, cv2.CV_64F).var()` and `cv2.calcHist`. `ratio` = fused_ms / opencv_ms. The picture is the first
keyframe of a clip in DIR (camera/canteen_1080p_h264_2M.mp4) where there is one, else a generated one.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from bench.history import append
from bench.timing import interleaved_medians_ms
from engine.kernels.registry import KERNELS
from engine.kernels.score import score
from engine.kernels.warmup import warm_up
from engine.types import Codec, LumaPlane, Picture

ROWS, COLUMNS = 1080, 1920
CLIP = "camera/canteen_1080p_h264_2M.mp4"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    """Measure and print."""
    options = _options()
    picture, source = _picture(options.data)
    result = {"bench": "kernels", "picture": source, **measure(picture, options.rounds)}
    if options.record:
        append(result)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:12} {value:.3f}" if isinstance(value, float) else f"{name:12} {value}")


def measure(picture: Picture, rounds: int) -> dict[str, float]:
    """Medians over `rounds` interleaved rounds, CPU milliseconds a picture."""
    cv2.setNumThreads(1)
    warm_up()
    packed = np.ascontiguousarray(picture.luma, np.uint8)

    def opencv() -> None:
        cv2.Laplacian(packed, cv2.CV_64F).var()
        cv2.calcHist([packed], [0], None, [256], [0, 256])

    passes = {f"{kernel.name}_ms": (lambda run=kernel.fast: run(picture)) for kernel in KERNELS}
    medians = interleaved_medians_ms(
        {"fused_ms": lambda: score(picture), "opencv_ms": opencv, **passes}, rounds=rounds, calls=2
    )
    return {**medians, "ratio": medians["fused_ms"] / medians["opencv_ms"], "rounds": float(rounds)}


def _picture(data: Path) -> tuple[Picture, str]:
    clip = data / CLIP
    if clip.is_file():
        return _first_keyframe(clip), CLIP
    return _generated(), "generated"


def _first_keyframe(clip: Path) -> Picture:
    import av

    with av.open(str(clip)) as container:
        frame = next(container.decode(video=0))
    planes = [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    ]
    full = frame.color_range == 2
    return Picture(
        planes[0], (planes[1], planes[2]), frame.width, frame.height, Codec.H264, frame.format.name, 8, full, False
    )


def _generated() -> Picture:
    rng = np.random.default_rng(1)
    blocks = np.kron(rng.integers(30, 220, (36, 64)), np.ones((30, 30)))
    luma: LumaPlane = np.clip(np.rint(blocks + rng.normal(0, 2, (ROWS, COLUMNS))), 0, 255).astype(np.uint8)
    chroma: LumaPlane = np.full((ROWS // 2, COLUMNS // 2), 128, np.uint8)
    return Picture(luma, (chroma, chroma), COLUMNS, ROWS, Codec.H264, "yuv420p", 8, False, False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU of the kernels beside OpenCV.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds")
    parser.add_argument("--data", type=Path, default=DATA, help="directory of clips")
    return parser.parse_args()


if __name__ == "__main__":
    main()
