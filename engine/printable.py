"""Makes text that a camera, a server or a library wrote safe to show on one line of a terminal, a log or a page. Pure.

A status line may hold escape sequences, and text that runs from right to left hides what it says.
"""


def printable(text: str) -> str:
    """Return the text on one line: white space is a blank, what is not printable stands as an escape like `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    return character.encode("unicode_escape").decode("ascii")
