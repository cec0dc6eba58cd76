"""Resume tokens of watches: a place in a log, opaque to callers. Pure."""

import base64

from engine.errors import ErrorReason, InvalidArgumentError

_VERSION = "w1:"


def encode_resume_token(seq: int) -> str:
    """Return the token of the place behind the row `seq`."""
    return base64.urlsafe_b64encode(f"{_VERSION}{seq}".encode()).decode()


def decode_resume_token(token: str) -> int:
    """Return the `seq` in a token. Raises InvalidArgumentError if the token was not made by the engine."""
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        if text.startswith(_VERSION):
            return int(text.removeprefix(_VERSION))
    except ValueError:
        pass
    raise InvalidArgumentError(
        "resume_token",
        "is not valid; send the last one that this watch sent",
        reason=ErrorReason.RESUME_TOKEN_INVALID,
    )
