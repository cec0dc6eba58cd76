"""What README and docs/ name exists: commands, flags, files, settings, metrics, calls; and words are explained.

A wrong name in any page fails here. tests/integration/docs runs the commands.
"""

import importlib
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
from google.protobuf import json_format

from engine.cli.main import app
from engine.config import Settings
from engine.docgen import metrics
from engine.docgen.commands import commands as cli_commands
from tests.support.docs.pages import PAGES, ROOT, Command, blocks, commands, inline, prose, simple_commands

GENERATED = {"api.md", "commands.md", "config.md", "figures.md", "metrics.md"}
"""Pages that the code writes as a whole."""
WORDS = {
    "uplink": r"\buplinks?\b",
    "key-point": r"\bkey[ -]points?\b",
    "shed": r"\bshed\b",
    "stretch": r"\bstretch(?:es|ed)?\b",
    "exhibit": r"\bexhibits?\b",
    "gop": r"\bGOPs?\b",
    "d1": r"\bD1\b",
    "hidden-and-occlusion": r"\bocclusion\b",
}
"""Words that docs/glossary.md explains, by anchor: where a page first uses one, it links there."""
PATHS = re.compile(r"(?<![\w./-])((?:engine|tests|bench|examples|proto|docs|\.ci)/[\w./*-]*[\w*])")
CLI = dict(cli_commands())
GROUPS = {words[:length] for words in CLI for length in range(1, len(words) + 1)}
ROOT_OPTIONS = {spelling for option in typer.main.get_command(app).params for spelling in option.opts} | {"--help"}
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("engine", "bench", "tests", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)
)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def spellings(command: Any) -> set[str]:
    """The options of a command of `patrol`, as they are written."""
    return {spelling for option in command.params for spelling in (*option.opts, *option.secondary_opts)} | {"--help"}


def wrong_patrol(words: list[str]) -> str:
    """What is wrong with the words after `patrol`; empty if nothing is."""
    if not words or words[0] in ROOT_OPTIONS | {"...", "COMMAND"}:
        return ""
    length = max((n for n in range(1, len(words) + 1) if tuple(words[:n]) in GROUPS), default=0)
    leaf = CLI.get(tuple(words[:length]))
    if length == 0:
        return f"no command `patrol {words[0]}`"
    rest = words[length:]
    if leaf is None:
        return f"no command `patrol {' '.join(words[: length + 1])}`" if rest and rest[0] != "..." else ""
    for flag in (word.partition("=")[0] for word in rest if re.match(r"-{1,2}[a-z]", word)):
        if flag not in spellings(leaf):
            return f"`patrol {' '.join(words[:length])}` has no {flag}"
    return ""


def services() -> dict[str, Any]:
    """The services of patrol.v1, by name."""
    modules = (importlib.import_module(f"patrol.v1.{path.stem}") for path in (ROOT / "patrol/v1").glob("*_pb2.py"))
    return {name: value for module in modules for name, value in module.DESCRIPTOR.services_by_name.items()}


def wrong_call(words: list[str]) -> str:
    """What is wrong with a grpcurl line: the method, or the JSON of its request."""
    known = services()
    for word in words:
        if not (match := re.fullmatch(r"patrol\.v1\.(\w+)/(\w+)", word)):
            continue
        if match[1] not in known or match[2] not in known[match[1]].methods_by_name:
            return f"no call {word}"
        request = known[match[1]].methods_by_name[match[2]].input_type._concrete_class()
        if "-d" in words:
            try:
                json_format.Parse(words[words.index("-d") + 1], request)
            except json_format.ParseError as error:
                return f"{word}: {error}"
    return ""


def wrong_python(words: list[str]) -> str:
    """What is wrong with `python -m MODULE ...` or `python FILE ...`: the module, the file, or a flag."""
    if words[:1] == ["-m"] and words[1].partition(".")[0] in ("bench", "engine", "tests"):
        spec = importlib.util.find_spec(words[1])
        if spec is None or spec.origin is None:
            return f"no module {words[1]}"
        origin = Path(spec.origin)
        texts = [path.read_text(encoding="utf-8") for path in {origin, *origin.parent.glob("*.py")}]
        missing = [word for word in words if word.startswith("--") and not any(f'"{word}"' in text for text in texts)]
        return f"{words[1]} has no {missing[0]}" if missing else ""
    if words[:1] != ["-m"] and words[:1] and words[0].endswith(".py") and not (ROOT / words[0]).exists():
        return f"no file {words[0]}"
    return ""


def wrong(text: str) -> list[str]:
    """What is wrong with a command line, as far as that can be seen without running it."""
    problems = []
    for program, *words in simple_commands(text):
        name = program.rpartition("/")[2]
        if name == "patrol":
            problems.append(wrong_patrol(words))
        elif name == "grpcurl":
            problems.append(wrong_call(words))
        elif name in ("python", "python3"):
            problems.append(wrong_python(words))
        elif name == "make":
            targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
            missing = [word for word in words if "=" not in word and word != "..." and word not in targets]
            problems.append(f"no target {missing[0]}" if missing else "")
    return [problem for problem in problems if problem]


@each_page
def test_command_lines_name_commands_and_flags_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    problems = [f"line {command.line}: {problem}" for command in commands(text) for problem in wrong(command.text)]
    assert problems == []


