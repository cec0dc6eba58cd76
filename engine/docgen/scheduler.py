"""docs/scheduler.md: the keys of the configuration, of the calendar, and of a simulation's files."""

from collections.abc import Iterator

from engine.config.calendar import Calendar
from engine.config.describe import shown
from engine.docgen.config import section_table
from engine.docgen.markdown import key_table, table, with_block
from engine.simulation.faults import PRESETS, Faults
from engine.simulation.world import World


def update(page: str) -> str:
    """Return docs/scheduler.md with its tables of keys, the default world and the presets renewed."""
    scheduler_keys = [*section_table("scheduler"), "", "And `[reload]`:", "", *section_table("reload")]
    page = with_block(page, "scheduler keys", scheduler_keys)
    page = with_block(page, "calendar keys", key_table(Calendar))
    page = with_block(
        page, "world keys", [*key_table(World), "", "The defaults as a file:", "", *_fenced(world_toml())]
    )
    presets = table(("preset", "is the file"), ((f"`{name}`", _preset(faults)) for name, faults in PRESETS.items()))
    return with_block(page, "faults keys", [*key_table(Faults), "", *presets])


def world_toml() -> str:
    """Return the default world as TOML; it loads back to the same."""
    world = World()
    return "\n".join(_lines({name: getattr(world, name) for name in World.model_fields}))


def _lines(tree: dict[str, object]) -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, tuple):
            yield from (f"{name} = [", *(f"  {shown(item)}," for item in value), "]")
        else:
            yield f"{name} = {shown(value)}"


def _fenced(text: str) -> list[str]:
    return ["```toml", *text.splitlines(), "```"]


def _preset(faults: Faults) -> str:
    default = Faults()
    own = {name: getattr(faults, name) for name in Faults.model_fields}
    keys = [f"`{name} = {shown(value)}`" for name, value in own.items() if value != getattr(default, name)]
    return ", ".join(keys) or "empty"
