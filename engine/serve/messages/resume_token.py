"""Resume tokens of watches: a place in a log, opaque to callers. Pure."""

from engine.errors import ErrorReason, InvalidArgumentError, PatrolError
from engine.serve.messages.places import ALL_REGIONS, Places

_VERSION = b"w1:"
_ABOUT = "watch "


def encode_resume_token(seq: int, log: str = "", places: Places = ALL_REGIONS) -> str:
    """Return the token of the place behind the row `seq`. `log`: its name."""
    return places.token(_ABOUT + log, _VERSION + str(seq).encode())


def decode_resume_token(token: str, log: str = "", places: Places = ALL_REGIONS) -> int:
    """Return the `seq` in a token.

    Raises InvalidArgumentError if the engine did not make it for this caller, PatrolError (RESUME_PLACE_LOST) if it is
    one of a region from before they were encrypted, whatever place it names.
    """
    place = places.place(_ABOUT + log, token)
    if place is not None and place.startswith(_VERSION):
        try:
            return int(place.removeprefix(_VERSION))
        except ValueError:
            pass
    elif places.region and (ALL_REGIONS.place("", token) or b"").startswith(_VERSION):
        raise PatrolError(
            "the resume token is of an older engine, or of another caller; begin without resume_token",
            reason=ErrorReason.RESUME_PLACE_LOST,
        )
    raise InvalidArgumentError(
        "resume_token",
        "is not valid; send the last one that this watch sent, or begin without one",
        reason=ErrorReason.RESUME_TOKEN_INVALID,
    )
