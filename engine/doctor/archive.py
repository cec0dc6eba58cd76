"""Examines the archive of evidence: does it take a file, give it back, and delete it?"""

import time
import uuid
from collections.abc import Iterator

from engine.config.schema import RecordSettings
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.errors import PatrolError
from engine.storage.evidence.blobs import Blobs

_TRIAL = bytes(256 * 1024)
"""As much as a keyframe."""
_SLOW_MS = 1000.0
_REMEDY = (
    "does the store answer, is its bucket or folder there, may the engine's user write to it? For S3: "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, record.archive_endpoint"
)


def examine(record: RecordSettings) -> Iterator[Diagnosis]:
    """Store a file, read it, delete it; nothing is left behind. Says nothing where no archive is wanted."""
    if not record.archive_url:
        return
    name, began_s = f"trials/{uuid.uuid4().hex}", time.perf_counter()
    try:
        blobs = Blobs(record.archive_url, record.archive_endpoint)
        blobs.put(name, _TRIAL)
        is_whole = blobs.get(name, len(_TRIAL)) == _TRIAL
        blobs.remove(name)
    except PatrolError as error:
        yield fault("archive", str(error), _REMEDY)
        return
    taken_ms = 1e3 * (time.perf_counter() - began_s)
    found = f"{record.archive_url}: a file was stored, read and deleted in {taken_ms:,.0f} ms"
    if not is_whole:
        yield fault("archive", f"{record.archive_url}: what was read is not what was stored", _REMEDY)
    elif taken_ms > _SLOW_MS:
        yield warning("archive", found, "a new fault is committed after its copy is stored: use a store that is near")
    else:
        yield ok("archive", found)
