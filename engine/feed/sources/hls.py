"""Reads an HLS stream: playlists, keys and segments, each through the checks of its own GET.

A live stream begins with its newest segment, a recorded one with its first. FFmpeg reads each segment by itself: it
need not wait for the next one to know that the first is whole. Bounded: how deep playlists lead to
playlists, how often one is read again, and how many segments and keys one visit fetches.
"""

import contextlib
import time
from collections.abc import Generator, Iterator

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.base import CipherContext
from cryptography.hazmat.primitives.ciphers.modes import CBC

from engine.errors import SourceRefusedError
from engine.feed.camera_url import check_url
from engine.feed.sources.connection import Connections
from engine.feed.sources.http import Answer, get
from engine.feed.sources.playlist import (
    PLAYLIST_BYTES_MAX,
    ByteRange,
    Key,
    Part,
    Playlist,
    PlaylistError,
    Segment,
    read_playlist,
)
from engine.feed.sources.progress import SourceError
from engine.model.visit import FailureReason
from engine.redact import redact

DEPTH_MAX = 3
"""Playlists that lead to one another: one of variants, one of segments, and one to spare."""
RELOADS_MAX = 24
SEGMENTS_MAX = 24
_KEYS_MAX = 8
_KEY_BYTES = 16
_BLOCK_BYTES = 16
_READ_BYTES = 65_536
_RELOAD_S_MIN, _RELOAD_S_MAX = 0.5, 5.0


class Hls:
    """An HLS stream, segment by segment. `answer`: what the camera's URL brought, a playlist."""

    def __init__(self, answer: Answer, connections: Connections) -> None:
        connections.require("hls")
        self._connections = connections
        self._progress = connections.progress
        self._playlist, self._url = self._media_playlist(answer)
        self._keys: dict[str, bytes] = {}

    def segments(self) -> Iterator["SegmentFile"]:
        """Yield the segments in the order in which a visit reads them; waits for the next one of a live stream.

        Ends where the stream ends. Raises SourceError.
        """
        found = self._playlist.segments
        next_number = (found[0] if self._playlist.is_complete else found[-1]).number if found else 0
        fetched = 0
        for _ in range(RELOADS_MAX):
            for segment in self._playlist.segments:
                if segment.number < next_number:
                    continue
                fetched += 1
                if fetched > SEGMENTS_MAX:
                    return
                next_number = segment.number + 1
                yield SegmentFile(self._read(segment))
            if self._playlist.is_complete:
                return
            self._wait()
            self._playlist, self._url = self._media_playlist(self._get(self._url))

    def _media_playlist(self, answer: Answer) -> tuple[Playlist, str]:
        """Return the playlist of segments that `answer` leads to, and its URL."""
        for _ in range(DEPTH_MAX):
            playlist, url = self._parse(answer), answer.url
            if not playlist.variant:
                return playlist, url
            answer = self._get(playlist.variant)
        answer.close()
        detail = f"its playlists lead to playlists, more than {DEPTH_MAX} deep"
        raise SourceError(FailureReason.PROTOCOL_ERROR, detail)

    def _parse(self, answer: Answer) -> Playlist:
        try:
            return read_playlist(answer.whole(PLAYLIST_BYTES_MAX, "the playlist"), answer.url)
        except PlaylistError as error:
            raise SourceError(FailureReason.PROTOCOL_ERROR, f"the playlist cannot be read: {error}") from error
        finally:
            answer.close()
            self._progress.released()

    def _get(self, url: str, part: ByteRange | None = None) -> Answer:
        """GET what a playlist names. Raises SourceError: `redirect_refused` if it is no http or https URL."""
        settings = self._connections.settings
        try:
            check_url(url, [scheme for scheme in ("http", "https") if scheme in settings.schemes])
        except SourceRefusedError as error:
            detail = f"the playlist leads to {redact(str(error))}"
            raise SourceError(FailureReason.REDIRECT_REFUSED, detail) from error
        return get(url, self._connections, part)

    def _read(self, segment: Segment) -> Generator[bytes, None, None]:
        if segment.start is not None:
            yield from self._read_part(segment.start, segment.number)
        yield from self._read_part(segment.part, segment.number)

    def _wait(self) -> None:
        """Wait until there may be another segment (RFC 8216, 6.3.4)."""
        wait_s = min(_RELOAD_S_MAX, max(_RELOAD_S_MIN, self._playlist.target_s / 2))
        time.sleep(min(wait_s, self._progress.left_s()))
        self._progress.check()

    def _read_part(self, part: Part, number: int) -> Iterator[bytes]:
        key = None if part.key is None else self._key(part.key)
        with contextlib.closing(self._get(part.url, part.range)) as answer:
            chunks = _in_range(answer, part.range)
            if part.key is None or key is None:
                yield from chunks
            else:
                iv = part.key.iv if part.key.iv is not None else number.to_bytes(_BLOCK_BYTES, "big")
                yield from _decrypted(chunks, Cipher(AES(key), CBC(iv)).decryptor())

    def _key(self, key: Key) -> bytes:
        if key.url not in self._keys:
            if len(self._keys) >= _KEYS_MAX:
                raise SourceError(FailureReason.PROTOCOL_ERROR, f"the playlist names more than {_KEYS_MAX} keys")
            self._connections.require("crypto")
            answer = self._get(key.url)
            try:
                found = answer.whole(_KEY_BYTES, "the key of the segments")
            finally:
                answer.close()
            if len(found) != _KEY_BYTES:
                detail = f"the key of the segments has {len(found)} bytes, not {_KEY_BYTES}"
                raise SourceError(FailureReason.PROTOCOL_ERROR, detail)
            self._keys[key.url] = found
        return self._keys[key.url]


class SegmentFile:
    """One segment with what comes before it: a file object for FFmpeg. Close it."""

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return the next bytes, 1 to `size`; b"" at the end. Raises SourceError."""
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._chunk = memoryview(chunk)
        data, self._chunk = self._chunk[:size], self._chunk[size:]
        return bytes(data)

    def close(self) -> None:
        """Close the connection that it is read from."""
        self._chunks.close()


def _in_range(answer: Answer, part: ByteRange | None) -> Iterator[bytes]:
    """Yield the bytes of a part, also where the server sends the whole file."""
    skip = 0 if part is None or answer.is_partial else part.begin
    left = None if part is None else part.size
    while left is None or left > 0:
        chunk = answer.read(_READ_BYTES)
        if not chunk:
            return
        skipped, chunk = min(skip, len(chunk)), chunk[skip:]
        skip -= skipped
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        if chunk:
            yield chunk


def _decrypted(chunks: Iterator[bytes], decryptor: CipherContext) -> Iterator[bytes]:
    """Yield the plain bytes, without the padding of the last block (PKCS7); what is cut off within a block is left."""
    held = b""
    for chunk in chunks:
        plain = held + decryptor.update(chunk)
        held = plain[-_BLOCK_BYTES:]
        if plain[:-_BLOCK_BYTES]:
            yield plain[:-_BLOCK_BYTES]
    padding = held[-1] if held and held[-1] <= _BLOCK_BYTES else 0
    yield held[: len(held) - padding]