@each_page
def test_commands_named_within_sentences_exist(page: Path) -> None:
    problems = []
    for code in inline(page.read_text(encoding="utf-8")):
        if re.match(r"(patrol|make|python|python3|grpcurl) ", code):
            problems += wrong(code.replace("...", " ... ") if code.startswith("patrol ...") else code)
        elif (flag := re.match(r"--[a-z][\w-]*", code)) is not None:
            known = any(flag[0] in spellings(command) for command in CLI.values()) or f'"{flag[0]}"' in SOURCES
            problems += [] if known else [f"no command has {flag[0]}"]
    assert problems == []


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    named = set(PATHS.findall(page.read_text(encoding="utf-8")))
    assert {name for name in named if not (any(ROOT.glob(name)) if "*" in name else (ROOT / name).exists())} == set()


@each_page
def test_settings_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    sections: dict[str, Any] = {name: field.annotation for name, field in Settings.model_fields.items()}
    suffixes = {"md", "py", "toml", "proto", "html", "csv", "json", "db", "service", "yml"}
    named = {
        (section, key)
        for section, key in re.findall(rf"(?<![\w./])({'|'.join(sections)})\.([a-z]\w*)", text)
        if key not in suffixes
    }
    unknown = {
        f"{section}.{key}"
        for section, key in named
        # A name that ends in _ stands for several: `ledger.first_level_*`.
        if not any(
            key == field or (key[-1] == "_" and field.startswith(key)) for field in sections[section].model_fields
        )
    }
    assert unknown == set()


@each_page
def test_metrics_that_are_named_exist(page: Path) -> None:
    known = set(re.findall(r"`(patrol_\w+)`", metrics.markdown()))
    named = set(re.findall(r"\bpatrol_[a-z_]+[a-z]\b", page.read_text(encoding="utf-8")))
    unknown = {name for name in named if re.sub(r"_(bucket|sum|count)$", "", name) not in known}
    assert {name for name in unknown if f'"{name}"' not in SOURCES} == set()


@each_page
def test_calls_that_are_named_exist(page: Path) -> None:
    known = services()
    calls = {method for service in known.values() for method in service.methods_by_name}
    named = re.findall(r"\b([A-Z]\w+)/([A-Z]\w+)\b", page.read_text(encoding="utf-8"))
    assert {
        f"{service}/{call}"
        for service, call in named
        if (service in known or call in calls) and (service not in known or call not in known[service].methods_by_name)
    } == set()


def test_readme_names_every_call_of_every_service() -> None:
    rows = dict(re.findall(r"^\| `(\w+Service)` \| (.+) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    named = {service: set(re.findall(r"[A-Z]\w+", calls)) for service, calls in rows.items()}
    assert named == {name: set(service.methods_by_name) for name, service in services().items()}


@each_page
def test_toml_and_json_blocks_can_be_read(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json":
            json.loads(block.text)


def unlinked_words(text: str, prefix: str = "") -> list[str]:
    """The words of WORDS that the prose uses before it links to their explanation."""
    text = re.sub(r"`[^`\n]*`", "", prose(text))
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[[^\]]*\]\((?![^)]*glossary\.md#)[^)]*\)", "", text)  # links that lead elsewhere
    missing = []
    for anchor, pattern in WORDS.items():
        first = re.search(pattern, text, re.IGNORECASE if anchor not in ("gop", "d1") else 0)
        link = re.search(rf"\[[^\]]*\]\({re.escape(prefix)}glossary\.md#{anchor}\)", text)
        if first is not None and (link is None or first.start() > link.end() or first.start() < link.start()):
            missing.append(anchor)
    return missing


@each_page
def test_words_of_the_trade_are_linked_where_they_are_first_used(page: Path) -> None:
    if page.name in GENERATED | {"glossary.md", "CONTRIBUTING.md"}:
        pytest.skip("written by the code, or the glossary itself, or for developers who have read it")
    text = page.read_text(encoding="utf-8")
    prefix = {"README.md": "docs/"}.get(page.name, "") if page.parent == ROOT else ""
    assert unlinked_words(text, prefix if page.parent != ROOT / "engine" else "../docs/") == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("patrol cameras remove X", "no command `patrol cameras remove`"),
        ("patrol look", "no command `patrol look`"),
        ("patrol kpi league --kpi online --county 1", "`patrol kpi league` has no --county"),
        ("patrol kpi --csv out.csv | head -1", ""),
        ("patrol config show --toml > patrol.toml   # with a comment --nonsense", ""),
        ("echo ok && patrol top --twice", "`patrol top` has no --twice"),
        ("python -m bench.absent", "no module bench.absent"),
        ("python -m bench.store --jsn", "bench.store has no --jsn"),
        ("python examples/absent.py", "no file examples/absent.py"),
        ("make everything", "no target everything"),
        ("grpcurl -plaintext h:1 patrol.v1.PatrolService/Look", "no call patrol.v1.PatrolService/Look"),
    ],
)
def test_a_wrong_line_is_found(line: str, problem: str) -> None:
    assert wrong(line) == ([problem] if problem else [])


def test_commands_are_found_in_every_kind_of_block() -> None:
    page = "\n".join(
        [
            "```",
            "$ patrol top \\",
            "    --once",
            "shown",
            "```",
            "text",
            "",
            "    patrol audit  # list",
            "    shown",
            "",
        ]
        + ["```sh", "a=1", "jq . $a.json", "```", "```python", "patrol", "```"]
    )
    assert list(commands(page)) == [
        Command(2, "patrol top  --once"),
        Command(8, "patrol audit  # list"),
        Command(12, "a=1\njq . $a.json\n"),
    ]


def test_a_word_that_is_not_linked_where_it_is_first_used_is_found() -> None:
    assert unlinked_words("The uplink. An [uplink](glossary.md#uplink).") == ["uplink"]
    assert unlinked_words("An [uplink](glossary.md#uplink). The uplink.") == []
    assert unlinked_words("A camera has `uplink`.") == []
