"""Writes places in logs into tokens for one caller: resume tokens and page tokens.

A place is a number of a log of all regions: it tells how much happens elsewhere. A caller with a region gets it
encrypted, and can neither read it nor make one of its own. A caller of all regions sees the whole log anyway.
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 64
"""Bytes of the key; the database keeps it, so that tokens outlive a restart."""


@dataclass(frozen=True, slots=True)
class Places:
    """The tokens of one caller. `region`: that of its token; empty: places are written plainly. `key`: of KEY_BYTES."""

    region: str = ""
    key: bytes = b""

    def token(self, about: str, place: bytes) -> str:
        """Return a token for a place. `about`: what the token is for; with any other it is not valid."""
        if self.region:
            place = AESSIV(self.key).encrypt(place, [about.encode(), self.region.encode()])
        return base64.urlsafe_b64encode(place).decode()

    def place(self, about: str, token: str) -> bytes | None:
        """Return the place in a token; None if it was not made for this caller and purpose."""
        try:
            place = base64.urlsafe_b64decode(token.encode())
            return AESSIV(self.key).decrypt(place, [about.encode(), self.region.encode()]) if self.region else place
        except (binascii.Error, ValueError, InvalidTag):
            return None


ALL_REGIONS = Places()
"""Of a caller of all regions."""
