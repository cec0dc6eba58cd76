"""Files that callers send as photographs: hostile ones are refused before they cost, and only pixels are kept."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from engine.decode import photograph
from engine.decode.photograph import SCANS_MAX, photograph_jpeg
from engine.errors import DecodeError
from engine.model.photograph import PHOTOGRAPH_BYTES_MAX

SIDE = 1600
RED, BLUE = (200, 20, 20), (20, 20, 200)


def picture(width: int = 400, height: int = 200, mode: str = "RGB") -> Image.Image:
    """The left half is red, the right one blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image.convert(mode)


def saved(image: Image.Image, kind: str = "JPEG", **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(int(have) - want) < 40 for have, want in zip(pixel, colour, strict=True))


def exif(orientation: int = 1) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010F] = "SecretPhone"
    data.get_ifd(0x8825)[2] = (38.0, 2.0, 31.0)  # the latitude
    return data


def test_a_large_photograph_becomes_small_and_keeps_its_shape() -> None:
    made = photograph_jpeg(saved(picture(4000, 2000)), SIDE)
    assert (made.width, made.height) == opened(made.jpeg).size == (1600, 800)


def test_a_small_one_keeps_its_size() -> None:
    assert opened(photograph_jpeg(saved(picture(), "PNG"), SIDE).jpeg).size == (400, 200)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_nothing_but_pixels_is_kept(kind: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SecretComment")
    more: dict[str, Any] = {"pnginfo": text} if kind == "PNG" else {"comment": "SecretComment"}
    more |= {"exif": exif(), "icc_profile": b"SecretProfile" * 20, "dpi": (72, 72)}
    sent = saved(picture(), kind, **more)
    assert b"SecretPhone" in sent
    made = photograph_jpeg(sent, SIDE).jpeg
    assert b"Secret" not in made
    assert not opened(made).getexif()
    assert not {"comment", "icc_profile", "exif"} & opened(made).info.keys()


@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [(1, (400, 200), (10, 100)), (3, (400, 200), (390, 100)), (6, (200, 400), (100, 10)), (8, (200, 400), (100, 390)),
     (2, (400, 200), (390, 100)), (5, (200, 400), (100, 10)), (99, (400, 200), (10, 100))],
)  # fmt: skip
def test_it_stands_upright(orientation: int, size: tuple[int, int], red_at: tuple[int, int]) -> None:
    made = opened(photograph_jpeg(saved(picture(), exif=exif(orientation)), SIDE).jpeg)
    assert made.size == size
    assert near(made.getpixel(red_at), RED)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_colours_are_taken(mode: str) -> None:
    assert opened(photograph_jpeg(saved(picture(mode=mode)), SIDE).jpeg).size == (400, 200)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pngs_of_other_colours_are_taken(mode: str) -> None:
    image = Image.new("I;16", (400, 200)) if mode == "I;16" else picture(mode=mode)
    assert opened(photograph_jpeg(saved(image, "PNG"), SIDE).jpeg).size == (400, 200)


def test_what_is_transparent_becomes_white() -> None:
    made = opened(photograph_jpeg(saved(Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "PNG"), SIDE).jpeg)
    assert near(made.getpixel((20, 20)), (255, 255, 255))


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims to be of this size, and whose few bytes would decode to that many zeros."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


def many_scans() -> bytes:
    """A JPEG with more scans than any program writes: the same one again and again."""
    whole = saved(picture(64, 64), progressive=True)
    first = whole.index(b"\xff\xda")
    second = whole.index(b"\xff\xda", first + 2)
    return whole[:first] + whole[first:second] * (SCANS_MAX + 1) + whole[second:]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (lambda: b"", "empty"),
        (lambda: b"GIF89a" + bytes(100), "unsupported"),
        (lambda: saved(picture(), "GIF"), "unsupported"),
        (lambda: saved(picture(), "TIFF"), "unsupported"),
        (lambda: saved(picture(), "BMP"), "unsupported"),
        (lambda: b"%PDF-1.7 /x", "unsupported"),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
        (lambda: b"\xff\xd8" + bytes(1000), "unsupported"),
        (lambda: saved(picture())[:-200], "damaged"),
        (lambda: saved(picture(), "PNG")[:-40], "damaged"),
        (lambda: png_of(300, 300), "damaged"),
        (lambda: png_of(6400, 6400), "too_large"),
        (lambda: png_of(60_000, 60_000), "too_large"),
        (lambda: png_of(2_000_000_000, 2_000_000_000), "too_large"),
        (lambda: saved(picture()) + bytes(PHOTOGRAPH_BYTES_MAX), "too_large"),
        (many_scans, "too_costly"),
    ],
)  # fmt: skip
def test_what_is_no_photograph_is_refused_with_its_reason(sent: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        photograph_jpeg(sent(), SIDE)
    assert caught.value.reason == reason


def test_nothing_is_decoded_before_its_size_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(photograph, "_on_white", decode)
    for sent in (png_of(6400, 6400), many_scans()):
        with pytest.raises(DecodeError):
            photograph_jpeg(sent, SIDE)


def test_hostile_exif_does_not_matter() -> None:
    sent = saved(picture(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 64)
    assert opened(photograph_jpeg(sent, SIDE).jpeg).size == (400, 200)
