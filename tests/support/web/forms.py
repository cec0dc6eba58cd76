"""Reads the forms of a page as a browser does: what each would send as it is filled in."""

from html.parser import HTMLParser


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect fields with their values."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = self.forms.setdefault(given.get("action", ""), {})
        elif self._fields is None or ("name" not in given and tag != "option"):
            return
        elif tag == "input":
            if given.get("type") not in ("checkbox", "file") or "checked" in given:
                self._fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and ("selected" in given or self._select not in self._fields):
            self._fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """End a form."""
        if tag == "form":
            self._fields = None


def form_fields(html: str, action: str) -> dict[str, str]:
    """Return what the form with this action sends. Raises AssertionError if the page has none."""
    reader = _Forms()
    reader.feed(html)
    assert action in reader.forms, f"no form sends to {action}; there are {sorted(reader.forms)}"
    return reader.forms[action]
