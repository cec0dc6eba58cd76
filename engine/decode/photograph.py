"""Makes a JPEG of a file that a caller sent as a photograph: upright, small, without its metadata. Runs in a worker.

The file is hostile until it is decoded: its format, pixels and scans are bounded before, and the worker's budget of CPU
time ends what takes too long. Only pixels are copied, so that no place, no name and no thumbnail of the file is kept.
"""

import io
import warnings

from PIL import Image

from engine.decode.render import jpeg_of
from engine.errors import DecodeError
from engine.model.photograph import PHOTOGRAPH_BYTES_MAX, PHOTOGRAPH_PIXELS_MAX
from engine.model.picture import RenderedPicture

QUALITY = 85
SCANS_MAX = 64
"""Most scans of a JPEG; a progressive one has about 10. Each costs as much time as a whole picture."""
_FORMATS = ("JPEG", "PNG")
_START_OF_SCAN = b"\xff\xda"
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by the orientation that its EXIF data has."""


def photograph_jpeg(payload: bytes, side_px_max: int) -> RenderedPicture:
    """Return the photograph as JPEG, at most `side_px_max` pixels a side.

    Raises DecodeError: empty, unsupported (neither JPEG nor PNG), too_large, too_costly or damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata that nobody reads
        return _made(payload, side_px_max)


def _made(payload: bytes, side_px_max: int) -> RenderedPicture:
    if not payload:
        raise DecodeError("empty", "the file is empty")
    if len(payload) > PHOTOGRAPH_BYTES_MAX:
        raise DecodeError("too_large", f"{len(payload):,} bytes; allowed: {PHOTOGRAPH_BYTES_MAX:,}; send a smaller one")
    image = _opened(payload)
    pixels = image.width * image.height
    if pixels > PHOTOGRAPH_PIXELS_MAX:
        raise DecodeError(
            "too_large",
            f"{image.width} x {image.height} pixels; allowed: {PHOTOGRAPH_PIXELS_MAX // 1_000_000} megapixels; send a "
            "smaller one",
        )
    scans = payload.count(_START_OF_SCAN) if image.format != "PNG" else 0
    if scans > SCANS_MAX:
        raise DecodeError("too_costly", f"{scans} scans; allowed: {SCANS_MAX}; save it again as a plain JPEG")
    try:
        upright = _UPRIGHT.get(_orientation(image))
        image.draft("RGB", (side_px_max, side_px_max))  # a large JPEG is decoded at a fraction of its size
        image.load()
        picture = _on_white(image)
        picture.thumbnail((side_px_max, side_px_max))
        if upright is not None:
            picture = picture.transpose(upright)
        bare = Image.frombytes("RGB", picture.size, picture.tobytes())
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, MemoryError) as error:
        raise DecodeError("damaged", f"the file cannot be decoded: {error}; send it again, or another") from error
    return jpeg_of(bare, quality=QUALITY)


def _opened(payload: bytes) -> Image.Image:
    """Read the headers alone. Raises DecodeError."""
    try:
        return Image.open(io.BytesIO(payload), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        allowed = f"{PHOTOGRAPH_PIXELS_MAX // 1_000_000} megapixels"
        raise DecodeError("too_large", f"it has far too many pixels; allowed: {allowed}; send a smaller one") from error
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError) as error:
        raise DecodeError("unsupported", "the file is no JPEG and no PNG; send one of these") from error


def _orientation(image: Image.Image) -> int:
    """Return the orientation that the EXIF data has; 1, upright, if there is none or it cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 (EXIF data of any kind may come; the picture does not need it)
        return 1


def _on_white(image: Image.Image) -> Image.Image:
    """Return the picture in RGB; what is transparent becomes white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        clear = image.convert("RGBA")
        sheet = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        sheet.alpha_composite(clear)
        return sheet.convert("RGB")
    return image.convert("RGB")
