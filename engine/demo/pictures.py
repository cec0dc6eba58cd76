"""Makes the pictures of the demo's cameras: real photographs from scikit-image's wheel, and faults applied to them.

Faults are applied in linear light, as a lens or a hand would cause them, before noise and coding.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Rgb = npt.NDArray[np.uint8]
Linear = npt.NDArray[np.floating]

PHOTOS: Final = {
    "coffee.png": (640, 360),
    "motorcycle_left.png": (704, 576),
    "astronaut.png": (640, 360),
    "camera.png": (640, 360),
    "motorcycle_right.png": (704, 576),
    "ihc.png": (640, 360),
}
"""Each photo with the largest frame (width, height) that it fills sharply; enlarged further it would be blurred."""
_GAMMA = 2.2
_NOISE_LEVELS = 2.0


def photo(name: str, width: int, height: int, shift: float) -> Linear:
    """Return a photograph cropped to the frame: (height, width, 3), linear light 0..1. `shift` 0..1 moves the crop."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / name
    with Image.open(path) as image:
        colour = image.convert("RGB")
    wide = min(colour.width, colour.height * width / height)
    tall = wide * height / width
    left, top = (colour.width - wide) * shift, (colour.height - tall) * shift
    cropped = colour.resize((width, height), Image.Resampling.LANCZOS, box=(left, top, left + wide, top + tall))
    encoded = np.asarray(cropped, np.float32) / np.float32(255.0)
    linear: Linear = np.power(encoded, np.float32(_GAMMA), dtype=np.float32)
    return linear


def damaged(picture: Linear, fault: str, random: np.random.Generator) -> Linear:
    """Return the picture of a camera with this fault; faults that do not affect the picture leave it unchanged."""
    if fault == "blurred":
        return _defocused(picture, radius=picture.shape[0] * 0.03)
    if fault == "dark":
        dimmed: Linear = picture * np.float32(0.02)
        return dimmed
    if fault == "over-exposed":
        burnt: Linear = np.clip(picture * np.float32(9.0) + np.float32(0.35), 0, 1)
        return burnt
    if fault == "covered":
        return _covered(picture, random)
    return picture


def frame(picture: Linear, clock: str, name: str, random: np.random.Generator | None) -> Rgb:
    """Return the frame that the camera encodes: with sensor noise (none if `random` is None), clock and name."""
    levels = 255.0 * np.clip(picture, 0, 1) ** np.float32(1 / _GAMMA)
    if random is not None:
        levels = levels + random.normal(0, _NOISE_LEVELS, levels.shape[:2])[..., None]
    image = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(10, image.height // 28))
    for position, text in (((8, 4), clock), ((8, image.height - image.height // 16), name)):
        draw.text((position[0] + 1, position[1] + 1), text, fill=(0, 0, 0), font=font)
        draw.text(position, text, fill=(255, 255, 255), font=font)
    return np.asarray(image)


def passing(picture: Linear, turn: float) -> Linear:
    """Return the scene at time `turn` 0..1: a person in a dim coat walks through, and the light drifts by up to 2 %."""
    height, width = picture.shape[:2]
    y, x = np.ogrid[:height, :width]
    centre = width * (0.15 + 0.7 * turn)
    inside = ((x - centre) / (0.06 * width)) ** 2 + ((y - 0.65 * height) / (0.3 * height)) ** 2 < 1
    drifted = picture * np.float32(1.0 + 0.02 * np.sin(6.28 * turn))
    result: Linear = np.where(inside[..., None], np.float32(0.25) * drifted, drifted).astype(np.float32)
    return result


def _defocused(picture: Linear, radius: float) -> Linear:
    """Convolve with a disc of `radius` pixels, by Fourier transform; borders are mirrored."""
    pad = int(np.ceil(radius)) + 1
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    height, width = padded.shape[:2]
    y = np.minimum(np.arange(height), height - np.arange(height))[:, None]
    x = np.minimum(np.arange(width), width - np.arange(width))[None, :]
    disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
    kernel = np.fft.rfft2(disc / disc.sum())
    planes = [np.fft.irfft2(np.fft.rfft2(padded[..., c]) * kernel, s=(height, width)) for c in range(3)]
    return np.stack(planes, axis=-1)[pad:-pad, pad:-pad].astype(np.float32)


def _covered(picture: Linear, random: np.random.Generator) -> Linear:
    """Return a cloth over the lens: one colour, a little light from one side, nothing of the scene."""
    height, width = picture.shape[:2]
    colour = np.array(random.uniform(0.10, 0.22, 3), np.float32)
    light = np.linspace(0.8, 1.2, width, dtype=np.float32)[None, :, None]
    return np.broadcast_to(colour * light, (height, width, 3)).astype(np.float32)
