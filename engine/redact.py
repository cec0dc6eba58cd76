"""Masks passwords in text. Text from outside passes through here before it is logged, counted or sent. Pure."""

import re

MASK = "***"
"""Replaces each secret."""
_USER_INFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/\s:@]*):(?P<secret>\S*)@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:pass(?:word|wd)?|pwd|token|secret|key|auth|sign(?:ature)?)=)[^&;\s\"'>]*", re.IGNORECASE
)


def redact(text: str) -> str:
    """Return the text with the secrets of every URL in it replaced by `***`.

    People type passwords with `/` and `@` unescaped, so everything up to the last `@` before white space is masked.
    """
    if "@" in text:
        text = _USER_INFO.sub(rf"\g<scheme>\g<user>:{MASK}@", text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\g<name>{MASK}", text)
    return text
