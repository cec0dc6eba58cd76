"""Takes passwords out of text. Pure. Logs, metrics and replies pass foreign text through here."""

import re

MASK = "***"
"""What stands where a secret stood."""
_USER_INFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/\s:@]*):(?P<secret>\S*)@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:pass(?:word|wd)?|pwd|token|secret|key|auth|sign(?:ature)?)=)[^&;\s\"'>]*", re.IGNORECASE
)


def redact(text: str) -> str:
    """The text with the secrets of every URL in it replaced by `***`.

    A password may hold `/` and `@` unescaped, as people type them: all up to the last `@` before white space goes.
    """
    if "@" in text:
        text = _USER_INFO.sub(rf"\g<scheme>\g<user>:{MASK}@", text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\g<name>{MASK}", text)
    return text
