"""Keys that lead to files, processes, listeners and secrets: the API changes none of them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from engine.config import Settings, loads
from engine.config.describe import rows, tables_of
from engine.config.file_only import over_api
from engine.config.setting import Section
from engine.docgen.config import markdown
from engine.errors import ConfigError

LEADS_OUT = re.compile(
    r"(^|_)(file|files|dir|path|listen|url|urls|command|secret|secrets|schemes|protocols|networks|origins|hosts|socket"
    r"|public|feeders|demuxers|threads)($|_)"
)
"""Words in the name of a key that leads to a file, a process, a listener, an address or a secret."""
HARMLESS = {"offline_weight"}
"""Keys with such a word that lead nowhere."""


def leading_out(kind: type[Section], where: str) -> Iterator[tuple[str, bool]]:
    """Yield the keys of a section that lead out, and those with tables that have such keys; with whether they are
    marked."""
    for name, field in kind.model_fields.items():
        inner = [found for table in tables_of(field) for found in leading_out(table, f"{where}.{name}[]")]
        yield from inner
        if inner or (LEADS_OUT.search(name) and name not in HARMLESS):
            extra: Any = field.json_schema_extra
            yield f"{where}.{name}", extra["file_only"] or kind.all_file_only


def test_every_key_that_leads_to_a_file_a_process_a_listener_or_a_secret_is_marked() -> None:
    found = dict(
        pair for section, field in Settings.model_fields.items() for pair in leading_out(type(field.default), section)
    )
    assert len(found) > 20
    assert {"feed.schemes", "scheduler.calendar_file", "notices.endpoints", "record.url"} <= set(found)
    assert [name for name, marked in found.items() if not marked] == []


def test_everything_about_storage_is_marked() -> None:
    assert all(row.file_only for row in rows() if row.section in ("record", "serve", "web"))


def test_a_marked_key_is_named_on_the_page_of_the_configuration() -> None:
    page = markdown()
    for row in rows():
        line = next(line for line in _section(page, row.section) if line.startswith(f"| `{row.key}` "))
        assert line.endswith("*file* |") == row.file_only, row.key


def _section(page: str, name: str) -> list[str]:
    return page.split(f"## [{name}]\n", 1)[1].split("\n## ", 1)[0].splitlines()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[feed]\nschemes = ['rtsp', 'file']\n", ["feed.schemes"]),
        ("[scheduler]\ncalendar_file = '/dev/zero'\n", ["scheduler.calendar_file"]),
        ("[record]\nurl = 'sqlite:////etc/x'\nevidence_dir = '/etc'\n", ["record.url", "record.evidence_dir"]),
        ("[record]\nkeep_verdicts_days = 0.01\n", ["record.keep_verdicts_days"]),
        ("[serve]\ntls_cert_file = 'a'\ntls_key_file = 'b'\n", ["serve.tls_cert_file", "serve.tls_key_file"]),
        (
            "[[notices.endpoints]]\nname = 'a'\nurl = 'https://a.example'\nsecret_file = '/etc/shadow'\n",
            ["notices.endpoints"],
        ),
        ("[worker]\ncount = 500\n[intake]\nlisten = 'tcp://127.0.0.1:1'\n", ["intake.listen", "worker.count"]),
    ],
)
def test_a_change_of_a_marked_key_is_refused_by_its_name_without_its_value(text: str, keys: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        over_api(Settings(), loads(text), "request")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["request", key] for key in keys]
    assert all("only the configuration file may change this key" in line for line in lines)
    assert not any(word in str(caught.value) for word in ("/etc", "/dev", "shadow"))


def test_a_marked_key_may_be_left_out_or_given_as_it_is() -> None:
    in_force = loads(
        "[feed]\nschemes = ['rtsp', 'file']\n[record]\nurl = 'sqlite:///own.db'\n"
        "[scheduler]\ncalendar_file = 'c.toml'\n"
        "[[notices.endpoints]]\nname = 'a'\nurl = 'https://a.example'\nsecret_file = 's'\n"
    )
    for text in ("", "[record]\nurl = 'sqlite:///own.db'\n[feed]\nschemes = ['rtsp', 'file']\n"):
        allowed = over_api(in_force, loads(text + "\n[judge]\nconfirm_m = 4\n"), "request")
        assert allowed.judge.confirm_m == 4
        for row in rows(in_force):
            if row.file_only:
                section = getattr(in_force, row.section)
                assert getattr(getattr(allowed, row.section), row.key) == getattr(section, row.key)
