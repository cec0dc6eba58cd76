"""What the demo's cameras look at: real photographs out of scikit-image's wheel, and what can be wrong with a camera.

Optics are done in linear light, as a lens or a hand would do it, before the camera sharpens, adds noise and codes.
"""

import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from engine.errors import PatrolError

Rgb = npt.NDArray[np.uint8]
Linear = npt.NDArray[np.float32]

GAMMA: Final = 2.2
PICTURE_FAULTS: Final = ("blurred", "dark", "covered", "over-exposed")
_OPTICS_LINES_MAX = 540
_SHARPENING_PERCENT = 130
_DARK_GAIN = 0.02
_BRIGHT_GAIN, _VEIL = 9.0, 0.35
_BLUR_SHARE = 0.03
"""Radius of the defocus disc as a share of the picture's height."""


def view(name: str, width: int, height: int, shift: float, mirrored: bool, fault: str, number: int) -> Rgb:
    """The room as the camera puts it out, (height, width, 3) uint8, without noise, people and burnt-in text.

    `shift` 0..1 moves the cut along the photograph. `number` makes the cloth of a covered camera its own.
    """
    lines = min(height, _OPTICS_LINES_MAX)
    columns = round(width * lines / height)
    light = _through_lens(_photo(name, columns, lines, shift, mirrored), fault, np.random.default_rng(number))
    small = Image.fromarray(to_levels(light).astype(np.uint8))
    sharpen = ImageFilter.UnsharpMask(radius=max(1.0, height / lines), percent=_SHARPENING_PERCENT, threshold=0)
    return np.asarray(small.resize((width, height), Image.Resampling.LANCZOS).filter(sharpen))


def exposed(light: Linear, fault: str) -> Linear:
    """What reaches the sensor of such light, 0..1 linear: little at night, too much with the iris stuck open."""
    if fault == "dark":
        return light * np.float32(_DARK_GAIN)
    if fault == "over-exposed":
        return np.clip(light * np.float32(_BRIGHT_GAIN) + np.float32(_VEIL), 0, 1)
    return light


def to_levels(light: Linear) -> npt.NDArray[np.float32]:
    """Linear 0..1 to grey levels 0..255."""
    return np.float32(255.0) * np.clip(light, 0, 1) ** np.float32(1 / GAMMA)


def _photo(name: str, width: int, height: int, shift: float, mirrored: bool) -> Linear:
    """A photograph cut to the shape of the frame, (height, width, 3), linear 0..1."""
    with Image.open(_folder() / name) as image:
        colour = image.convert("RGB")
    wide = min(colour.width, colour.height * width / height)
    tall = wide * height / width
    left, top = (colour.width - wide) * shift, (colour.height - tall) * shift
    cut = colour.resize((width, height), Image.Resampling.LANCZOS, box=(left, top, left + wide, top + tall))
    if mirrored:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    curve = (np.arange(256, dtype=np.float32) / np.float32(255.0)) ** np.float32(GAMMA)
    return curve[np.asarray(cut)]


def _folder() -> Path:
    """Where the wheel keeps its photographs; raises PatrolError without it."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise PatrolError(
            "the demo's photographs come with scikit-image, which is not installed: pip install 'kitchen-patrol[demo]'"
        )
    return Path(found.origin).parent / "data"


def _through_lens(light: Linear, fault: str, random: np.random.Generator) -> Linear:
    if fault == "blurred":
        return _defocused(light, radius=light.shape[0] * _BLUR_SHARE)
    if fault == "covered":
        return _cloth(light.shape[0], light.shape[1], random)
    return exposed(light, fault)


def _defocused(light: Linear, radius: float) -> Linear:
    """Convolved with a disc, by way of the Fourier transform; borders are mirrored."""
    pad = int(np.ceil(radius)) + 1
    padded = np.pad(light, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    height, width = padded.shape[:2]
    y = np.minimum(np.arange(height), height - np.arange(height))[:, None]
    x = np.minimum(np.arange(width), width - np.arange(width))[None, :]
    disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1).astype(np.float32)
    kernel = np.fft.rfft2(disc / disc.sum())
    planes = [np.fft.irfft2(np.fft.rfft2(padded[..., c]) * kernel, s=(height, width)) for c in range(3)]
    return np.stack(planes, axis=-1)[pad:-pad, pad:-pad].astype(np.float32)


def _cloth(height: int, width: int, random: np.random.Generator) -> Linear:
    """A cloth over the lens: its even colour, a little light from one side, nothing of the room."""
    colour = random.uniform(0.10, 0.22, 3).astype(np.float32)
    light = np.linspace(0.8, 1.2, width, dtype=np.float32)[None, :, None]
    return np.broadcast_to(colour * light, (height, width, 3)).astype(np.float32)
