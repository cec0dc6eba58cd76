"""Measures blur with other methods on the same pictures that the engine scored: 8-bit luma as decoded."""

import math
from fractions import Fraction
from typing import Any, Final, cast

import av
import av.filter
import cv2
import numpy as np
import numpy.typing as npt
from skimage.measure import blur_effect

Luma = npt.NDArray[np.uint8]

NAMES: Final = ("laplacian_variance", "tenengrad", "crete_blur_effect", "ffmpeg_blurdetect")


def peers(luma: Luma) -> dict[str, float]:
    """Return the figure of each method, with the sign that makes more sharper; nan if a method gives none.

    laplacian_variance: Pech-Pacheco et al., ICPR 2000. tenengrad: mean squared Sobel gradient, Krotkov 1987.
    crete_blur_effect: Crete et al., SPIE 6492, 2007, by scikit-image. ffmpeg_blurdetect: Marziliano et al., ICIP 2002.
    """
    luma = np.ascontiguousarray(luma)
    gradient_x, gradient_y = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    return {
        "laplacian_variance": float(cv2.Laplacian(luma, cv2.CV_32F).var()),
        "tenengrad": float((gradient_x * gradient_x + gradient_y * gradient_y).mean()),
        "crete_blur_effect": -float(cast(Any, blur_effect)(luma)),
        "ffmpeg_blurdetect": -_blurdetect(luma),
    }


def _blurdetect(luma: Luma) -> float:
    """Run FFmpeg's blurdetect filter through PyAV's graph; nan on a picture without edges."""
    rows, columns = luma.shape
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=columns, height=rows, format=av.VideoFormat("gray", columns, rows), time_base=Fraction(1)
    )
    blur, sink = graph.add("blurdetect"), graph.add("buffersink")
    source.link_to(blur)
    blur.link_to(sink)
    graph.configure()
    graph.push(av.VideoFrame.from_ndarray(luma, format="gray"))
    frame = graph.pull()
    text = dict(frame.metadata).get("lavfi.blur") if isinstance(frame, av.VideoFrame) else None
    return float(text) if text is not None else math.nan
