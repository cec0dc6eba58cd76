"""Writes the tables of docs/scheduler.md on the files that a simulation reads: the world, and the faults."""

from collections.abc import Iterator

from engine.config.pages import key_table, shown, table, with_block
from engine.simulation.faults import PRESETS, Faults
from engine.simulation.world import World


def scheduler_page(page: str) -> str:
    """Return docs/scheduler.md with the current keys of both files, the default world and the presets.

    Raises ValueError if the page lacks their marks.
    """
    page = with_block(
        page, "world keys", [*key_table(World), "", "The defaults as a file:", "", *_fenced(world_toml())]
    )
    presets = table(("preset", "is the file"), ((f"`{name}`", _preset(faults)) for name, faults in PRESETS.items()))
    return with_block(page, "faults keys", [*key_table(Faults), "", *presets])


def world_toml() -> str:
    """Return the default world as a TOML file; it loads back to the same."""
    world = World()
    return "\n".join(_lines({name: getattr(world, name) for name in World.model_fields}))


def _lines(tree: dict[str, object]) -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, tuple):
            yield from (f"{name} = [", *(f"  {shown(entry)}," for entry in value), "]")
        else:
            yield f"{name} = {shown(value)}"


def _fenced(text: str) -> list[str]:
    return ["```toml", *text.splitlines(), "```"]


def _preset(faults: Faults) -> str:
    default = Faults()
    values = {name: getattr(faults, name) for name in Faults.model_fields}
    keys = [f"`{name} = {shown(value)}`" for name, value in values.items() if value != getattr(default, name)]
    return ", ".join(keys) or "empty"


if __name__ == "__main__":
    from pathlib import Path

    path = Path("docs/scheduler.md")
    path.write_text(scheduler_page(path.read_text(encoding="utf-8")), encoding="utf-8")
