"""Takes secrets out of texts. Whatever is logged, counted, stored for people or sent passes through here. Pure.

`redact` knows the forms in which people and vendors write passwords; `KNOWN` knows the secrets of this process's
cameras, and finds them in any text.
"""

from engine.redact.known import KNOWN, KnownSecrets, without_secrets_of
from engine.redact.text import MASK, redact, redact_url, secrets_in

__all__ = ["KNOWN", "MASK", "KnownSecrets", "redact", "redact_url", "secrets_in", "without_secrets_of"]
